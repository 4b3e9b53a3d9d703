"""A toy shop: each function is a tool, and its types are its schema. What was done stands in `done.jsonl`."""

import json
from pathlib import Path
from typing import Any

from interlock.core.errors import UpstreamFailed

DONE = Path("done.jsonl")
ORDERS = {"O-1": 120, "O-2": 80, "O-3": 15}


def find_order(order: str) -> dict[str, Any]:
    """Say what an order is about."""
    return {"order": order, "amount_usd": ORDERS.get(order)}


def add_note(order: str, text: str) -> str:
    """Write a note to an order."""
    return _wrote({"note": order, "text": text})


def refund(order: str, amount_usd: int, idempotency_key: str) -> str:
    """Give money back for an order."""
    if order not in ORDERS:
        raise UpstreamFailed("there is no such order", fix="look the order up first")
    return _wrote({"refund": order, "amount_usd": amount_usd})


def delete_order(order: str) -> str:
    """Forget an order."""
    return _wrote({"delete": order})


def _wrote(what: dict[str, Any]) -> str:
    with DONE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")
    return f"{next(iter(what))} written"
