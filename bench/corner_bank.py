"""The tools of the long history: plain functions that do nothing, so that what is left is ours."""

from typing import Any

from interlock.core.errors import UpstreamFailed


def look(invoice: str) -> dict[str, Any]:
    """Look an invoice up."""
    return {"invoice": invoice, "open": True}


def refund(invoice: str, usd: float) -> dict[str, Any]:
    """Pay an invoice back."""
    if usd == 13:
        raise UpstreamFailed("the bank says no", fix="ask the bank")
    return {"id": 7, "invoice": invoice}


def take_back(id: int) -> str:
    """Take a refund back."""
    return f"{id} is taken back"


def is_fraud(invoice: str) -> bool:
    """Whether an invoice looks like fraud."""
    return invoice.startswith("BAD")
