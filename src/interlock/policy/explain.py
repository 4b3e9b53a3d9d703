"""Why a judgement came out as it did, in lines for operators: which rule, where, what it says, what met it."""

from collections.abc import Iterator
from typing import assert_never, cast

import orjson

from interlock.core.canonical import JsonObject
from interlock.core.decision import Allow, Ask, Decision, Deny, Requirement, Suggest
from interlock.core.ids import RuleId, ToolName
from interlock.core.reason import Reason
from interlock.core.wording import close
from interlock.policy.cedar import span_text
from interlock.policy.decide import Judgement
from interlock.policy.load import Policies, Slice
from interlock.policy.reading import Policy
from interlock.policy.rule import RuleEffect
from interlock.policy.schema import request_of
from interlock.policy.table import mode_in_force
from interlock.policy.vocabulary import Question
from interlock.policy.words import condition_words, value_at

_DOES = {
    RuleEffect.PERMIT: "permits",
    RuleEffect.ASK: "asks",
    RuleEffect.SUGGEST: "only suggests",
    RuleEffect.DENY: "denies",
}


def explain(policies: Policies, question: Question, judgement: Judgement) -> tuple[str, ...]:
    """Return the reasons for a judgement, the outcome first and what to do about it last."""
    lines = [_outcome(question, judgement.decision)]
    for rule in judgement.rules:
        lines += _rule(policies, question, judgement, rule)
    if isinstance(judgement.decision, Deny) and judgement.decision.reason is Reason.TOOL_NOT_ALLOWED:
        lines += _nearest(policies, question)
    if judgement.fix:
        lines.append(f"fix: {judgement.fix}")
    return tuple(lines)


def _outcome(question: Question, decision: Decision) -> str:
    match decision:
        case Allow():
            return f"`{question.tool}` goes on"
        case Ask():
            return f"`{question.tool}` waits for a person"
        case Suggest(draft=True):
            return f"`{question.tool}` is drafted; a person may start it"
        case Suggest():
            return f"`{question.tool}` is shown and not done"
        case Deny():
            return f"`{question.tool}` is refused as `{decision.reason.value}`: {decision.why}"
        case _:
            assert_never(decision)


def _rule(policies: Policies, question: Question, judgement: Judgement, rule: RuleId) -> Iterator[str]:
    policy = policies.policies.get(rule)
    whom = _requirement(judgement.decision, rule)
    if policy is not None:
        yield f"rule `{rule}` at {policy.place} {_DOES[policy.effect]}{whom}"
        yield from _met(policies, policy, question)
        return
    yield _standing(question, rule, whom)


def _standing(question: Question, rule: RuleId, whom: str) -> str:
    """Say what decided that stands in no file: a mode, a tier, a switch, break-glass."""
    kind, _, name = rule.partition(":")
    match kind:
        case "mode":
            return f"mode `{name}` is in force{whom}"
        case "tier":
            return f"tier `{name}` in mode `act`{whom or ' never starts by itself'}"
        case "switch":
            switch = next(switch for switch in question.switches if switch.id == name)
            return f"switch `{name}` ({switch.kind.value}) was thrown by {switch.by} for {switch.scope}"
        case "glass":
            glass = next(glass for glass in question.glass if glass.id == name)
            return f"break-glass `{name}` of {glass.by} lets {glass.scope} act"
        case _:
            return f"rule `{rule}` is in no file of these policies"


def _requirement(decision: Decision, rule: RuleId) -> str:
    if not isinstance(decision, Ask):
        return ""
    return "".join(f", {_whom(one)}" for one in decision.requirements if one.rule == rule)


def _whom(requirement: Requirement) -> str:
    people = "one person" if requirement.quorum == 1 else f"{requirement.quorum} people"
    roles = (" and " if requirement.each else " or ").join(sorted(requirement.approvers))
    proof = ", with step-up" if requirement.step_up else ""
    return f"{people} of {roles} within {span_text(requirement.expires)}{proof}"


def _met(policies: Policies, policy: Policy, question: Question) -> Iterator[str]:
    """Say what a rule looks at and what was there; of an organisation's own policy, its text too."""
    if policy.rule is not None:
        yield f"  {condition_words(policy.rule.when, question)}"
        return
    slice = policies.slices[question.tool]
    request = request_of(question, slice.view, mode_in_force(question))
    context = cast("JsonObject", orjson.loads(request.context))
    values = (value_at(path, context, question) for path in sorted(policy.looks_at) if path)
    yield from (f"  {part}" for part in (policy.note, "; ".join(values)) if part)
    yield from (f"  {line}" for line in policy.text.splitlines())


def _nearest(policies: Policies, question: Question) -> Iterator[str]:
    """Name the permits that came nearest, and what kept each from opening."""
    slice = policies.slices.get(question.tool)
    permits = [] if slice is None else _permits(slice)
    for policy in permits:
        yield f"nearest permit `{policy.id}` at {policy.place} does not hold"
        yield from _met(policies, policy, question)
    allowed = [name for name, other in policies.slices.items() if _permits(other)]
    for name in close(question.tool, allowed, most=1) if not permits else ():
        nearest = _permits(policies.slices[ToolName(name)])[0]
        yield f"nearest permit `{nearest.id}` at {nearest.place} is about `{name}`"


def _permits(slice: Slice) -> list[Policy]:
    return [policy for policy in slice.policies.values() if policy.effect is RuleEffect.PERMIT]
