"""A recorded question, put to another contract as the spine would: steps 1, 2 and 5, with what was looked up then."""

from interlock.contract.arguments import Arguments
from interlock.core.decision import Deny
from interlock.core.ids import ActionId, Instant, PersonId, SliceHash
from interlock.core.outcome import Refused
from interlock.core.value import replace
from interlock.gateway.asked import identify, validate
from interlock.gateway.force import Force
from interlock.gateway.proposal import Fresh, Proposal, Proposed
from interlock.policy.arguments import quantities_of
from interlock.policy.decide import Judgement, decide
from interlock.policy.vocabulary import Question

_DRAWN = Fresh.draw(Instant(0))
_SOMEBODY = PersonId("somebody")


def judged_by(force: Force, question: Question, *, then: Force | None = None) -> tuple[Judgement, Question]:
    """Return what a contract says of a recorded call, and the question as that contract would have asked it.

    Args:
        force: the contract.
        question: as recorded; who called, the facts, the mode, switches and the time count as they were then.
        then: the contract that judged it, if it is known: a tool of which both say the same takes the same arguments.
    """
    proposal = Proposal(
        tool=question.tool,
        arguments=question.arguments,
        by=_SOMEBODY if question.by_operator else None,
        undo_of=ActionId("another") if question.undo else None,
    )
    proposed = Proposed(caller=question.caller, proposal=proposal, drawn=_DRAWN)
    tool = identify(proposed, force)
    if isinstance(tool, Refused):
        return _refused(tool), question
    if then is not None and then.terms.get(tool.name) == force.terms[tool.name]:
        return decide(force.policies, question), question
    arguments = validate(proposed, tool, force)
    if not isinstance(arguments, Arguments):
        return _refused(arguments), question
    slice = force.policies.slices[tool.name]
    again = replace(
        question,
        effect=tool.effect,
        tier=tool.tier,
        arguments=arguments.text,
        quantities=quantities_of(slice.shape.arguments, arguments.values),
    )
    return decide(force.policies, again), again


def _refused(refused: Refused) -> Judgement:
    decision = Deny(rules=(), why=refused.why, reason=refused.reason)
    return Judgement(decision=decision, slice=SliceHash(""), fix=refused.fix)
