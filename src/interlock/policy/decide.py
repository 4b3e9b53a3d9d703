"""A question and the policies in, a judgement out: switches, then mode x tier, then the tool's slice of the rules.

The strictest of the three wins: deny, then suggest, then ask, then allow. Requirements are listed and never merged.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec import Struct

from interlock.core.decision import Allow, Ask, Decision, Deny, Suggest, rules_of
from interlock.core.effect import Mode
from interlock.core.fact import Known
from interlock.core.ids import RuleId, SliceHash, ToolName
from interlock.core.reason import Reason
from interlock.policy.engine import Evaluation, PolicySet, Request, evaluate
from interlock.policy.load import Policies, Slice
from interlock.policy.rule import RuleEffect
from interlock.policy.schema import request_of
from interlock.policy.table import Said, glass_over, lifting, mode_in_force, switched, tabled
from interlock.policy.vocabulary import Question

_NOBODY = "name who may agree: `approvals: { yellow: { approvers: [lead] }, people: { lead: [ann] } }`"


class Judgement(Struct, frozen=True, kw_only=True):
    """What was decided, by which slice of the policies, and what each step said."""

    decision: Decision
    slice: SliceHash
    """Empty for a tool that no policy knows."""
    fix: str = ""
    """What an operator can do about a no."""
    lifted_by: tuple[RuleId, ...] = ()
    """The break-glass without which a mode or a switch would have held the call back."""
    steps: tuple[Said, ...] = ()
    """Switches, mode x tier, rules; no step is taken after a no."""

    @property
    def rules(self) -> tuple[RuleId, ...]:
        """Every rule that decided, break-glass included."""
        return tuple(dict.fromkeys((*rules_of(self.decision), *self.lifted_by)))


def decide(policies: Policies, question: Question) -> Judgement:
    """Judge one call. What is unknown, unclear or in error is a no."""
    slice = policies.slices.get(question.tool)
    if slice is None:
        why = f"no rule knows the tool `{question.tool}`"
        decision = Deny(rules=(), why=why, reason=Reason.TOOL_NOT_ALLOWED)
        return Judgement(decision=decision, slice=SliceHash(""), fix=_declare(question.tool))
    glass = glass_over(question)
    mode = mode_in_force(question)
    steps = [switched(question, glass)]
    if not isinstance(steps[-1].decision, Deny):
        steps.append(tabled(question, mode, policies.consents, asks=slice.asks))
    if not isinstance(steps[-1].decision, Deny):
        steps.append(ruled(slice, question, mode))
    decision = strictest(step.decision for step in steps)
    fix = next((step.fix for step in steps if step.decision is decision), "")
    return _judgement(decision, fix, slice.hash, lifting(question, glass), tuple(steps))


def before_rules(policies: Policies, question: Question) -> Decision:
    """Say what switches and the mode leave of a call. It needs no facts, and no rule can widen it."""
    slice = policies.slices.get(question.tool)
    if slice is None or not slice.permitted:
        return Deny(rules=(), why=f"no rule allows `{question.tool}`", reason=Reason.TOOL_NOT_ALLOWED)
    said = (
        switched(question, glass_over(question)),
        tabled(question, mode_in_force(question), policies.consents, asks=slice.asks),
    )
    return strictest(each.decision for each in said)


def strictest(decisions: Iterable[Decision]) -> Decision:
    """Join what several steps said. The first no stands alone; the rest of one strictness adds up."""
    each = tuple(decisions)
    denied = next((decision for decision in each if isinstance(decision, Deny)), None)
    if denied is not None:
        return denied
    suggested = [decision for decision in each if isinstance(decision, Suggest)]
    if suggested:
        rules = tuple(rule for decision in suggested for rule in decision.rules)
        return Suggest(rules=rules, draft=all(decision.draft for decision in suggested))
    requirements = tuple(
        requirement for decision in each if isinstance(decision, Ask) for requirement in decision.requirements
    )
    if requirements:
        return Ask(requirements=requirements)
    return Allow(rules=tuple(rule for decision in each for rule in rules_of(decision)))


def ruled(slice: Slice, question: Question, mode: Mode) -> Said:
    """Say what the rules of the slice say. What they look at must be known, or nothing is open."""
    if (question.effect, question.tier) != (slice.shape.effect, slice.shape.tier):
        return _internal("the call's effect class or tier is not the tool's", "publish the contract again")
    if not slice.permitted:
        return _not_allowed(slice)
    try:
        request = request_of(question, slice.view, mode)
    except (ValueError, TypeError):
        return _internal("the call cannot be put to the rules", "send the canonical arguments")
    said = _weigh(slice, request)
    return said if isinstance(said.decision, Deny) else _known(slice, question, said)


def _weigh(slice: Slice, request: Request) -> Said:
    found = _evaluated(slice, slice.every, request)
    if found.errors:
        return _failed(slice, found)
    if found.allowed:
        return Said(decision=Allow(rules=found.rules))
    effects = {rule: slice.policies[rule].effect for rule in found.rules}
    if not effects:
        return _not_allowed(slice)
    hard = tuple(rule for rule, effect in effects.items() if effect not in {RuleEffect.ASK, RuleEffect.SUGGEST})
    if hard:
        places = ", ".join(f"`{rule}` ({slice.policies[rule].place})" for rule in hard)
        fix = f"change the call, or the rule at {slice.policies[hard[0]].place}"
        return Said(decision=Deny(rules=hard, why=f"denied by {places}"), fix=fix)
    # A rule that asks never permits: without it, the rest must allow.
    rest = _evaluated(slice, slice.opening, request)
    return _softly(slice, found.rules) if rest.allowed else _not_allowed(slice)


def _softly(slice: Slice, rules: tuple[RuleId, ...]) -> Said:
    """Say what the asking and suggesting rules that matched come to together."""
    each: list[Decision] = []
    for rule in rules:
        policy = slice.policies[rule]
        match policy.effect:
            case RuleEffect.SUGGEST:
                each.append(Suggest(rules=(rule,)))
            case RuleEffect.ASK:
                assert policy.requirement is not None, "who is asked is read with the policy"
                if not policy.requirement.approvers:
                    why = f"rule `{rule}` asks and names nobody who may agree"
                    return Said(decision=Deny(rules=(rule,), why=why), fix=_NOBODY)
                each.append(Ask(requirements=(policy.requirement,)))
            case RuleEffect.PERMIT | RuleEffect.DENY:
                raise AssertionError("only soft rules are weighed here")
            case _:
                assert_never(policy.effect)
    return Said(decision=strictest(each))


def _known(slice: Slice, question: Question, said: Said) -> Said:
    """Refuse while a fact is unknown that any rule of the slice looks at: nobody can say what it would have said."""
    unknown = [name for name in slice.facts if not isinstance(question.facts.get(name), Known)]
    if not unknown:
        return said
    rules = tuple(dict.fromkeys(rule for name in unknown for rule in slice.facts[name]))
    named = ", ".join(f"`{name}`" for name in unknown)
    why = f"nobody could say what {named} is, and {len(rules)} of the rules look at it"
    return Said(decision=Deny(rules=rules, why=why), fix="look at the tool that the fact comes from")


def _evaluated(slice: Slice, policies: PolicySet, request: Request) -> Evaluation:
    return evaluate(policies, slice.schema, slice.base, request)


def _judgement(
    decision: Decision, fix: str, slice: SliceHash, lifted_by: tuple[RuleId, ...], steps: tuple[Said, ...]
) -> Judgement:
    if isinstance(decision, Allow):
        decision = Allow(rules=(*decision.rules, *lifted_by))
    return Judgement(decision=decision, fix=fix, slice=slice, lifted_by=lifted_by, steps=steps)


def _failed(slice: Slice, found: Evaluation) -> Said:
    # What Cedar says of an error may repeat values of the call, so only the rules that it names are told.
    named = [f"`{rule}` ({policy.place})" for rule, policy in slice.policies.items() if _about(rule, found.errors)]
    which = ", ".join(named) or "a rule, or the call itself,"
    return _internal(f"{which} could not be evaluated", "mend the rule, or the value it looks at")


def _about(rule: RuleId, errors: Iterable[str]) -> bool:
    return any(f"`{rule}`" in error for error in errors)


def _internal(why: str, fix: str) -> Said:
    return Said(decision=Deny(rules=(), why=why, reason=Reason.INTERNAL), fix=fix)


def _not_allowed(slice: Slice) -> Said:
    tool = slice.shape.name
    decision = Deny(rules=(), why=f"no rule allows `{tool}`", reason=Reason.TOOL_NOT_ALLOWED)
    here = "change the call, or add a rule that allows it"
    return Said(decision=decision, fix=here if slice.permitted else f"add `{tool}` to `permissions.allowed_tools`")


def _declare(tool: ToolName) -> str:
    return f"declare `{tool}` under `tools` and allow it in `permissions.allowed_tools`"
