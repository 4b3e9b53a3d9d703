"""Step 5: put the one question to policy, outside any transaction, and keep all that the answer stands on."""

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from interlock.core.decision import Decision
from interlock.core.fact import Fact
from interlock.core.ids import Binding, Instant, RuleId, SliceHash
from interlock.core.value import replace
from interlock.gateway.asked import Asked, commitment
from interlock.gateway.claims import FOREVER
from interlock.policy.arguments import quantities_of
from interlock.policy.decide import before_rules, decide
from interlock.policy.table import glass_over
from interlock.policy.vocabulary import Question, question_bytes
from interlock.ports import Payload, Rows, Secrets


class Judged(Struct, frozen=True, kw_only=True):
    """What policy said, and all that it stands on."""

    decision: Decision
    rules: tuple[RuleId, ...]
    fix: str
    slice: SliceHash
    bound: Binding
    """The slice and the tool: a yes opens nothing once either is another one."""
    epoch: int
    question: Payload
    """Everything that policy was asked with, encrypted, so that the decision can be replayed."""
    commitment: str
    unasked: bool = False
    """Whether nothing was looked up, because something else than policy would refuse it anyway."""
    good_until: Instant = FOREVER
    """When a right that it stands on ends."""
    seen: str = ""
    """The hash of what a person would be shown: arguments, facts, preview. Only where a person may be asked."""


def judge(asked: Asked, rows: Rows, question: Question, facts: Mapping[str, Fact], secrets: Secrets) -> Judged:
    """(5) Decide, at the epoch of `rows`, which `question` was put together from."""
    question = replace(question, facts=facts)
    judgement = decide(asked.force.policies, question)
    text = question_bytes(question)
    return Judged(
        decision=judgement.decision,
        rules=judgement.rules,
        fix=judgement.fix,
        slice=judgement.slice,
        bound=binding(judgement.slice, asked.force.terms[asked.tool.name]),
        epoch=rows.door.epoch,
        question=asked.sealed(secrets, asked.drawn.question, text),
        commitment=commitment(asked.salt, text),
        good_until=min((glass.until for glass in glass_over(question)), default=FOREVER),
    )


def left_open(asked: Asked, question: Question) -> Decision:
    """Say what switches and the mode leave of a call, whatever the facts are and the rules say."""
    return before_rules(asked.force.policies, question)


def binding(slice: SliceHash, tool: str) -> Binding:
    """Name the policies and the tool, price and pin included, that a person's yes is bound to."""
    return Binding(sha256(f"{slice}/{tool}".encode()).hexdigest())


def question_of(asked: Asked, rows: Rows) -> Question:
    """Put together everything that the decision depends on, apart from the policies and the facts."""
    slice = asked.force.policies.slices.get(asked.action.tool)
    quantities = quantities_of(slice.shape.arguments, asked.arguments.values) if slice else {}
    return Question(
        caller=asked.action.caller,
        tool=asked.action.tool,
        effect=asked.tool.effect,
        tier=asked.tool.tier,
        arguments=asked.arguments.text,
        quantities=quantities,
        now=rows.now,
        mode=asked.force.mode,
        switches=rows.door.switches,
        glass=rows.door.glass,
        undo=asked.action.undo_of is not None,
        by_operator=asked.action.by is not None,
        started_by_person=asked.action.draft_of is not None,
    )
