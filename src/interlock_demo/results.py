"""What the company's tools answer: JSON objects with amounts in dollars, as numbers."""

from typing import Literal, TypedDict

TicketStatus = Literal["open", "waiting", "resolved", "escalated"]


class CustomerRecord(TypedDict):
    """A customer as the desk sees one."""

    id: str
    name: str
    email: str
    tier: str
    note: str


class TicketText(TypedDict):
    """What a customer wrote."""

    id: str
    customer_id: str
    text: str
    status: str


class InvoiceLine(TypedDict):
    """An invoice as the desk sees one."""

    id: str
    amount_usd: float
    date: str
    item: str


class Invoices(TypedDict):
    """The invoices of a customer, oldest first."""

    invoices: list[InvoiceLine]


class ChargebackLine(TypedDict):
    """A payment that the customer's bank took back."""

    invoice_id: str
    amount_usd: float
    date: str


class Chargebacks(TypedDict):
    """The chargebacks of a customer, oldest first."""

    chargebacks: list[ChargebackLine]


class Refund(TypedDict):
    """A refund as the payment provider tells it."""

    id: str
    invoice_id: str
    amount: float
    status: str


class RefundPreview(TypedDict):
    """What a refund would do."""

    invoice_id: str
    amount: float
    left_before: float
    left_after: float
    possible: bool


class Sent(TypedDict):
    """A mail that went out."""

    id: str
    to: str


class Changed(TypedDict):
    """The new status of an account or a ticket."""

    id: str
    status: str
