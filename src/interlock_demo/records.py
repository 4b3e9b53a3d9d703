"""What the company has on its books."""

from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Somebody who buys, and may write."""

    id: str
    name: str
    email: str
    tier: str
    note: str = ""
    """What the desk once noted down. Customers can get text in here."""

    @property
    def first_name(self) -> str:
        return self.name.split()[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """One thing bought, and what it cost."""

    id: str
    customer_id: str
    cents: int
    day: date
    item: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback:
    """A payment that the customer's bank took back."""

    customer_id: str
    invoice_id: str
    cents: int
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A planned silence: the tool does not answer, `times` times, when it is asked about this."""

    tool: Literal["create_refund", "send_reply"]
    about: str
    """The invoice of a refund, the recipient of a reply."""
    kind: Literal["silent_before", "silent_after"]
    """Whether the effect took place before the answer was lost."""
    times: int
