"""A little shop for the tests of the command line: plain functions, and a file of what they did in `SHOP`."""

import json
import os
from pathlib import Path
from typing import Any

from interlock.core.errors import UpstreamFailed, UpstreamSilent


def _note(**what: Any) -> None:
    with Path(os.environ["SHOP"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def done() -> list[dict[str, Any]]:
    path = Path(os.environ["SHOP"])
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def look(invoice: str) -> dict[str, Any]:
    """Look an invoice up."""
    return {"invoice": invoice, "open": not any(each.get("refund") == invoice for each in done())}


def refund(invoice: str, usd: float) -> dict[str, Any]:
    """Pay an invoice back."""
    if usd == 13:
        raise UpstreamFailed("the bank says no", fix="ask the bank")
    if usd == 14:
        raise UpstreamSilent("the bank says nothing", fix="ask the bank")
    _note(refund=invoice, usd=usd)
    return {"id": 7, "invoice": invoice}


def take_back(id: int) -> str:
    """Take a refund back."""
    if any(each.get("usd") == 15 for each in done()):
        raise UpstreamSilent("the bank says nothing", fix="ask the bank")
    _note(taken_back=id)
    return "taken back"


def is_fraud(invoice: str) -> bool:
    """Whether an invoice looks like fraud."""
    return invoice == "INV-666"


def close_account(customer: str) -> str:
    """Close an account."""
    if customer == "C14":
        raise UpstreamSilent("the bank says nothing", fix="ask the bank")
    return customer
