"""What Cedar would take and we refuse: what never matches, cannot be told apart, or opens from the wrong place."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from interlock.core.charge import Unit
from interlock.core.ids import RuleId, ToolName
from interlock.policy.arguments import LONG_MAX, ArgumentType, Plain, dotted, parts_of
from interlock.policy.cedar import kind_group
from interlock.policy.reading import Policy, invalid
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    FactIsNot,
    OneOf,
    Outside,
    Place,
    Rule,
    RuleEffect,
    Uncorroborated,
)
from interlock.policy.schema import GROUPS, groups_of
from interlock.policy.table import RESERVED
from interlock.policy.vocabulary import ToolShape

_CONTEXT: Mapping[str, frozenset[str]] = {
    "run": frozenset(unit.value for unit in Unit),
    "trust": frozenset({"tainted", "corroborated"}),
    **{
        name: frozenset()
        for name in ("now", "hour", "weekday", "mode", "tier", "environment", "on_behalf_of", "undo", "args", "facts")
    },
}


_MEND = 'mend the name; or add `@shared("true")` if other workflows have what this one lacks'


def check_shapes(shapes: Iterable[ToolShape]) -> dict[ToolName, ToolShape]:
    """Return the tools by name.

    Raises:
        ContractInvalid: two tools, or a tool and a group, cannot be told apart.
    """
    tools: dict[ToolName, ToolShape] = {}
    for shape in shapes:
        if shape.name in tools:
            raise invalid(Place(file="contract"), f"tool `{shape.name}` is there twice", "rename one of them")
        if not shape.name or shape.name in GROUPS or shape.name.startswith(kind_group("")):
            message = f"tool `{shape.name}` has the name of a group of tools"
            raise invalid(Place(file="contract"), message, "give it another name in the contract; `from` stays")
        tools[shape.name] = shape
    return tools


def check_rules(rules: tuple[Rule, ...], tools: Mapping[ToolName, ToolShape]) -> None:
    """Check what a contract's rules name.

    Raises:
        ContractInvalid: a rule names a tool, kind or argument that is not there.
    """
    kinds = {shape.kind for shape in tools.values() if shape.kind}
    for rule in rules:
        if rule.tool is not None and rule.tool not in tools:
            message = f"rule `{rule.id}` names `{rule.tool}`, which is no tool of this contract"
            raise invalid(rule.place, message, f"declare `{rule.tool}` under `tools`, or drop the rule")
        if rule.kind and rule.kind not in kinds:
            message = f"rule `{rule.id}` names the kind `{rule.kind}`, which no tool is of"
            raise invalid(rule.place, message, f"declare `class: {rule.kind}` at a tool, or drop the rule")
        if any("," in role or role != role.strip() or not role for role in rule.approvers):
            raise invalid(rule.place, f"rule `{rule.id}` names a role with a comma or a space", "rename the role")
        _check_condition(rule, tools)


def _check_condition(rule: Rule, tools: Mapping[ToolName, ToolShape]) -> None:
    found = argument_at(rule, tools)
    match rule.when:
        case Above(path=path, micros=micros):
            _check_argument(rule, path, found, {Plain.QUANTITY}, "a quantity")
            numbers = (micros,)
        case Outside(path=path, low=low, high=high):
            _check_argument(rule, path, found, {Plain.QUANTITY}, "a quantity")
            numbers = (low, high)
        case OneOf(path=path):
            _check_argument(rule, path, found, {Plain.STRING, Plain.STRINGS}, "a text")
            numbers = ()
        case FactIsNot(value=value):
            numbers = () if isinstance(value, str) else (int(value),)
        case Before(instant=instant):
            numbers = (instant,)
        case Always() | AsUndo() | Uncorroborated():
            numbers = ()
        case _:
            assert_never(rule.when)
    if any(abs(number) > LONG_MAX for number in numbers):
        raise invalid(rule.place, f"rule `{rule.id}` has a number beyond 64 bits", "write a smaller number")


def _check_argument(rule: Rule, path: str, found: ArgumentType | None, wanted: set[Plain], called: str) -> None:
    if rule.tool is not None and found not in wanted:
        message = f"rule `{rule.id}` needs {called} at `{dotted(path)}`, and `{rule.tool}` has none there"
        fix = f"declare `{dotted(path)}` as {called} in the tool's schema and `args`, or mend the path"
        raise invalid(rule.place, message, fix)


def argument_at(rule: Rule, tools: Mapping[ToolName, ToolShape]) -> ArgumentType | None:
    """Return the type of the argument that a rule about one tool looks at."""
    match rule.when:
        case Above(path=path) | Outside(path=path) | OneOf(path=path) if rule.tool is not None:
            return tools[rule.tool].arguments.at(parts_of(path)) if rule.tool in tools else None
        case _:
            return None


def check_native(policies: tuple[Policy, ...], file: str, permits_from: frozenset[str]) -> tuple[Policy, ...]:
    """Check what an organisation's own file may say.

    Raises:
        ContractInvalid: it permits without being allowed to, or asks nobody.
    """
    # `org/../mine.cedar` is not in `org/`.
    inside = ".." not in file.split("/") and any(name.endswith("/") and file.startswith(name) for name in permits_from)
    privileged = inside or file in permits_from
    for policy in policies:
        if policy.effect is RuleEffect.PERMIT and not privileged:
            message = f"policy `{policy.id}` permits, and this file may only tighten"
            raise invalid(policy.place, message, f"move it to {', '.join(sorted(permits_from)) or 'the contract'}")
        if policy.requirement is not None and not policy.requirement.approvers:
            message = f"policy `{policy.id}` asks and names nobody who may agree"
            raise invalid(policy.place, message, 'add `@approvers("a-role")`')
    return policies


def check_ids(policies: tuple[Policy, ...]) -> None:
    """Check that every policy can be told by its id. Cedar takes two of the same without a word.

    Raises:
        ContractInvalid: an id is there twice, or is one of ours.
    """
    seen: dict[RuleId, Policy] = {}
    for policy in policies:
        if policy.id in seen:
            message = f"`{policy.id}` is the id of another policy too, at {seen[policy.id].place}"
            raise invalid(policy.place, message, "give each policy an id of its own")
        if policy.id.startswith(RESERVED):
            message = f"`{policy.id}` begins as the ids of modes, tiers, switches and break-glass do"
            raise invalid(policy.place, message, f"begin it with something else than {', '.join(RESERVED)}")
        seen[policy.id] = policy


def check_looks(policies: tuple[Policy, ...], tools: Mapping[ToolName, ToolShape], facts: frozenset[str]) -> None:
    """Check that what a policy looks at exists somewhere. Cedar lets `has amuont` be false for ever.

    Raises:
        ContractInvalid: a policy names a value that nothing ever has.
    """
    for policy in policies:
        reached = [shape for name, shape in tools.items() if policy.reaches(frozenset({name, *groups_of(shape)}))]
        for path in sorted(policy.looks_at):
            if path and not _exists(path, reached, facts) and policy.rule is None and not policy.shared:
                message = f"policy `{policy.id}` looks at `context.{'.'.join(path)}`, which no call ever has"
                raise invalid(policy.place, message, _MEND)


def _exists(path: tuple[str, ...], shapes: list[ToolShape], facts: frozenset[str]) -> bool:
    match path:
        case ("facts", name, *_):
            return name in facts
        case ("args", *parts) if parts:
            types = [shape.arguments.at(tuple(parts)) for shape in shapes]
            return any(type is not None and type is not Plain.HIDDEN for type in types)
        case (first, second, *_):
            return second in _CONTEXT.get(first, frozenset())
        case (first,):
            return first in _CONTEXT
        case _:
            return True
