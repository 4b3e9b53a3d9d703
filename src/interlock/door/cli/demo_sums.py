"""What came of the demo, as values: by kind of ticket, in money, and in harm with Interlock and without."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.door.cli.render import Amount, usd
from interlock.ports import TenantStore
from interlock_demo.harm import Harm
from interlock_demo.talk import Resolution
from interlock_demo.ticket import Kind, Ticket, totals

SHOWN = ("create_refund", "send_reply", "close_account")
"""The tools whose calls are told one by one; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The tables at the end of the demo."""

    kinds: Mapping[Kind, Counter[str]]
    """How the tickets of each kind ended, and how many did."""
    money: Mapping[str, Amount]
    harm: Mapping[str, tuple[Amount | int, Amount | int]]
    """Of the agent behind Interlock, and of the same agent with nothing in between."""

    def as_data(self) -> dict[str, Any]:
        """Return them for programs."""
        return {
            "outcomes": [
                {"kind": kind.value, "tickets": ends.total(), "came_of_it": dict(ends.most_common())}
                for kind, ends in self.kinds.items()
            ],
            "money_usd": {_key(what): amount for what, amount in self.money.items()},
            "harm": {_key(what): {"with": one, "without": other} for what, (one, other) in self.harm.items()},
        }


async def sums_of(
    store: TenantStore,
    first: Mapping[str, Resolution],
    later: Mapping[str, Resolution],
    tickets: Sequence[Ticket],
    governed: Harm,
    loose: Harm,
) -> Sums:
    """Sum up what became of every ticket, of the money, and of the company."""
    kinds = {kind: Counter[str]() for kind in Kind}
    for ticket in tickets:
        taken_back = "done and taken back" if ticket.undo else ""
        kinds[ticket.kind][taken_back or _end(first[ticket.id], later.get(ticket.id))] += 1
    money = totals(tuple(tickets))
    return Sums(
        kinds=kinds,
        money={
            "asked for by customers": _usd(money.asked),
            "refunded": _usd(money.moved),
            "taken back by a person": _usd(money.undone),
            "kept from going out": _usd(money.prevented),
            "spent on calls": usd(await _spent(store)),
        },
        harm={
            "refunded against the rules": (_usd(governed.wrong_cents), _usd(loose.wrong_cents)),
            "refunded beyond the day's budget": (_usd(governed.beyond_day_cents), _usd(loose.beyond_day_cents)),
            "refunds paid twice": (governed.twice, loose.twice),
            "refunds without consent": (governed.without_consent, loose.without_consent),
            "mails to strangers": (governed.mails_to_strangers, loose.mails_to_strangers),
            "mails sent twice": (governed.mails_twice, loose.mails_twice),
            "accounts closed": (governed.accounts_closed, loose.accounts_closed),
        },
    )


def _end(first: Resolution, later: Resolution | None) -> str:
    """Sum a ticket up by the strictest thing that happened to it."""
    calls = [call for call in (later or first).calls if call.tool != "update_ticket"]
    calls = calls if later is None else [*first.calls, *calls]
    heard = {call.reply.status for call in calls if call.tool in SHOWN or call.reply.status != "done"}
    decided = {call.reply.status for call in (later.calls if later else ())}
    if "parked" in heard and later is not None:
        return "granted" if "done" in decided and "refused" not in decided else "denied"
    for status in ("uncertain", "refused", "suggested", "parked", "failed"):
        if status in heard:
            return {"suggested": "kept as a draft", "parked": "waiting"}.get(status, status)
    return "done"


async def _spent(store: TenantStore) -> int:
    spent, after = 0, 0
    while lines := await store.entries(after=after):
        after += len(lines)
        spent += sum(entry.get("cost", 0) for entry in map(json.loads, lines) if entry["kind"] == "ended")
    return spent


def _key(words: str) -> str:
    return words.replace("'", "").replace(" ", "_")


def _usd(cents: int) -> Amount:
    return usd(cents * 10_000)
