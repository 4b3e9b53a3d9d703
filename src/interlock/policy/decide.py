"""Decide: rules and what is asked in, a decision out."""

from collections.abc import Sequence

from interlock.core.decision import Allow, Ask, Decision, Deny, Requirement
from interlock.core.effect import EffectClass
from interlock.core.ids import RuleId, ToolName
from interlock.core.reason import Reason
from interlock.policy.rule import Rule, RuleEffect


def decide(rules: Sequence[Rule], tool: ToolName, effect: EffectClass) -> Decision:
    """The strictest matching rule wins; without a permit the answer is no."""
    group = "read" if effect is EffectClass.READ else "write"
    matching = [r for r in rules if r.tool == tool or (r.tool is None and r.group in ("any", group))]
    denying = tuple(r.id for r in matching if r.effect is RuleEffect.DENY)
    if denying:
        return Deny(rules=denying, why=f"rule `{denying[0]}` forbids `{tool}`")
    permits = tuple(r.id for r in matching if r.effect is RuleEffect.PERMIT)
    if not permits:
        return Deny(rules=(RuleId("default"),), why=f"no rule allows `{tool}`", reason=Reason.TOOL_NOT_ALLOWED)
    asking = [r for r in matching if r.effect is RuleEffect.ASK]
    if asking:
        return Ask(requirements=tuple(Requirement(rule=r.id, approvers=r.approvers, quorum=r.quorum) for r in asking))
    return Allow(rules=permits)
