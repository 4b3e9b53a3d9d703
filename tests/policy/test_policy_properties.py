"""What must hold for every set of rules: more rules never open, order never matters, a slice is the whole set."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import LOOKUP, NOON, READ, REFUND, known, loaded, question, rule, shape

from interlock.core.canonical import Json
from interlock.core.decision import Allow, Ask, Decision, Deny, Suggest
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.fact import Fact, Unknown
from interlock.core.ids import Instant, RuleId, ToolName
from interlock.core.value import replace
from interlock.policy import engine
from interlock.policy.arguments import Record, fits, quantities_of
from interlock.policy.decide import decide
from interlock.policy.load import Policies
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
from interlock.policy.schema import View, request_of, schema_of
from interlock.policy.vocabulary import Question, ToolShape, question_bytes, question_of

pytestmark = pytest.mark.slow


CLOSE = ToolName("close_account")
PAY = ToolName("pay_out")
TOOLS = (
    shape(),
    READ,
    shape(CLOSE, EffectClass.OPAQUE, Tier.RED, kind=""),
    shape(PAY, EffectClass.QUERYABLE, Tier.GREEN),
)
STRICTNESS: tuple[type[Decision], ...] = (Allow, Ask, Suggest, Deny)
# A yellow tool asks by itself until a rule of the contract says when: its first such rule is why it is not in here.
# `test_a_yellow_tool_asks_only_where_its_own_rule_asks` has that step.

effects = st.sampled_from(["", '@effect("deny")', '@effect("suggest")', '@effect("ask") @approvers("b")'])
bodies = st.sampled_from(
    [
        'forbid(principal, action in Action::"write", resource) when { context.args has channel };',
        'forbid(principal, action in [Action::"read", Action::"kind:refund"], resource) unless { context.hour > 11 };',
        "forbid(principal is Agent, action, resource) when { context.facts has age && context.facts.age > 1 };",
        'forbid(principal, action == Action::"create_refund", resource) when { context.args.amount_usd > 25000000 };',
        "forbid(principal, action, resource) when { context.args has copies && context.args.copies * 4 > 4 };",
        'forbid(principal in Tenant::"acme", action, resource) unless { context.trust.corroborated };',
        "forbid(principal, action, resource) when { context.facts != context.facts };",
    ]
)


@st.composite
def _natives(draw: st.DrawFn) -> str:
    return f"{draw(effects)} {draw(bodies)}"


@st.composite
def _conditions(draw: st.DrawFn) -> Condition:
    low, high = draw(st.integers(-2, 3)) * 25_000_000, draw(st.integers(-2, 3)) * 25_000_000
    path = draw(st.sampled_from(["amount_usd", "order.total_usd"]))
    each: list[Condition] = [
        Always(),
        AsUndo(),
        Uncorroborated(),
        Above(path=path, micros=low),
        Outside(path=path, low=low, high=high),
        OneOf(path="channel", values=tuple(draw(st.lists(st.sampled_from("abc"))))),
        FactIsNot(name="flag", value=draw(st.booleans())),
        FactIsNot(name="age", value=draw(st.integers(0, 2))),
        Before(instant=Instant(NOON + draw(st.integers(-1, 1)))),
    ]
    return draw(st.sampled_from(each))


@st.composite
def _rules(draw: st.DrawFn, effects: tuple[RuleEffect, ...] = tuple(RuleEffect)) -> Rule:
    """Make a rule about one tool, or about a kind or group, which then looks at no argument."""
    tool = draw(st.sampled_from([REFUND, PAY, None]))
    general: list[Condition] = [Always(), AsUndo(), FactIsNot(name="age", value=1)]
    made = rule(
        f"r{draw(st.integers(0, 10**9))}",
        draw(st.sampled_from(effects)),
        draw(_conditions()) if tool else draw(st.sampled_from(general)),
        tool=tool,
        kind="" if tool else draw(st.sampled_from(["", "refund"])),
        approvers=draw(st.sets(st.sampled_from(["a", "b"]))),
        quorum=draw(st.integers(1, 2)),
    )
    return replace(made, group=draw(st.sampled_from(["any", "read", "write"])))


@st.composite
def _contracts(draw: st.DrawFn) -> list[Rule]:
    """Make a contract. Most permit everything, or nearly all questions would end before a rule was asked."""
    rules = draw(st.lists(_rules(), max_size=5, unique_by=lambda one: one.id))
    return [*rules, EVERYTHING] if draw(st.integers(0, 3)) else rules


EVERYTHING = rule("everything", RuleEffect.PERMIT, tool=None)
organisations = st.lists(_natives(), max_size=3)


@st.composite
def _questions(draw: st.DrawFn) -> Question:
    tool = draw(st.sampled_from(TOOLS))
    args: dict[str, Json] = {
        "amount_usd": draw(st.integers(-1, 3)) * 25,
        "channel": draw(st.sampled_from([None, "a", "b", "d"])),
        "urgent": draw(st.sampled_from([None, True, False])),
        "copies": draw(st.sampled_from([None, 1, 2, 2**62])),
        "order": draw(st.sampled_from([None, {}, {"total_usd": draw(st.integers(-1, 3)) * 25}])),
    }
    facts: dict[str, Fact] = {
        "flag": draw(st.sampled_from([known(True), known(False), known("no"), Unknown(why="down")])),
        "age": draw(st.sampled_from([known(0), known(1), known(2), Unknown(why="down")])),
    }
    return question(
        tool,
        facts={name: fact for name, fact in facts.items() if draw(st.booleans())},
        mode=draw(st.sampled_from([Mode.ACT, Mode.ACT, Mode.ASK, Mode.SUGGEST, Mode.READ_ONLY])),
        tainted=draw(st.booleans()),
        undo=draw(st.booleans()),
        by_operator=draw(st.booleans()),
        started_by_person=draw(st.booleans()),
        named={"customer_id": "C1", **args} if tool.name != LOOKUP else {},
    )


def _policies(rules: list[Rule], texts: list[str], tools: Sequence[ToolShape] = TOOLS) -> Policies:
    native = {text.partition(")")[0]: text for text in texts}
    return loaded(*rules, native=native, shapes=tools, facts={"flag": "bool", "age": "long"})


def _named(texts: list[str]) -> list[str]:
    return [f'@id("n{at}") {text}' for at, text in enumerate(texts)]


def _never_looser(before: Decision, after: Decision) -> bool:
    match before, after:
        case Ask(), Ask():
            return set(before.requirements) <= set(after.requirements)
        case Suggest(), Suggest():
            return before.draft or not after.draft
        case _:
            return STRICTNESS.index(type(after)) >= STRICTNESS.index(type(before))


@settings(max_examples=150, deadline=None)
@given(_contracts(), organisations, _questions(), _rules(effects=tuple(RuleEffect)[1:]))
def test_one_more_rule_that_does_not_permit_never_loosens(
    rules: list[Rule], texts: list[str], asked_for: Question, more: Rule
) -> None:
    more = replace(more, id=RuleId("more"))
    before = decide(_policies(rules, _named(texts)), asked_for).decision
    after = decide(_policies([*rules, more], _named(texts)), asked_for).decision
    assert _never_looser(before, after), (before, after)


@settings(max_examples=150, deadline=None)
@given(_contracts(), organisations, _questions(), _natives())
def test_one_more_policy_of_the_organisation_never_loosens(
    rules: list[Rule], texts: list[str], asked_for: Question, more: str
) -> None:
    for tools in (TOOLS, tuple(replace(tool, tier=Tier.YELLOW) for tool in TOOLS)):
        tier = next(tool.tier for tool in tools if tool.name == asked_for.tool)
        this = replace(asked_for, tier=tier)
        before = decide(_policies(rules, _named(texts), tools), this).decision
        after = decide(_policies(rules, _named([*texts, more]), tools), this).decision
        assert _never_looser(before, after), (before, after)


@settings(max_examples=100, deadline=None)
@given(_contracts(), organisations, _questions(), st.data())
def test_the_order_of_rules_and_policies_never_matters(
    rules: list[Rule], texts: list[str], asked_for: Question, data: st.DataObject
) -> None:
    lines = _named(texts)
    shuffled = _policies(
        data.draw(st.permutations(rules)), data.draw(st.permutations(lines)), data.draw(st.permutations(TOOLS))
    )
    assert decide(shuffled, asked_for) == decide(_policies(rules, lines), asked_for)


@settings(max_examples=150, deadline=None)
@given(_contracts(), organisations, _questions())
def test_a_slice_finds_what_the_whole_set_finds(rules: list[Rule], texts: list[str], asked_for: Question) -> None:
    # A fact of the wrong kind stops the whole set, and stops a slice only where a rule of that slice looks at it.
    facts = {name: fact for name, fact in asked_for.facts.items() if fact != known("no")}
    asked_for = replace(asked_for, facts=facts)
    policies = _policies(rules, _named(texts))
    schema = engine.schema_handle(schema_of(TOOLS, policies.facts))
    whole = engine.policy_set({id: policy.json for id, policy in policies.policies.items()})
    slice = policies.slices[asked_for.tool]
    everything = request_of(
        asked_for, View(shape=slice.shape, declared=slice.shape.arguments, facts=policies.facts), asked_for.mode
    )
    found = engine.evaluate(whole, schema, engine.entities_of(schema), everything)
    enough = request_of(asked_for, slice.view, asked_for.mode)
    cut = engine.evaluate(slice.every, slice.schema, slice.base, enough)
    assert cut == found


SHAPE = shape()
ANYTHING = st.sampled_from([None, True, 1, 1.5, 2**63, -(2**63) - 1, "1", [], ["a"], ["a", 1], {}, {"total_usd": 1}])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*SHAPE.arguments.attributes, "undeclared", "__entity"]), ANYTHING))
def test_arguments_fit_where_cedar_takes_all_of_them(arguments: dict[str, Json]) -> None:
    arguments = {"customer_id": "C1", "amount_usd": 1, **arguments}
    quantities = quantities_of(SHAPE.arguments, arguments)
    asked_for = replace(question(), arguments=json.dumps(arguments).encode(), quantities=quantities)
    policies = _policies([EVERYTHING], [])
    schema = engine.schema_handle(schema_of(TOOLS, policies.facts))
    unchecked = View(shape=SHAPE, declared=Record(open=True), facts=policies.facts)
    try:
        whole = request_of(asked_for, unchecked, asked_for.mode)
    except TypeError:
        return  # it has no form as JSON
    found = engine.evaluate(policies.slices[SHAPE.name].every, schema, engine.entities_of(schema), whole)
    assert fits(SHAPE.arguments, arguments, quantities) == (not found.errors)


@settings(max_examples=100, deadline=None)
@given(_contracts(), organisations, _questions())
def test_a_recorded_question_is_judged_again_in_the_same_way(
    rules: list[Rule], texts: list[str], asked_for: Question
) -> None:
    policies, again = _policies(rules, _named(texts)), _policies(rules, _named(texts))
    recorded = question_bytes(asked_for)
    assert question_of(recorded) == asked_for
    assert decide(again, question_of(recorded)) == decide(policies, asked_for)
