"""What becomes of an arbitrary call, as formulas: the decision of `policy.decide`, said once more from the rules.

It is made from the rules as values and from the table of modes and tiers, not from their Cedar text, so that a rule
that was written wrongly into Cedar shows as a difference. Switches are not in it: they only make a decision stricter.
Break-glass counts as mode `act`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import RuleId
from interlock.policy.arguments import Plain, Record, parts_of
from interlock.policy.cases import Verdict
from interlock.policy.reading import Policy
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    RuleEffect,
    Uncorroborated,
)
from interlock.policy.table import Consents, consent_for
from interlock.prove.accepted import table_of
from interlock.prove.call import BY_OPERATOR, CORROBORATED, NOW, STARTED_BY_PERSON, TAINTED, UNDO, Call, in_mode
from interlock.prove.formula import NO, YES, Compare, Counts, Formula, Var, compare, every, negated, some
from interlock.prove.slot import Kind, Slot

_MILLIONTH = Fraction(1, 1_000_000)
_LONG = 2**63  # Cedar counts in 64 bits
_READABLE = Fraction(10**25)  # of a quantity: what has more digits is not read

Verdicts = Mapping[Verdict, Formula]
"""When each verdict is reached. Of any call exactly one is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """When what is decided about the calls of one tool."""

    verdicts: Verdicts
    matches: Mapping[RuleId, Formula]
    """When each policy of the slice matches."""
    fails: Formula
    """When the call cannot be put to the rules at all, and is refused for that."""
    without: Mapping[RuleId, Verdicts]
    """What would be decided if one policy of the contract did not match."""


def decided(call: Call, consents: Consents) -> Decided:
    """Say what becomes of a call."""
    policies = call.slice.policies
    matches = {id: _matches(call, policy) for id, policy in policies.items()}
    fails = some(_unfit(call, call.slice.view.declared, ("args",)), *_wrong_facts(call), *_may_fail(call))

    def verdicts(matching: Mapping[RuleId, Formula]) -> Verdicts:
        return _verdicts(call, consents, matching, fails)

    without = {id: verdicts({**matches, id: NO}) for id, policy in policies.items() if policy.rule is not None}
    return Decided(verdicts=verdicts(matches), matches=matches, fails=fails, without=without)


def _verdicts(call: Call, consents: Consents, matches: Mapping[RuleId, Formula], fails: Formula) -> Verdicts:
    """Join what the table and the rules say: the strictest wins."""
    table = _tabled(call, consents)
    of = {effect: some(*_of(call, matches, effect)) for effect in RuleEffect}
    asks_nobody = some(*_of(call, matches, RuleEffect.ASK, asking_nobody=True))
    unknown = some(*(slot.one_of(Kind.ABSENT) for slot in call.facts.values()))
    permitted = every(of[RuleEffect.PERMIT], YES if call.slice.permitted else NO)
    denied = some(table["deny"], negated(permitted), fails, of[RuleEffect.DENY], asks_nobody, unknown)
    suggested = some(table["suggest"], of[RuleEffect.SUGGEST])
    held_back = some(suggested, table["draft"])
    asked = some(table["ask"], of[RuleEffect.ASK])
    return {
        "deny": denied,
        "suggest": every(negated(denied), suggested),
        "draft": every(negated(denied), negated(suggested), table["draft"]),
        "ask": every(negated(denied), negated(held_back), asked),
        "allow": every(negated(denied), negated(held_back), negated(asked)),
    }


def _of(
    call: Call, matches: Mapping[RuleId, Formula], effect: RuleEffect, *, asking_nobody: bool = False
) -> list[Formula]:
    policies = call.slice.policies
    return [
        formula
        for id, formula in matches.items()
        if policies[id].effect is effect and not (asking_nobody and _names_somebody(policies[id]))
    ]


def _names_somebody(policy: Policy) -> bool:
    return policy.requirement is not None and bool(policy.requirement.approvers)


