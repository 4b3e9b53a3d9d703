"""Mode x tier as one table, and the switches and break-glass that bend it. Every cell has a test."""

from collections.abc import Mapping
from typing import assert_never

from msgspec import Struct

from interlock.core.decision import Allow, Ask, Decision, Deny, Requirement, Suggest
from interlock.core.door import BreakGlass, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import RuleId
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.policy.vocabulary import Question

TABLE_VERSION = 1
"""Part of every slice's hash: whoever changes a cell counts it up, and older grants ask again."""

RESERVED = ("mode:", "tier:", "switch:", "glass:")
"""How the ids of rules begin that stand here and in no file."""

Consents = Mapping[Tier, Requirement]
"""Who agrees to what a tier asks for. The rule that asks is filled in where it asks."""


class Said(Struct, frozen=True, kw_only=True):
    """What one step of a decision came to."""

    decision: Decision
    fix: str = ""


_NOTHING = Said(decision=Allow(rules=()))


def glass_over(question: Question) -> tuple[BreakGlass, ...]:
    """Return the break-glass that covers the call at this moment."""
    covering = (glass for glass in question.glass if glass.at <= question.now < glass.until)
    return tuple(glass for glass in covering if glass.scope.covers(question.caller, question.tool, question.effect))


def mode_in_force(question: Question) -> Mode:
    """Return how far the workflow may go with this call, break-glass included."""
    return Mode.ACT if glass_over(question) else question.mode


def switched(question: Question, glass: tuple[BreakGlass, ...]) -> Said:
    """Say what the thrown switches leave. An operator's undo passes, unless the switch was thrown against undos too."""
    passes = question.undo and question.by_operator
    thrown = [
        switch
        for switch in question.switches
        if switch.scope.covers(question.caller, question.tool, question.effect) and (switch.undo_too or not passes)
    ]
    closing = [switch for switch in thrown if _closes(switch, question.effect, lifted=bool(glass))]
    if closing:
        ids = tuple(RuleId(f"switch:{switch.id}") for switch in closing)
        why = f"{closing[0].by} threw switch `{closing[0].id}` ({closing[0].kind.value}) for {closing[0].scope}"
        fix = f"take it back with `interlock switch resume {closing[0].id}`"
        return Said(decision=Deny(rules=ids, why=why, reason=Reason.STOPPED), fix=fix)
    showing = [switch for switch in thrown if switch.kind is SwitchKind.SUGGEST and not glass]
    if showing and question.effect is not EffectClass.READ:
        return Said(decision=Suggest(rules=tuple(RuleId(f"switch:{switch.id}") for switch in showing)))
    return _NOTHING


def _closes(switch: Switch, effect: EffectClass, *, lifted: bool) -> bool:
    match switch.kind:
        case SwitchKind.STOP:
            return True
        case SwitchKind.READ_ONLY:
            return effect is not EffectClass.READ and not lifted
        case SwitchKind.SUGGEST:
            return False
        case _:
            assert_never(switch.kind)


def lifting(question: Question, glass: tuple[BreakGlass, ...]) -> tuple[RuleId, ...]:
    """Name the break-glass that changes something: without it, a mode or a switch would hold the call back."""
    held_back = question.mode is not Mode.ACT or switched(question, ()) != switched(question, glass)
    return tuple(RuleId(f"glass:{one.id}") for one in glass) if held_back else ()


def tabled(question: Question, mode: Mode, consents: Consents, *, asks: bool) -> Said:
    """Say what the mode in force makes of the tier.

    Args:
        question: the call.
        mode: the mode in force, break-glass included.
        consents: who agrees to what a tier asks for.
        asks: whether the contract has a rule that asks under a condition of this tool's calls.
    """
    if question.effect is EffectClass.READ or (question.undo and question.by_operator):
        return _NOTHING
    match mode:
        case Mode.READ_ONLY:
            why, caller = "the workflow may only read today", question.caller
            fix = f"raise the mode with `interlock mode {caller.workflow} suggest --env {caller.environment}`"
            return Said(decision=Deny(rules=(RuleId("mode:read_only"),), why=why), fix=fix)
        case Mode.SUGGEST:
            return Said(decision=Suggest(rules=(RuleId("mode:suggest"),)))
        case Mode.ASK | Mode.ACT:
            return _acting(question, mode, consents, asks=asks)
        case _:
            assert_never(mode)


def _acting(question: Question, mode: Mode, consents: Consents, *, asks: bool) -> Said:
    match question.tier:
        case Tier.RED if question.started_by_person:
            return _ask(RuleId("tier:red"), Tier.RED, consents)
        case Tier.RED:
            return Said(decision=Suggest(rules=(RuleId("tier:red"),), draft=True))
        case Tier.YELLOW | Tier.GREEN if mode is Mode.ASK:
            return _ask(RuleId("mode:ask"), question.tier, consents)
        case Tier.YELLOW:
            return _NOTHING if asks else _ask(RuleId("tier:yellow"), Tier.YELLOW, consents)
        case Tier.GREEN:
            return _NOTHING
        case _:
            assert_never(question.tier)


def _ask(rule: RuleId, tier: Tier, consents: Consents) -> Said:
    consent = consent_for(tier, consents)
    if consent is None:
        why = f"tier {tier.value} needs a person's consent and the contract names nobody who may give it"
        fix = f"add `approvers` to `approvals.{'red' if tier is Tier.RED else 'yellow'}` in the contract"
        return Said(decision=Deny(rules=(rule,), why=why), fix=fix)
    return Said(decision=Ask(requirements=(replace(consent, rule=rule),)))


def consent_for(tier: Tier, consents: Consents) -> Requirement | None:
    """Return who agrees to a tier. Green has nobody of its own in most contracts and asks as yellow does."""
    consent = consents.get(tier) or (consents.get(Tier.YELLOW) if tier is Tier.GREEN else None)
    return consent if consent is not None and consent.approvers else None
