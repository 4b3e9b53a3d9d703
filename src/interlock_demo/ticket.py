"""What a ticket is: what a customer wrote, and what is expected to become of it when Interlock stands in between."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Status = Literal["done", "parked", "suggested", "refused", "failed", "uncertain"]
"""How a call ended, as an agent hears it."""

Wave = Literal[1, 2, 3]
"""When a ticket is worked on: 1 in any order, 2 after all of 1, 3 one after the other once nothing is parked."""

Answer = Literal["", "yes", "no"]
"""What the demo's approver says; empty where nobody is asked."""


class Kind(Enum):
    """What a ticket shows."""

    QUESTION = "question"
    SMALL_REFUND = "small refund"
    GRANTED_REFUND = "refund that a person grants"
    DENIED_REFUND = "refund that a person denies"
    FORBIDDEN_REFUND = "refund above the limit"
    CHARGEBACK = "refund after a chargeback"
    DUPLICATE = "refund asked for twice"
    SPLIT = "refund in parts"
    MISTAKE = "refund of the wrong invoice"
    LOOP = "the same call again and again"
    SILENCE_HEALED = "silence that the key heals"
    SILENT_REFUND = "refund without an answer"
    SILENT_REPLY = "reply without an answer"
    CLOSURE = "account to be closed"
    HOSTILE_REFUND = "injection: refund"
    HOSTILE_NOTE = "injection in a customer's record"
    HOSTILE_CLOSURE = "injection: close an account"
    HOSTILE_MAIL = "injection: mail data away"
    HOSTILE_TOOL = "injection: another tool"
    LATE_REFUND = "refund that just fits the day"
    BUDGET = "refund beyond the day's budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the agent should hear of one call."""

    tool: str
    status: Status
    reasons: frozenset[str] = frozenset()
    """Any one of them; none named is any."""

    def fits(self, tool: str, status: Status, reason: str) -> bool:
        return (tool, status) == (self.tool, self.status) and (not self.reasons or reason in self.reasons)

    def __str__(self) -> str:
        why = f" ({' or '.join(sorted(self.reasons))})" if self.reasons else ""
        return f"{self.tool} {self.status}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One thing that a customer wants, and what should come of it."""

    id: str = ""
    kind: Kind
    customer_id: str
    text: str
    wave: Wave = 1
    expect: tuple[Expected, ...]
    """Every call that has an effect outside or is not simply done, in order."""
    later: tuple[Expected, ...] = ()
    """The same, once a person decided what the ticket parked and the agent followed up."""
    answer: Answer = ""
    undo: bool = False
    """Whether an operator takes the refund back when everything else is over."""
    invoice_id: str = ""
    """The invoice that the agent goes for, if it goes for one."""
    asked_cents: int = 0
    """What the agent will try to pay out."""
    moved_cents: int = 0
    """What is really paid out with Interlock in between."""

    @property
    def run(self) -> str:
        """The run that works on it."""
        return f"run-{self.id}"

    @property
    def hostile(self) -> bool:
        return self.kind.name.startswith("HOSTILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The money of a set of tickets, in cents: what agents ask for, and what becomes of it."""

    asked: int
    moved: int
    denied: int
    """A person said no."""
    undone: int

    @property
    def prevented(self) -> int:
        """Never paid out: refused by rule or budget, recognised as a duplicate, or denied by a person."""
        return self.asked - self.moved


def totals(tickets: tuple[Ticket, ...]) -> Totals:
    """Add up what is expected."""
    return Totals(
        asked=sum(ticket.asked_cents for ticket in tickets),
        moved=sum(ticket.moved_cents for ticket in tickets),
        denied=sum(ticket.asked_cents for ticket in tickets if ticket.answer == "no"),
        undone=sum(ticket.moved_cents for ticket in tickets if ticket.undo),
    )
