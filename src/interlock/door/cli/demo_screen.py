"""What the demo shows: a line a ticket as it happens, a table at the end, and where to look deeper."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from interlock.core.money import Money, micros_of
from interlock.core.outcome import Outcome
from interlock.ports import TenantStore
from interlock_demo.harm import Harm
from interlock_demo.talk import Called, Reply, Resolution
from interlock_demo.ticket import Kind, Ticket, totals

_SHOWN = ("create_refund", "send_reply", "close_account")
_WORDS = {
    "done": "done",
    "parked": "waits for a person",
    "suggested": "kept as a draft",
    "refused": "refused",
    "failed": "failed",
    "uncertain": "uncertain",
}


@dataclass(slots=True)
class Screen:
    """Prints to one stream, as things happen."""

    out: TextIO
    shown: int = 0

    def line(self, text: str = "") -> None:
        print(text, file=self.out, flush=True)

    def opened(self, folder: Path, tickets: tuple[Ticket, ...]) -> None:
        self.line(f"A small company with {len(tickets)} open tickets, in {folder}/")
        self.line("An agent works through them. It may read, refund and reply; it obeys whatever a ticket says.")
        self.line("Every call goes through the interlock, under the contract `support-refunds`.\n")

    def worked(self, ticket: Ticket, resolution: Resolution) -> None:
        self.shown += 1
        reads = sum(call.tool not in _SHOWN and call.reply.status == "done" for call in resolution.calls)
        self.line(f"{self.shown:3}  {ticket.id:6} {ticket.kind.value:32} {_story(resolution, reads)}")

    def decided(self, ticket: Ticket, person: str, later: Resolution) -> None:
        said = "yes" if ticket.answer == "yes" else "no"
        self.line(f"     {ticket.id:6} {person} says {said + ',':21} {_story(later, 0)}")

    def stopped(self, person: str, reply: Reply) -> None:
        self.line(
            f"\n     {person} throws a switch: everything stops. The next call is {reply.status} ({reply.reason})."
        )
        self.line(f"     {person} takes the switch back, and the agent goes on.\n")

    def undone(self, ticket: Ticket, person: str, outcome: Outcome) -> None:
        self.line(f"     {ticket.id:6} {person} takes the refund back:     {type(outcome).__name__.lower()}")

    async def summed_up(
        self,
        store: TenantStore,
        first: Mapping[str, Resolution],
        later: Mapping[str, Resolution],
        tickets: tuple[Ticket, ...],
        governed: Harm,
        loose: Harm,
    ) -> None:
        """Print what came of each kind of ticket, the money, and the same agent with nothing in between."""
        self.line(f"\n{'what customers wanted':34}{'tickets':>8}  what came of it")
        for kind in Kind:
            of_kind = [ticket for ticket in tickets if ticket.kind is kind]
            ends = Counter(
                "done and taken back" if ticket.undo else _end(first[ticket.id], later.get(ticket.id))
                for ticket in of_kind
            )
            came = ", ".join(f"{count} {end}" for end, count in ends.most_common())
            self.line(f"  {kind.value:32}{len(of_kind):8}  {came}")
        money = totals(tickets)
        spent = await _spent(store)
        rows = [
            ("asked for by customers", money.asked),
            ("refunded", money.moved),
            ("taken back by a person", money.undone),
            ("kept from going out", money.prevented),
        ]
        self.line("\nmoney")
        for name, cents in rows:
            self.line(f"  {name:32}{_usd(cents):>12}")
        self.line(f"  {'spent on calls':32}{Money(spent)!s:>12}")
        self._compared(governed, loose)

    def _compared(self, governed: Harm, loose: Harm) -> None:
        rows = [
            ("refunded against the rules", _usd(governed.wrong_cents), _usd(loose.wrong_cents)),
            ("refunded beyond the day's budget", _usd(governed.beyond_day_cents), _usd(loose.beyond_day_cents)),
            ("refunds paid twice", governed.twice, loose.twice),
            ("refunds without consent", governed.without_consent, loose.without_consent),
            ("mails to strangers", governed.mails_to_strangers, loose.mails_to_strangers),
            ("mails sent twice", governed.mails_twice, loose.mails_twice),
            ("accounts closed", governed.accounts_closed, loose.accounts_closed),
        ]
        self.line(
            f"\n{'harm, counted in the company':34}{'with':>12}{'without':>12}   (the same agent, nothing in between)"
        )
        for name, with_it, without_it in rows:
            self.line(f"  {name:32}{with_it:>12}{without_it:>12}")

    def deeper(self, folder: Path, tickets: tuple[Ticket, ...], first: Mapping[str, Resolution]) -> None:
        at = f"--store {shlex.quote(str(folder / 'interlock.db'))} --keys {shlex.quote(str(folder / 'keys'))}"
        at += " --tenant demo"
        granted = _refund(tickets, first, Kind.GRANTED_REFUND)
        silent = _refund(tickets, first, Kind.SILENT_REFUND)
        self.line("\nlook deeper")
        self.line(f"  interlock {at} explain {granted}")
        self.line(f"  interlock {at} action show {silent}")
        self.line(f"  interlock {at} ledger verify")

    def verified(self, said: str) -> None:
        self.line(f"\n{said}")


def _story(resolution: Resolution, reads: int) -> str:
    calls = [call for call in resolution.calls if call.tool in _SHOWN or call.reply.status != "done"]
    told = [_told(call) for call in calls]
    parts = [f"{count}x {text}" if count > 1 else text for text, count in Counter(told).items()]
    return "; ".join(([f"{reads} reads"] if reads else []) + parts) or resolution.end


def _told(call: Called) -> str:
    amount = call.arguments.get("amount_usd")
    what = call.tool if amount is None else f"refund {Money(micros_of(str(amount)) or 0)}"
    what = {"send_reply": "reply", "close_account": "close account"}.get(what, what)
    again = " (from the record)" if call.reply.recalled else ""
    why = f" ({call.reply.reason})" if call.reply.reason else ""
    return f"{what}: {_WORDS[call.reply.status]}{why}{again}"


def _end(first: Resolution, later: Resolution | None) -> str:
    """Sum a ticket up by the strictest thing that happened to it."""
    calls = [call for call in (later or first).calls if call.tool != "update_ticket"]
    calls = calls if later is None else [*first.calls, *calls]
    heard = {call.reply.status for call in calls if call.tool in _SHOWN or call.reply.status != "done"}
    decided = {call.reply.status for call in (later.calls if later else ())}
    if "parked" in heard and later is not None:
        return "granted" if "done" in decided and "refused" not in decided else "denied"
    for status in ("uncertain", "refused", "suggested", "parked", "failed"):
        if status in heard:
            return {"suggested": "kept as a draft", "parked": "waiting"}.get(status, status)
    return "done"


def _refund(tickets: tuple[Ticket, ...], first: Mapping[str, Resolution], kind: Kind) -> str:
    calls = [call for t in tickets if t.kind is kind for call in first[t.id].calls if call.tool == "create_refund"]
    return calls[0].reply.action if calls else "ACTION"


def _usd(cents: int) -> str:
    return str(Money(cents * 10_000))


async def _spent(store: TenantStore) -> int:
    spent, after = 0, 0
    while lines := await store.entries(after=after):
        after += len(lines)
        spent += sum(entry.get("cost", 0) for entry in map(json.loads, lines) if entry["kind"] == "ended")
    return spent
