"""`policy backtest`: recorded decisions against another contract, or against the ones that made them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock import app
from interlock.contract.bundle import encode
from interlock.contract.node import text as text_node
from interlock.contract.read import load
from interlock.contract.scalar import DATE, DURATION, Wrong
from interlock.core.effect import Mode
from interlock.core.errors import UsageWrong
from interlock.core.ids import Environment, Instant, WorkflowId
from interlock.core.value import replace
from interlock.core.wording import count_entries
from interlock.door.cli.doors import mode_of
from interlock.door.cli.policy_diff import A_PERSON_SHOULD_LOOK
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import Time, block, clean, table, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, session
from interlock.gateway.backtest import Reader, Record, Wish, audited, backtest
from interlock.gateway.force import Force, compiled
from interlock.gateway.publishable import publishable
from interlock.policy.replay import Example, Move, Tally
from interlock.policy.rule import Place
from interlock.policy.vocabulary import Question

_WRONG = 1
_INDENT = 2


@awaited
async def backtested(typed: Typed) -> int:
    """Replay the record against a candidate, or against itself."""
    given = typed.given
    if (given.candidate is None) != given.in_force:
        raise UsageWrong("say what the record is held against", fix="name a contract FILE, or say `--in-force`")
    if given.in_force and given.mode is not None:
        raise UsageWrong("`--mode` is about a candidate", fix="leave it out: what was in force counts")
    mode = mode_of(given.mode) if given.mode is not None else None
    with session(typed) as here:
        workflow, environment = await here.place()
        reader = await _reader(here, workflow, environment)
        if given.in_force:
            return _audited(typed, reader.record, await audited(reader))
        file = Path(given.candidate)
        candidate = _candidate(file, workflow, environment)
        tally = Tally(examples_max=max(0, given.examples))
        await backtest(reader, candidate, tally, as_if=lambda question: _in_mode(question, mode))
    told = _Told(tally=tally, record=reader.record, file=str(file), place=f"{workflow} in {environment}", mode=mode)
    typed.screen.show(told.data(), told.text(typed.screen.width, typed.screen.broad))
    if reader.record.wrong:
        return _WRONG
    return A_PERSON_SHOULD_LOOK if tally.looser > given.max_looser else 0


async def _reader(here: Session, workflow: WorkflowId, environment: Environment) -> Reader:
    said: str | None = here.typed.given.since
    last: int | None = here.typed.given.last
    if last is not None and last < 1:
        raise UsageWrong("`--last` is less than 1", fix="write one such as `--last 1000`")
    since = Instant(0) if said is None else _moment(said, (await here.rows()).now)
    wish = Wish(workflow=workflow, environment=environment, since=since, last=last)
    return Reader(store=here.store, secrets=here.gateway.secrets, wish=wish)


def _moment(said: str, now: Instant) -> Instant:
    node = text_node(said, Place(file="command line"))
    span, date = DURATION.read(node), DATE.read(node)
    if not isinstance(span, Wrong):
        return Instant(now - span)
    if isinstance(date, Wrong):
        raise UsageWrong(f"`{said}` is no time", fix="write how long ago, `30d`, or a date, `2026-12-01`")
    return date


def _candidate(file: Path, workflow: WorkflowId, environment: Environment) -> Force:
    """Compile a contract as publishing would."""
    contract = load(file)
    if contract.workflow != workflow:
        fix = f"name a contract of `{workflow}`, or say `--workflow {contract.workflow}`"
        raise InputWrong(f"`{file}` is the contract of `{contract.workflow}`, the record is of `{workflow}`", fix=fix)
    resolved = publishable(contract, environment, folder=file.parent, describe=app.describe)
    return compiled(resolved, encode(resolved)[0])


def _in_mode(question: Question, mode: Mode | None) -> Question:
    return question if mode is None else replace(question, mode=mode)


def _audited(typed: Typed, record: Record, follow: int) -> int:
    pairs = [
        ("follow", f"{_decisions(follow)} from what was asked, under the contract of that time"),
        *_left_out(record),
        ("do not", _decisions(len(record.wrong)) if record.wrong else "none"),
    ]
    text = block(pairs, typed.screen.width) + _wrong(record, typed.screen.broad)
    typed.screen.show({"follow": follow, **_record(record)}, text)
    return _WRONG if record.wrong else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A backtest, as it is printed."""

    tally: Tally
    record: Record
    file: str
    place: str
    mode: Mode | None

    def text(self, width: int, broad: int) -> str:
        tally = self.tally
        as_if = f", as if in mode {self.mode.value}" if self.mode else ""
        pairs = [
            ("replayed", f"{_decisions(tally.decisions)} of {self.place}{self._when()}"),
            ("against", f"{self.file}{as_if}"),
            ("looser", tally.looser or "none"),
            ("cannot be told", self._untold()),
            *_left_out(self.record),
        ]
        parts = [block(pairs, width), self._moves(broad), self._forecast(), self._examples(width)]
        return "\n\n".join(part for part in parts if part) + _wrong(self.record, broad)

    def _when(self) -> str:
        if not self.tally.last:
            return ""
        return f", from {Time(self.tally.first).short()} to {Time(self.tally.last).short()}"

    def _untold(self) -> str:
        facts = [f"{n} of `{tool}` lack `{fact}`" for (tool, fact), n in sorted(self.tally.untold.items())]
        return f"{_decisions(self.tally.left)}: {'; '.join(facts)}" if facts else ""

    def _moves(self, broad: int) -> str:
        rows = [
            [_way(move), str(move), sum(tools.values()), ", ".join(f"{tool} {n}" for tool, n in tools.items())]
            for move, tools in self.tally.by_move().items()
        ]
        return table(["", "MOVE", "ACTIONS", "OF"], rows, broad, right=(2,)) if rows else ""

    def _forecast(self) -> str:
        rows = [[what, f"{then:.1f}", f"{now:.1f}"] for what, then, now in self._rates() if self.tally.decisions]
        return table(["A DAY", "RECORDED", "CANDIDATE"], rows, 80, right=(1, 2)) if rows else ""

    def _rates(self) -> list[tuple[str, float, float]]:
        tally = self.tally
        return [
            ("approvals asked", tally.asked / tally.days, tally.asked_now / tally.days),
            ("refusals", tally.refused / tally.days, tally.refused_now / tally.days),
        ]

    def _examples(self, width: int) -> str:
        lines: list[str] = []
        for move in self.tally.by_move():
            kept = self.tally.examples.get(move, [])
            lines += [str(move)] if kept else []
            for each in kept:
                rules = f"{_rules(each.recorded.rules)} -> {_rules(each.rules)}"
                told = wrapped(clean(f"{each.recorded.action}  {each.recorded.tool}: {rules}"), width - 2, hang=4)
                lines += ["  " + line for line in told.splitlines()]
        return "\n".join([*lines, "look at one: `interlock explain ACTION`"]) if lines else ""

    def data(self) -> dict[str, Any]:
        tally = self.tally
        return {
            "against": self.file,
            "mode": self.mode.value if self.mode else None,
            "decisions": tally.decisions,
            "from": Time(tally.first) if tally.last else None,
            "to": Time(tally.last) if tally.last else None,
            "looser": tally.looser,
            "moves": [
                {
                    "from": move.old,
                    "to": move.new,
                    "looser": move.looser,
                    "tools": dict(tools),
                    "examples": [_example(each) for each in tally.examples.get(move, [])],
                }
                for move, tools in tally.by_move().items()
            ],
            "a_day": {
                what.replace(" ", "_"): {"recorded": round(then, 3), "candidate": round(now, 3)}
                for what, then, now in self._rates()
            },
            "cannot_be_told": tally.left,
            "missing_facts": [
                {"tool": tool, "fact": fact, "decisions": n} for (tool, fact), n in sorted(tally.untold.items())
            ],
            **_record(self.record),
        }


