"""What changed between two contracts, in words that a person can review, and which way each change goes.

Soundness before completeness: `TIGHTER` is said only of what cannot open anything, whatever else has changed, and
whatever has changed that nothing here knows is `OTHER`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from interlock.contract.diff_consent import consent_changes, somebody
from interlock.contract.diff_line import Line, Weight, in_file, ordered, said
from interlock.contract.diff_native import native_changes
from interlock.contract.diff_rules import rule_changes
from interlock.contract.diff_tools import tool_changes
from interlock.contract.ir import Budget, Contract, Hook
from interlock.core.charge import Unit
from interlock.core.effect import Mode
from interlock.core.ids import AgentId
from interlock.policy.rule import FactIsNot
from interlock.policy.words import decimal

_MODES = (Mode.READ_ONLY, Mode.SUGGEST, Mode.ASK, Mode.ACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two versions of a contract."""

    old: Contract
    new: Contract
    looks_at: frozenset[str]
    """What the organisation's own policies look at in a call, by its first name; `*` is everything."""

    def line(self, weight: Weight, about: str, what: str) -> Line:
        return Line(weight=weight, about=about, what=what, old=in_file(self.old), new=in_file(self.new))


def differences(old: Contract, new: Contract) -> tuple[Line, ...]:
    """Return every change: what may open something first, then what only closes, then what does neither."""
    natives, looks_at = native_changes(old, new)
    pair = Pair(old=old, new=new, looks_at=looks_at)
    lines = [
        *tool_changes(old, new, looks_at),
        *rule_changes(old, new),
        *consent_changes(old, new),
        *natives,
        *(line for name, change in _SECTIONS.items() for line in change(pair) if name),
        *_everything_else(pair),
    ]
    return tuple(sorted(lines, key=lambda line: (list(Weight).index(line.weight), line.about)))


