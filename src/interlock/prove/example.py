"""A solver's values as a call that can be made, and what the policy itself says of it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import cast

from interlock.contract.arguments import Schema
from interlock.contract.formats import CHECKED
from interlock.core.canonical import Json, JsonObject
from interlock.core.ids import AgentId, Instant, RuleId
from interlock.core.limits import SAFE_INTEGER
from interlock.core.value import replace
from interlock.policy.cases import Case, question_for, verdict_of
from interlock.policy.decide import decide
from interlock.policy.explain import explain
from interlock.policy.load import Policies
from interlock.prove.call import (
    BY_OPERATOR,
    CORROBORATED,
    MODE,
    MODES,
    NOW,
    STARTED_BY_PERSON,
    TAINTED,
    UNDO,
    Call,
    in_mode,
)
from interlock.prove.formula import Compare, Counts, Formula, Matches, Value, Var, every, negated
from interlock.prove.pattern import Signs, Times, parse
from interlock.prove.slot import Kind, Slot

_HOUR = 3_600_000_000
_DAY = Fraction(24 * _HOUR)
_VISIBLE = Times(Signs((("!", "~"),)), 1, None)
_WORD = Times(Signs((("a", "z"),)), 1, None)
_FIRST_DAY, _LAST_DAY = 18_262 * _DAY, 73_050 * _DAY  # 2020 to 2170


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call with what the policy says of it."""

    case: Case
    """As a case: it expects what is said of it."""
    rules: tuple[RuleId, ...]
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a solver is not asked about, and a policy of the organisation may look at: who asks, and when."""

    agent: AgentId = AgentId("agent")
    hour: int = 0
    """So many hours later than the solver said."""


def trials(agents: Iterable[AgentId]) -> tuple[Trial, ...]:
    """Return the ways in which a call is tried: by every agent that the contract names, at several hours."""
    return tuple(
        replace(Trial(), agent=agent, hour=hour) for agent in (Trial().agent, *agents) for hour in (0, 12, 20, 72)
    )


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why the solver's values are no call that could be made."""

    why: str
    unwritable: bool = False
    """Whether its values have no form at all, which is no disagreement about what becomes of them."""


def wishes(call: Call, variables: tuple[Var, ...]) -> Iterator[Formula]:
    """Say what makes an example easy to read: few arguments, round numbers, plain texts, mode `act`."""
    yield in_mode(MODES[-1])
    yield every(*(negated(each) for each in call.open if each in variables))
    slots = call.accepted.slots()
    left_out = [slot.one_of(Kind.ABSENT) for path, slot in slots.items() if len(path) > 1 and slot.kind in variables]
    yield every(*left_out)
    yield from left_out
    if NOW in variables:
        yield every(Counts(NOW, _DAY), Compare(_FIRST_DAY, "<=", NOW), Compare(NOW, "<", _LAST_DAY))
    numbers = [each for each in variables if each.sort == "number"]
    for step, most in ((Fraction(1, 100), 10**6), (Fraction(1, 10**6), 10**9), (Fraction(1, 10**9), 10**20)):
        yield every(*(_plain(each, step, Fraction(most)) for each in numbers))
    for path, named in call.accepted.formats.items():
        plain = parse(CHECKED[named][0])
        if plain is not None and path in slots and slots[path].text in variables:
            yield Matches(slots[path].text, plain)
    texts = [each for each in variables if each.sort == "text"]
    yield from (Matches(each, pattern) for pattern in (_VISIBLE, _WORD) for each in texts)


def _plain(number: Var, step: Fraction, most: Fraction) -> Formula:
    return every(Counts(number, step), Compare(-most, "<", number), Compare(number, "<", most))


