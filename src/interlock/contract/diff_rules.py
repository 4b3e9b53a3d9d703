"""What changed in the rules of a contract. A rule is the same rule under the same id."""

from collections.abc import Iterator

from interlock.contract.diff_consent import consent_weight, whom_words
from interlock.contract.diff_line import Line, Weight, in_file
from interlock.contract.ir import Contract
from interlock.core.effect import Tier
from interlock.core.ids import RuleId, ToolName
from interlock.core.value import replace
from interlock.policy.rule import (
    Above,
    Always,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    Place,
    Rule,
    RuleEffect,
)
from interlock.policy.words import as_text, decimal

_KEYS = {
    "approval_over": "require_human_approval_over_usd",
    "max_amount": "max_amount_usd",
    "approval": "approval_required_tools",
}
"""Which key of a contract a rule comes from, by the end of its id, where that is not its own name."""
_DOES = {
    RuleEffect.PERMIT: "allows",
    RuleEffect.ASK: "asks",
    RuleEffect.SUGGEST: "only suggests",
    RuleEffect.DENY: "denies",
}


def rule_changes(old: Contract, new: Contract) -> Iterator[Line]:
    """Return every rule that was added, removed or changed."""
    was, will = ({rule.id: rule for rule in contract.rules} for contract in (old, new))
    for id in sorted(was.keys() | will.keys()):
        before, after = was.get(id), will.get(id)
        if before is None and after is not None:
            weight = Weight.LOOSER if after.effect is RuleEffect.PERMIT else Weight.TIGHTER
            yield Line(weight, _about(after), f"{_name(after)} added: {_words(after)}", in_file(old), after.place)
        elif after is None and before is not None:
            yield Line(
                _removed(before),
                _about(before),
                f"{_name(before)} removed: it {_words(before)}",
                before.place,
                in_file(new),
            )
        elif before is not None and after is not None:
            yield from _changed(before, after)
    yield from _first_conditions(old, new)


def _removed(rule: Rule) -> Weight:
    if rule.effect is not RuleEffect.PERMIT:
        return Weight.LOOSER
    # What looked at a fact kept everything shut while that fact was unknown.
    return Weight.OTHER if isinstance(rule.when, FactIsNot) else Weight.TIGHTER


def _changed(old: Rule, new: Rule) -> Iterator[Line]:
    if _same(old) == _same(new):
        return
    if (old.effect, old.tool, old.kind, old.group) != (new.effect, new.tool, new.kind, new.group):
        yield Line(Weight.OTHER, _about(new), f"{_name(new)}: {_words(old)} -> {_words(new)}", old.place, new.place)
        return
    if old.when != new.when:
        what = f"{_name(new)} {_from(old.when, new.when)}"
        yield Line(_condition_weight(old, new), _about(new), what, old.place, new.place)
    if new.effect is RuleEffect.ASK and _whom(old) != _whom(new):
        what = f"{_name(new)}: {whom_words(old)} -> {whom_words(new)}"
        yield Line(consent_weight(old, new), _about(new), what, old.place, new.place)


def _same(rule: Rule) -> Rule:
    return replace(rule, place=Place(file=""))


def _whom(rule: Rule) -> tuple[object, ...]:
    return rule.approvers, rule.quorum, rule.each, rule.expires, rule.on_change, rule.step_up


def _condition_weight(old: Rule, new: Rule) -> Weight:
    more, less = _holds_wherever(new.when, old.when), _holds_wherever(old.when, new.when)
    if old.effect is RuleEffect.PERMIT:
        more, less = less, more
    return Weight.TIGHTER if more else Weight.LOOSER if less else Weight.OTHER


def _holds_wherever(more: Condition, less: Condition) -> bool:
    """Whether `more` surely holds wherever `less` does, also where what it looks at is not there."""
    match more, less:
        case Always(), _:
            # While a fact is unknown, whatever looks at it refuses; a rule that does not look any more would only ask.
            return not isinstance(less, FactIsNot)
        case Above(), Above():
            return more.path == less.path and more.micros <= less.micros
        case Outside(), Outside():
            return more.path == less.path and more.low >= less.low and more.high <= less.high
        case OneOf(), OneOf():
            return more.path == less.path and set(more.values) >= set(less.values)
        case Before(), Before():
            return more.instant >= less.instant
        case _:
            return more == less


def _first_conditions(old: Contract, new: Contract) -> Iterator[Line]:
    """Tell of yellow tools that asked always, and now ask only where their own rules do."""
    for name, tool in new.tools.items():
        before = old.tools.get(name)
        if before is None or not before.tier is tool.tier is Tier.YELLOW:
            continue
        if not _conditions(old, name, before.kind) and (rules := _conditions(new, name, tool.kind)):
            what = f"asked always -> asks only where its rules do: {', '.join(f'`{rule}`' for rule in rules)}"
            yield Line(Weight.LOOSER, f"`{name}`", what, before.place, tool.place)


def _conditions(contract: Contract, tool: ToolName, kind: str) -> list[RuleId]:
    """Name the rules that make a yellow tool run unasked where none of them matches, as `policy.load` reads them."""
    return [
        rule.id
        for rule in contract.rules
        if rule.effect is RuleEffect.ASK
        and not isinstance(rule.when, Before)
        and (rule.tool == tool or (rule.tool is None and rule.kind and rule.kind == kind))
    ]


def _about(rule: Rule) -> str:
    if rule.tool is not None:
        return f"`{rule.tool}`"
    return f"class `{rule.kind}`" if rule.kind else f"{rule.group} tools"


def _name(rule: Rule) -> str:
    own = rule.id.removeprefix(f"{rule.tool}.")
    return _KEYS.get(own, f"rule `{rule.id}`")


def _words(rule: Rule) -> str:
    asked = f", {whom_words(rule)}" if rule.effect is RuleEffect.ASK else ""
    return f"{_DOES[rule.effect]} {_condition(rule.when)}{asked}"


def _from(old: Condition, new: Condition) -> str:
    match old, new:
        case Above(), Above() if old.path == new.path:
            return f"{decimal(old.micros)} -> {decimal(new.micros)}"
        case Outside(), Outside() if old.path == new.path and old.low == new.low:
            return f"{decimal(old.high)} -> {decimal(new.high)}"
        case _:
            return f"{_condition(old)} -> {_condition(new)}"


def _condition(condition: Condition) -> str:
    match condition:
        case Always():
            return "always"
        case Above(path=path, micros=micros):
            return f"above {decimal(micros)} of `{path}`"
        case Outside(path=path, low=low, high=high):
            return f"outside {decimal(low)} to {decimal(high)} of `{path}`"
        case OneOf(path=path, values=values):
            return f"where `{path}` is one of {', '.join(values)}"
        case FactIsNot(name=name, value=value):
            return f"unless `{name}` is {as_text(value)}"
        case Before(instant=instant):
            return f"before {instant} (microseconds since 1970)"
        case _:
            return {"AsUndo": "as an undo", "Uncorroborated": "while nothing trusted vouches for it"}[
                type(condition).__name__
            ]