def _tabled(call: Call, consents: Consents) -> Verdicts:
    """Say what mode and tier make of it."""
    shape = call.slice.shape
    if shape.effect is EffectClass.READ:
        return dict.fromkeys(("deny", "suggest", "draft", "ask"), NO)
    counts = negated(every(UNDO, BY_OPERATOR))
    acts, asks = in_mode(Mode.ACT), in_mode(Mode.ASK)
    draft, ask = NO, NO
    match shape.tier:
        case Tier.RED:
            draft = every(some(acts, asks), negated(STARTED_BY_PERSON))
            ask = every(some(acts, asks), STARTED_BY_PERSON)
        case Tier.YELLOW:
            ask = asks if call.slice.asks else some(acts, asks)
        case Tier.GREEN:
            ask = asks
        case _:
            assert_never(shape.tier)
    somebody = consent_for(shape.tier, consents) is not None
    return {
        "deny": every(counts, some(in_mode(Mode.READ_ONLY), NO if somebody else ask)),
        "suggest": every(counts, in_mode(Mode.SUGGEST)),
        "draft": every(counts, draft),
        "ask": every(counts, ask if somebody else NO),
    }


def _matches(call: Call, policy: Policy) -> Formula:
    """Say when one policy matches. One of the organisation is taken to match or not, unless it always does."""
    rule = policy.rule
    if rule is None:
        if _unconditional(policy):
            return YES
        return call.free(f"{policy.id} matches", _whether(policy))
    if isinstance(rule.when, Always):
        return YES
    known, holds = condition(call, rule.when)
    # What is not there opens nothing and closes everything.
    return every(known, holds) if policy.effect is RuleEffect.PERMIT else some(negated(known), holds)


def _whether(policy: Policy) -> str:
    return f"whether the organisation's `{policy.id}` ({policy.place}) matches"


def _unconditional(policy: Policy) -> bool:
    scope = [policy.json.get(name, {}).get("op") for name in ("principal", "resource")]
    return not policy.json.get("conditions") and scope == ["All", "All"]


def _may_fail(call: Call) -> list[Formula]:
    """Leave open what may go wrong although nothing that is said here does: a call that fails is refused."""
    failing: list[Formula] = []
    for policy in call.slice.policies.values():
        if policy.rule is None and policy.json.get("conditions"):
            failing.append(call.free(f"{policy.id} fails", _whether(policy)))
    if call.accepted.may_not_fit:
        failing.append(call.free("arguments do not fit", "whether rules can take what the schema leaves open"))
    return failing


def condition(call: Call, when: Condition) -> tuple[Formula, Formula]:
    """Say when it can be told whether a condition holds, and when it then does."""
    match when:
        case Always():
            return YES, YES
        case Above(path=path, micros=micros):
            known, number, scale = _quantity(call, path)
            return known, Compare(micros * scale, "<", number)
        case Outside(path=path, low=low, high=high):
            known, number, scale = _quantity(call, path)
            return known, some(Compare(number, "<", low * scale), Compare(high * scale, "<", number))
        case OneOf(path=path, values=values):
            return _one_of(call, path, values)
        case FactIsNot(name=name, value=value):
            slot = call.facts[name]
            return negated(slot.one_of(Kind.ABSENT)), negated(call.accepted.is_value(slot, value))
        case Before(instant=instant):
            return YES, Compare(NOW, "<", Fraction(instant))
        case AsUndo():
            return YES, UNDO
        case Uncorroborated():
            return YES, every(TAINTED, negated(CORROBORATED))
        case _:
            assert_never(when)


def _quantity(call: Call, path: str) -> tuple[Formula, Var, Fraction]:
    """Say when an amount is known, what it is, and what one of the units is in which a rule counts it."""
    parts = parts_of(path)
    slot = call.argument(parts)
    match call.slice.shape.arguments.at(parts):
        case Plain.QUANTITY:
            return _readable(call, slot), slot.number, _MILLIONTH
        case Plain.LONG:
            return slot.one_of(Kind.NUMBER), slot.number, Fraction(1)
        case _:
            known = call.free(f"{slot.name}: can be compared", f"`{slot.name}`, which is no amount")
            return known, slot.number, _MILLIONTH