def judged(
    call: Call, policies: Policies, schema: JsonObject | None, model: Mapping[str, Value], name: str, trial: Trial
) -> Example | Unusable:
    """Make the call that a solver found, and put it to the policy as the gateway would.

    Args:
        call: the arbitrary one that the values are for.
        policies: the policy itself.
        schema: of the arguments.
        model: what the solver found.
        name: how the call is to be called.
        trial: who makes it, and when.
    """
    arguments = _built(call, ("args",), model)
    assert isinstance(arguments, dict), "arguments are an object"
    if not _complete(arguments):
        return Unusable("a number in it cannot be written down", unwritable=True)
    if schema is not None:
        read = Schema.compile(schema, formats=call.accepted.checks_formats).read(json.dumps(arguments))
        if isinstance(read, tuple):
            why = ", ".join(f"{each.kind} at {each.path}" for each in read)
            return Unusable(f"its arguments are refused: {why}", unwritable={each.kind for each in read} <= _NO_FORM)
        arguments = dict(read.values)
    facts = {name: _value(slot, model) for name, slot in call.facts.items() if _kind(slot, model) is not Kind.ABSENT}
    case = Case(
        name=name,
        tool=call.slice.shape.name,
        args=arguments,
        facts=facts,
        mode=MODES[int(model.get(MODE.name, len(MODES) - 1))],
        expect="deny",
        now=Instant(int(model.get(NOW.name, 0)) + trial.hour * _HOUR),
        tainted=bool(model.get(TAINTED.name)),
        corroborated=bool(model.get(CORROBORATED.name)),
        undo=bool(model.get(UNDO.name)),
        by_operator=bool(model.get(BY_OPERATOR.name)),
        started_by_person=bool(model.get(STARTED_BY_PERSON.name)),
    )
    case = replace(case, caller=replace(case.caller, agent=trial.agent))
    question = question_for(policies, case)
    judgement = decide(policies, question)
    return Example(
        case=replace(case, expect=verdict_of(judgement.decision)),
        rules=judgement.rules,
        why=explain(policies, question, judgement),
    )


_NO_FORM = frozenset({"inexact_number", "unsafe_integer", "not_canonical", "too_large"})
"""Why arguments are refused that have no form, whatever the schema says."""
_NO_NUMBER = object()


def _complete(value: object) -> bool:
    if isinstance(value, dict):
        return all(_complete(each) for each in cast("dict[str, object]", value).values())
    return value is not _NO_NUMBER


def _kind(slot: Slot, model: Mapping[str, Value]) -> Kind:
    return Kind(int(model.get(slot.kind.name, Kind.ABSENT)))


def _built(call: Call, path: tuple[str, ...], model: Mapping[str, Value]) -> Json:
    slots = call.accepted.slots()
    slot = slots[path]
    match _kind(slot, model):
        case Kind.TABLE:
            inside = [inner for inner in slots if inner[:-1] == path and len(inner) == len(path) + 1]
            there = [inner for inner in inside if _kind(slots[inner], model) is not Kind.ABSENT]
            return {inner[-1]: _built(call, inner, model) for inner in there}
        case Kind.LIST:
            asked_for = call.asked_for(slot)
            texts = [text for text in asked_for if model.get(slot.has(text).name)]
            return [*texts, *call.accepted.filling(path, len(texts), asked_for)]
        case Kind.TEXT if slot.text.name not in model and path in call.accepted.formats:
            return CHECKED[call.accepted.formats[path]][1]
        case _:
            return _value(slot, model)


def _value(slot: Slot, model: Mapping[str, Value]) -> Json:
    match _kind(slot, model):
        case Kind.FLAG:
            return bool(model.get(slot.flag.name))
        case Kind.NUMBER:
            return cast("Json", _number(model.get(slot.number.name, Fraction(1))))
        case Kind.TEXT:
            return str(model.get(slot.text.name, "x"))
        case _:
            return None


def _number(value: Value) -> object:
    """Write a number as JSON has it, or say that it has none: a third has no decimals that end."""
    assert not isinstance(value, str), "a number is no text"
    exact = Fraction(value)
    if exact.denominator == 1 and abs(exact) <= SAFE_INTEGER:
        return int(exact)
    try:
        number = float(exact)
    except OverflowError:
        return _NO_NUMBER
    return number if Fraction(Decimal(repr(number))) == exact else _NO_NUMBER
