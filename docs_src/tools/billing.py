"""The functions of `docs/tools.md`: a shop that keeps its books in memory."""

import os
from dataclasses import dataclass
from decimal import Decimal

from interlock.core.errors import UpstreamFailed

INVOICES = {"I1": Decimal("49.99"), "I2": Decimal("120.00")}
REFUNDS: dict[str, "Refund"] = {}
ADDRESSES: dict[str, str] = {}
SHIPPED: dict[str, str] = {}
MAILS: list[tuple[str, str]] = []


@dataclass(frozen=True)
class Refund:
    """What a refund came to."""

    id: str
    invoice_id: str
    amount_usd: Decimal


def find_invoice(invoice_id: str) -> Decimal | None:
    """Say what an invoice is about, in US dollars."""
    return INVOICES.get(invoice_id)


def refund(invoice_id: str, amount_usd: Decimal, idempotency_key: str) -> Refund:
    """Give money back for an invoice."""
    if invoice_id not in INVOICES:
        raise UpstreamFailed("there is no such invoice", fix="look the invoice up first")
    known = REFUNDS.get(idempotency_key)
    if known is None:
        known = Refund(id=f"re_{len(REFUNDS) + 1}", invoice_id=invoice_id, amount_usd=amount_usd)
        REFUNDS[idempotency_key] = known
    return known


def set_address(customer_id: str, address: str) -> None:
    """Write down where a customer lives. Writing the same twice changes nothing."""
    ADDRESSES[customer_id] = address


def ship(order_id: str, to: str) -> str:
    """Send an order. Whether it was sent can be asked later: `was_shipped`."""
    SHIPPED[order_id] = to
    return f"parcel for {order_id}"


def was_shipped(order_id: str) -> dict[str, object]:
    """Say whether an order was sent."""
    return {"happened": order_id in SHIPPED, "result": f"parcel for {order_id}"}


async def send_mail(to: str, body: str) -> str:
    """Send a mail. Nobody can tell afterwards whether it left."""
    MAILS.append((to, body))
    return "sent"


def render(html: str) -> int:
    """Draw a page with a library that may hang or crash; return the process that did it."""
    return os.getpid()