def _readable(call: Call, slot: Slot) -> Formula:
    """Say when an amount is exactly a count of millionths."""
    amount = every(
        slot.one_of(Kind.NUMBER),
        Counts(slot.number, _MILLIONTH),
        Compare(-_READABLE, "<", slot.number),
        Compare(slot.number, "<", _READABLE),
    )
    # An amount that is written as a text is read too: which number it is, is left open.
    if not _may_be_text(call, slot):
        return amount
    is_number = call.free(f"{slot.name}: is a number in a text", f"which number `{slot.name}` is where it is a text")
    return some(amount, every(slot.one_of(Kind.TEXT), is_number))


def _may_be_text(call: Call, slot: Slot) -> bool:
    return table_of(call.accepted.at(slot.path)).get("type") not in ("number", "integer")


def _one_of(call: Call, path: str, values: tuple[str, ...]) -> tuple[Formula, Formula]:
    parts = parts_of(path)
    slot = call.argument(parts)
    match call.slice.shape.arguments.at(parts):
        case Plain.STRING:
            return slot.one_of(Kind.TEXT), some(*(compare(slot.text, "==", value) for value in values))
        case Plain.STRINGS:
            return slot.one_of(Kind.LIST), some(*(call.has(slot, value) for value in values))
        case _:
            why = f"`{slot.name}`, which is no text"
            return call.free(f"{slot.name}: can be told", why), call.free(f"{slot.name}: is one of {values}", why)


def _unfit(call: Call, record: Record, path: tuple[str, ...]) -> Formula:
    """Say when an argument that rules look at is of a type that they cannot take: the call is then refused."""
    wrong: list[Formula] = []
    here = call.accepted.slots().get(path)
    for name, attribute in record.attributes.items():
        slot = call.accepted.slots().get((*path, name))
        if attribute.type is Plain.HIDDEN:
            continue
        if slot is None or here is None:
            call.accepted.may_not_fit = True
            continue
        there = here.one_of(Kind.TABLE)
        if attribute.type is Plain.QUANTITY:
            known = _readable(call, slot)
            wrong.append(every(known, negated(_in_long(slot, _MILLIONTH))))
            wrong.append(every(there, negated(known)) if attribute.required else NO)
            continue
        wrong.append(every(there, slot.one_of(Kind.ABSENT, Kind.NULL)) if attribute.required else NO)
        if isinstance(attribute.type, Record):
            wrong += [negated(slot.one_of(Kind.ABSENT, Kind.NULL, Kind.TABLE)), _unfit(call, attribute.type, slot.path)]
        else:
            wrong.append(negated(some(slot.one_of(Kind.ABSENT, Kind.NULL), _of_type(slot, attribute.type))))
    return some(*wrong)


def _of_type(slot: Slot, type: Plain) -> Formula:
    match type:
        case Plain.STRING:
            return slot.one_of(Kind.TEXT)
        case Plain.BOOL:
            return slot.one_of(Kind.FLAG)
        case Plain.LONG:
            return every(slot.one_of(Kind.NUMBER), Counts(slot.number, Fraction(1)), _in_long(slot, Fraction(1)))
        case Plain.STRINGS:
            return slot.one_of(Kind.LIST)
        case Plain.QUANTITY | Plain.HIDDEN:
            return YES
        case _:
            assert_never(type)


def _in_long(slot: Slot, unit: Fraction) -> Formula:
    return every(Compare(-_LONG * unit, "<=", slot.number), Compare(slot.number, "<", _LONG * unit))


def _wrong_facts(call: Call) -> list[Formula]:
    """Say when a fact is of another kind than the rules compare it with: the call is then refused."""
    wrong: list[Formula] = []
    for name, slot in call.facts.items():
        kind = {"bool": Kind.FLAG, "long": Kind.NUMBER, "string": Kind.TEXT}[call.kinds[name]]
        wrong.append(negated(slot.one_of(Kind.ABSENT, kind)))
    return wrong
