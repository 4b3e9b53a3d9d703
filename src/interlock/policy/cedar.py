"""A contract's rules as Cedar text. Every name goes through `quoted`, so that no name can end a literal."""

from string import ascii_letters, digits
from typing import assert_never

from interlock.core.ids import Micros
from interlock.policy.arguments import LONG_MAX, ArgumentType, Plain, parts_of
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    Rule,
    RuleEffect,
    Uncorroborated,
)

_PLAIN = frozenset(ascii_letters + digits + " _-.,:;/#@$%&+*()[]{}<>=!?|~^'")
_SPANS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1))


def quoted(text: str) -> str:
    """Write any text as a Cedar string literal."""
    return '"' + "".join(sign if sign in _PLAIN else f"\\u{{{ord(sign):x}}}" for sign in text) + '"'


def kind_group(kind: str) -> str:
    """Name the group of the tools of one kind. The prefix keeps it apart from the tools themselves."""
    return f"kind:{kind}"


def span_text(span: Micros) -> str:
    """Write a span of time in its largest whole unit: `48h`, `90s`."""
    return next(f"{span // size}{unit}" for unit, size in _SPANS if span % size == 0)


def span_of(text: str) -> Micros | None:
    """Read a span such as `48h`, or nothing if it is none."""
    number = text.rstrip(ascii_letters)
    size = dict(_SPANS).get(text[len(number) :])
    known = size is not None and number.isascii() and number.isdigit() and len(number) <= _SPAN_DIGITS_MAX
    return Micros(int(number) * size) if known and size is not None else None


_SPAN_DIGITS_MAX = 12  # longer than any history; keeps the product in 64 bits


def cedar_of(rule: Rule, type_at: ArgumentType | None = None) -> str:
    """Write one rule as one policy.

    A permit opens *when* its condition is known to hold; everything else matches *unless* it is known not to.
    So what is missing opens nothing and closes everything.

    Args:
        rule: the rule.
        type_at: the type of the argument that its condition looks at, where that matters.
    """
    head = "permit" if rule.effect is RuleEffect.PERMIT else "forbid"
    present, holds = clause(rule.when, type_at)
    known = f"{present} && " if present else ""
    match rule.when, rule.effect:
        case Always(), _:
            body = ""
        case _, RuleEffect.PERMIT:
            body = f"\nwhen {{ {known}({holds}) }}"
        case _:
            body = f"\nunless {{ {known}!({holds}) }}"
    return f"{_annotations(rule)}\n{head}(principal, {_scope(rule)}, resource){body};\n"


def clause(condition: Condition, type_at: ArgumentType | None = None) -> tuple[str, str]:
    """Say what must be there to be able to tell, and what then holds where the condition matches."""
    match condition:
        case Always():
            return "", "true"
        case Above(path=path, micros=micros):
            present, value = _argument(path)
            return present, f"{value} > {_long(micros)}"
        case Outside(path=path, low=low, high=high):
            present, value = _argument(path)
            return present, f"{value} < {_long(low)} || {value} > {_long(high)}"
        case OneOf(path=path, values=values):
            present, value = _argument(path)
            return present, _one_of(value, values, type_at)
        case FactIsNot(name=name, value=value):
            return f"context.facts has {quoted(name)}", f"context.facts[{quoted(name)}] != {_literal(value)}"
        case Before(instant=instant):
            return "", f"context.now < {_long(instant)}"
        case AsUndo():
            return "", "context.undo"
        case Uncorroborated():
            return "", "context.trust.tainted && !context.trust.corroborated"
        case _:
            assert_never(condition)


def _argument(path: str) -> tuple[str, str]:
    here, present = "context.args", list[str]()
    for part in parts_of(path):
        present.append(f"{here} has {quoted(part)}")
        here = f"{here}[{quoted(part)}]"
    return " && ".join(present), here


def _one_of(value: str, values: tuple[str, ...], type_at: ArgumentType | None) -> str:
    if not values:
        return "false"  # Cedar cannot type an empty set
    listed = "[" + ", ".join(quoted(text) for text in values) + "]"
    return f"{value}.containsAny({listed})" if type_at is Plain.STRINGS else f"{listed}.contains({value})"


def _literal(value: bool | int | str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return _long(value)
        case str():
            return quoted(value)


def _long(number: int) -> str:
    return str(max(-LONG_MAX, min(number, LONG_MAX)))


def _scope(rule: Rule) -> str:
    if rule.tool is not None:
        return f"action == Action::{quoted(rule.tool)}"
    return f"action in Action::{quoted(kind_group(rule.kind) if rule.kind else rule.group)}"


def _annotations(rule: Rule) -> str:
    lines = [f"@id({quoted(rule.id)})"]
    if rule.effect is not RuleEffect.PERMIT:
        lines.append(f"@effect({quoted(rule.effect.value)})")
    if rule.effect is RuleEffect.ASK:
        lines += [
            f"@approvers({quoted(','.join(sorted(rule.approvers)))})",
            f"@quorum({quoted(str(rule.quorum))})",
            f"@each({quoted('true' if rule.each else 'false')})",
            f"@expires({quoted(span_text(rule.expires))})",
            f"@on_change({quoted(rule.on_change)})",
            f"@step_up({quoted('true' if rule.step_up else 'false')})",
        ]
    return "\n".join(lines)
