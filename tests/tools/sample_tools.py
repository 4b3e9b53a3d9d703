"""Functions as people write them for Interlock, and some as they should not be written."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from interlock.core.errors import UpstreamFailed, UpstreamSilent

BEGUN: defaultdict[str, threading.Event] = defaultdict(threading.Event)
MAY_END: defaultdict[str, threading.Event] = defaultdict(threading.Event)
CALLS: defaultdict[str, list[Any]] = defaultdict(list)


@dataclass
class Line:
    sku: str
    price: Decimal


@dataclass
class Receipt:
    id: str
    total: Decimal
    at: datetime
    lines: list[Line]


def sell(customer: str, lines: list[Line], at: datetime, discount: Decimal = Decimal("0.10")) -> Receipt:
    """Sell something."""
    CALLS["sell"].append((customer, lines, at, discount))
    return Receipt(id="R1", total=sum((line.price for line in lines), -discount), at=at, lines=lines)


async def greet(name: str) -> str:
    """Say hello."""
    await asyncio.sleep(0)
    return f"hello {name}"


def hang(gate: str, ends: str = "done") -> str:
    """Wait for a test to let it go, then do as told."""
    BEGUN[gate].set()
    MAY_END[gate].wait()
    CALLS[gate].append(ends)
    return end(ends)


async def block(gate: str) -> str:
    """Block the loop that tools share, as one does with `time.sleep` or `requests`."""
    BEGUN[gate].set()
    MAY_END[gate].wait()
    return "done"


async def wait(gate: str) -> str:
    """Wait as one should."""
    BEGUN[gate].set()
    while not MAY_END[gate].is_set():
        await asyncio.sleep(0.001)
    CALLS[gate].append("done")
    return "done"


def end(ends: str) -> Any:
    """End in one of many ways."""
    match ends:
        case "failed":
            raise UpstreamFailed("the card was declined", fix="ask for another card")
        case "silent":
            raise UpstreamSilent("the bank did not answer", fix="ask the bank")
        case "bug":
            raise KeyError("secret-value")
        case "exit":
            sys.exit(1)
        case "interrupt":
            raise KeyboardInterrupt
        case "stop":
            raise StopIteration
        case "cancel":
            raise asyncio.CancelledError
        case _:
            return ends


async def end_async(ends: str) -> Any:
    """End in one of many ways, on the loop."""
    return end(ends)


def forgotten(ends: str) -> Any:
    """Call something async without waiting for it."""
    return end_async(ends)


def strange(kind: Literal["object", "nan", "digits", "big", "loop", "surrogate", "long"]) -> Any:
    """Return what JSON cannot carry."""
    itself: list[Any] = []
    itself.append(itself)
    return {
        "object": object(),
        "nan": float("nan"),
        "digits": Decimal("0.12345678901234567890"),
        "big": 2**60,
        "loop": itself,
        "surrogate": "\ud800",
        "long": "x" * 2_000_000,
    }[kind]


def keyed(to: str, idempotency_key: str) -> str:
    """Send something, once for each key."""
    CALLS["keyed"].append(idempotency_key)
    return idempotency_key


def untyped(what) -> None:  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
    """Say nothing of what it takes."""


def odd(callback: threading.Lock) -> None:
    """Take what no JSON is."""


def look(file: str) -> dict[str, Any]:
    """Say what a child process sees."""
    print("noise")
    os.write(1, b"noise")
    Path(file).write_text(str(os.getpid()), encoding="utf-8")
    return {"pid": os.getpid(), "group": os.getpgid(0), "environment": sorted(os.environ)}


def linger(file: str) -> str:
    """Start a process of its own, say both ids, and wait for ever."""
    child = subprocess.Popen(["sleep", "600"])
    Path(file + ".part").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    Path(file + ".part").rename(file)
    time.sleep(600)
    return "never"


def escape(file: str) -> str:
    """Leave the group, keep everything open, and wait for ever."""
    if os.fork() == 0:
        os.setsid()
        Path(file + ".part").write_text(f"{os.getpid()}", encoding="utf-8")
        Path(file + ".part").rename(file)
    time.sleep(600)
    return "never"


def die(how: Literal["kill", "exit", "memory"]) -> str:
    """End without a word, or ask for more than there is."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(0)
    return str(len(bytearray(64 * 1024**3)))


def now() -> datetime:
    """Say what time it is."""
    return datetime(2026, 1, 1, tzinfo=UTC)


def refund(invoice_id: str, amount_usd: Decimal, reason: str = "") -> dict[str, Any]:
    """Give money back."""
    return {"id": f"re_{invoice_id}", "amount": amount_usd}


def cancel_refund(refund_id: str) -> str:
    """Take a refund back."""
    return refund_id


def chargebacks(customer_id: str) -> list[str]:
    """List chargebacks."""
    return []