def _way(move: Move) -> str:
    if move.looser:
        return "LOOSER"
    return "" if move.old == move.new else "TIGHTER"


def _rules(rules: tuple[str, ...]) -> str:
    return ", ".join(rules) or "no rule"


def _example(each: Example) -> dict[str, Any]:
    recorded = each.recorded
    return {"action": recorded.action, "tool": recorded.tool, "rules": list(recorded.rules), "now": list(each.rules)}


def _left_out(record: Record) -> list[tuple[str, object]]:
    return [
        ("erased", f"{_decisions(record.erased)}, which nobody can replay" if record.erased else ""),
        ("pruned", f"{count_entries(record.pruned)}, of which nobody can tell what they were" if record.pruned else ""),
        ("not judged", f"{record.unjudged} refused before any rule was asked" if record.unjudged else ""),
    ]


def _record(record: Record) -> dict[str, Any]:
    wrong = [{"action": each.action, "entry": each.entry, "what": each.what} for each in record.wrong]
    return {"erased": record.erased, "pruned": record.pruned, "not_judged": record.unjudged, "wrong": wrong}


def _wrong(record: Record, broad: int) -> str:
    if not record.wrong:
        return ""
    rows = [[each.entry, each.action, each.what] for each in record.wrong]
    return "\n\nthe record does not hold\n" + table(["ENTRY", "ACTION", "WHAT"], rows, broad, right=(0,))


def _decisions(count: int) -> str:
    return "1 decision" if count == 1 else f"{count:,} decisions"