def opens(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return the changes that may open something: those that do, and those that cannot be ordered."""
    return tuple(line for line in lines if line.weight in (Weight.LOOSER, Weight.OTHER))


def _modes(pair: Pair) -> Iterator[Line]:
    old, new = pair.old.modes, pair.new.modes
    for name in sorted(old.keys() | new.keys()):
        about = f"environment `{name}`"
        if name not in old:
            yield pair.line(Weight.LOOSER, about, f"new, in mode {new[name].value}")
        elif name not in new:
            yield pair.line(Weight.OTHER, about, "gone from the file; what is in force there stays")
        elif old[name] is not new[name]:
            lower = _MODES.index(new[name]) < _MODES.index(old[name])
            weight = _lower(pair, new[name]) if lower else Weight.LOOSER
            yield pair.line(weight, about, f"mode {old[name].value} -> {new[name].value}")


def _lower(pair: Pair, mode: Mode) -> Weight:
    """Weigh a lower mode. A policy of the organisation may say something else in it."""
    approvals = pair.old.approvals
    # What nobody may agree to is refused in the higher mode, and shown as a suggestion in this one.
    shows = mode is Mode.SUGGEST and not (somebody(approvals.yellow) and somebody(approvals.red))
    return Weight.OTHER if shows or pair.looks_at & {"mode", "*"} else Weight.TIGHTER


def _agents(pair: Pair) -> Iterator[Line]:
    old, new = pair.old.agents, pair.new.agents
    if bool(old) != bool(new):
        weight, what = (Weight.TIGHTER, f"anyone -> {_listed(new)}") if new else (Weight.LOOSER, "anyone may ask")
        yield pair.line(weight, "agents", what)
        return
    for name in sorted(old.keys() | new.keys()):
        about = f"agent `{name}`"
        if name not in old:
            yield pair.line(Weight.LOOSER, about, "new")
        elif name not in new:
            yield pair.line(Weight.TIGHTER, about, "gone")
        elif old[name] != new[name]:
            weight = Weight.TIGHTER if not old[name] else Weight.OTHER if new[name] else Weight.LOOSER
            yield pair.line(weight, about, f"key {old[name] or 'none'} -> {new[name] or 'none'}")


def _listed(agents: Mapping[AgentId, str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(agents))


def _budgets(pair: Pair) -> Iterator[Line]:
    old, new = _by_name(pair.old.budgets), _by_name(pair.new.budgets)
    for name in sorted(old.keys() | new.keys()):
        was, will = old.get(name), new.get(name)
        if will is None and was is not None:
            yield Line(Weight.LOOSER, name, f"limit {_limit(was)} -> none", was.place, in_file(pair.new))
        elif was is None and will is not None:
            yield Line(Weight.TIGHTER, name, f"limit none -> {_limit(will)}", in_file(pair.old), will.place)
        elif was is not None and will is not None and was.limit != will.limit:
            weight = Weight.LOOSER if will.limit > was.limit else Weight.TIGHTER
            yield Line(weight, name, f"limit {_limit(was)} -> {_limit(will)}", was.place, will.place)


def _by_name(budgets: tuple[Budget, ...]) -> dict[str, Budget]:
    """Name each budget. Of two of the same the lower one counts, as it does for a call."""
    named: dict[str, Budget] = {}
    for budget in budgets:
        owner = f" of `{budget.tool}`" if budget.tool else ""
        name = f"budget {budget.unit.value} per {budget.period}{owner}"
        if name not in named or budget.limit < named[name].limit:
            named[name] = budget
    return named


def _limit(budget: Budget) -> str:
    in_millionths = budget.unit in (Unit.USD, Unit.USD_OF_ARGS, Unit.SECONDS)
    return decimal(budget.limit) if in_millionths else f"{budget.limit:,}"


def _facts(pair: Pair) -> Iterator[Line]:
    """Tell where facts come from. One that nobody looks up is unknown, which is a no."""
    old, new = pair.old.facts, pair.new.facts
    used = {rule.when.name for rule in pair.old.rules if isinstance(rule.when, FactIsNot)}
    for name in sorted(old.keys() | new.keys()):
        about = f"fact `{name}`"
        was, will = old.get(name), new.get(name)
        if was is None and will is not None:
            weight = Weight.LOOSER if name in used else Weight.NEITHER
            yield pair.line(weight, about, f"unknown -> looked up with `{will.tool}`")
        elif was is not None and will is None:
            yield pair.line(Weight.TIGHTER, about, f"looked up with `{was.tool}` -> unknown")
        elif was is not None and will is not None and was != will:
            yield pair.line(*_hook(about, was, will))


def _hook(about: str, was: Hook, will: Hook) -> tuple[Weight, str, str]:
    if (was.tool, was.args) == (will.tool, will.args):
        weight = Weight.LOOSER if will.within > was.within else Weight.TIGHTER
        return weight, about, f"may be so old: {said(was.within)} -> {said(will.within)}"
    return Weight.OTHER, about, f"looked up with {said(was)} -> {said(will)}"


def _limits(pair: Pair) -> Iterator[Line]:
    yield from _counted(pair, "loop", "equal calls", pair.old.loop.equal_calls, pair.new.loop.equal_calls)
    old, new = pair.old.accept_unenforced, pair.new.accept_unenforced
    for section in sorted(new - old):
        yield pair.line(Weight.LOOSER, "accept_unenforced", f"`{section}` is not enforced, and that is accepted")
    for section in sorted(old - new):
        yield pair.line(Weight.TIGHTER, "accept_unenforced", f"`{section}` is not accepted any more")
    if pair.old.unsafe_durability != pair.new.unsafe_durability:
        weight = Weight.LOOSER if pair.new.unsafe_durability else Weight.TIGHTER
        what = f"{said(pair.old.unsafe_durability)} -> {said(pair.new.unsafe_durability)}"
        yield pair.line(weight, "unsafe_durability", what)


def _counted(pair: Pair, about: str, of: str, old: int, new: int) -> Iterator[Line]:
    if old != new:
        yield pair.line(Weight.LOOSER if new > old else Weight.TIGHTER, about, f"{of} {old} -> {new}")


_SECTIONS: Mapping[str, Callable[[Pair], Iterator[Line]]] = {
    "modes": _modes,
    "agents": _agents,
    "budgets": _budgets,
    "facts": _facts,
    "limits": _limits,
}
_TOLD_ELSEWHERE = frozenset(
    {"tools", "rules", "approvals", "cedar", "modes", "agents", "budgets", "facts", "loop", "accept_unenforced",
     "unsafe_durability"}
)  # fmt: skip
_FROM_OTHERS = frozenset({"place", "tool_timeout", "class_asks", "unenforced", "assumptions"})
"""What says nothing of its own: places, and what tools and rules were made from."""
_FOR_PEOPLE = frozenset(
    {"owner", "cost_center", "runbook", "handoff_queue", "unknown_facts", "purpose", "payload_days", "ledger_days"}
)
"""What opens and closes nothing: names for people, facts that stay unknown, how long things are kept and what for."""


def _everything_else(pair: Pair) -> Iterator[Line]:
    for field in fields(Contract):
        was, will = getattr(pair.old, field.name), getattr(pair.new, field.name)
        if field.name in _TOLD_ELSEWHERE | _FROM_OTHERS or was == will:
            continue
        if field.name == "policy_files" and pair.old.cedar and pair.new.cedar:
            yield pair.line(Weight.NEITHER, field.name, f"{said(was)} -> {said(will)}")
            continue  # the policies themselves are compared
        weight = Weight.NEITHER if field.name in _FOR_PEOPLE else Weight.OTHER
        yield from _parts(pair, weight, field.name, was, will)


def _parts(pair: Pair, weight: Weight, about: str, was: Any, will: Any) -> Iterator[Line]:  # noqa: ANN401  any field
    if isinstance(was, Mapping) and isinstance(will, Mapping):
        for name, before, after in ordered(cast("Mapping[str, object]", was), cast("Mapping[str, object]", will)):
            yield pair.line(weight, about, f"{name} {said(before)} -> {said(after)}")
    else:
        yield pair.line(weight, about, f"{said(was)} -> {said(will)}")
