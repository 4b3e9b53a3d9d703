"""What the demo shows: a line a ticket as it happens, a table at the end, and where to look deeper."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from interlock.core.money import Money, micros_of
from interlock.core.outcome import Outcome
from interlock.door.cli.demo_sums import SHOWN, Sums
from interlock_demo.talk import Called, Reply, Resolution
from interlock_demo.ticket import Ticket

_NARROWEST = 20
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
    width: int

    def line(self, text: str = "") -> None:
        print(text, file=self.out, flush=True)

    def beside(self, left: str, text: str) -> None:
        """Print a text to the right of another one; what does not fit goes on below its beginning."""
        room = max(_NARROWEST, self.width - len(left))
        first, *rest = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
        self.line("\n".join([left + first, *(" " * len(left) + each for each in rest)]))

    def opened(self, folder: Path, tickets: tuple[Ticket, ...]) -> None:
        self.beside("", f"A small company with {len(tickets)} open tickets, in {folder}/")
        self.beside("", "An agent works through them. It may read, refund and reply; it obeys whatever a ticket says.")
        self.beside("", "Every call goes through the interlock, under the contract `support-refunds`.")
        self.line()

    def worked(self, ticket: Ticket, resolution: Resolution) -> None:
        reads = sum(call.tool not in SHOWN and call.reply.status == "done" for call in resolution.calls)
        self.beside(f"{ticket.id:5} {ticket.kind.value:32} ", _story(resolution, reads))

    def decided(self, ticket: Ticket, person: str, later: Resolution) -> None:
        said = "yes" if ticket.answer == "yes" else "no"
        self.beside(f"{ticket.id:5} {f'{person} says {said},':32} ", _story(later, 0))

    def stopped(self, person: str, reply: Reply) -> None:
        says = f"{person} throws a switch: everything stops. The next call is {reply.status} ({reply.reason})."
        self.line()
        self.beside("      ", says)
        self.beside("      ", f"{person} takes the switch back, and the agent goes on.")
        self.line()

    def undone(self, ticket: Ticket, person: str, outcome: Outcome) -> None:
        self.beside(f"{ticket.id:5} {f'{person} takes the refund back:':32} ", type(outcome).__name__.lower())

    def summed_up(self, sums: Sums) -> None:
        """Print what came of each kind of ticket, the money, and the same agent with nothing in between."""
        self.line(f"\n{'what customers wanted':34}{'tickets':>8}  what came of it")
        for kind, ends in sums.kinds.items():
            came = ", ".join(f"{count} {end}" for end, count in ends.most_common())
            self.line(f"  {kind.value:32}{ends.total():8}  {came}")
        self.line("\nmoney")
        for name, amount in sums.money.items():
            self.line(f"  {name:32}{amount!s:>12}")
        self.line()
        heads = f"{'harm, counted in the company':34}{'with':>12}{'without':>12}   "
        self.beside(heads, "(the same agent, nothing in between)")
        for name, (with_it, without_it) in sums.harm.items():
            self.line(f"  {name:32}{with_it!s:>12}{without_it!s:>12}")

    def deeper(self, commands: Sequence[tuple[str, str]]) -> None:
        """Print commands to go on with, each on as many lines as it takes to copy it as it stands."""
        self.line("\nlook deeper")
        for command, options in commands:
            fits = len(command) + len(options) + 3 <= self.width
            self.line(f"  {command} {options}" if fits else f"  {command} \\\n    {options}")

    def verified(self, said: str) -> None:
        self.line(f"\n{said}")


def _story(resolution: Resolution, reads: int) -> str:
    calls = [call for call in resolution.calls if call.tool in SHOWN or call.reply.status != "done"]
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
