"""The test that can find a lie: what a proof takes for the decision is the decision, call for call."""

import json
from itertools import product

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from policy_world import CONSENTS, known, question, rule
from prove_world import AMOUNTS, EXPRESSIONS, TOOL, contracts, questions

from interlock.contract.expr import judge, parse
from interlock.core.canonical import Json, JsonObject
from interlock.core.decision import Requirement
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.fact import Fact, Known, Unknown
from interlock.policy.arguments import arguments_of
from interlock.policy.cases import verdict_of
from interlock.policy.decide import decide
from interlock.policy.load import Policies, load
from interlock.policy.rule import Above, FactIsNot, Outside, RuleEffect
from interlock.policy.vocabulary import Question, ToolShape
from interlock.prove.call import Call, call_of
from interlock.prove.decided import decided
from interlock.prove.formula import Formula, Value, holds
from interlock.prove.when import said

pytestmark = pytest.mark.slow


QUESTIONS = 8  # put to each contract: making one takes ten times as long


def every_way(call: Call, values: dict[str, Value], *formulas: Formula) -> list[tuple[bool, ...]]:
    """Say what formulas come to under each way in which what is open could be."""
    open = [each.name for each in call.open]
    ways = product([False, True], repeat=len(open))
    return [tuple(holds(each, {**values, **dict(zip(open, way, strict=True))}) for each in formulas) for way in ways]


@pytest.mark.promise("explain")
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_proof_and_policy_decide_alike(data: st.DataObject) -> None:
    policies, schema = data.draw(contracts())
    call = call_of(policies, TOOL, schema)
    verdicts = decided(call, policies.consents).verdicts
    possible = call.possible()
    for asked in data.draw(st.lists(questions(policies, schema), min_size=QUESTIONS, max_size=QUESTIONS)):
        real = verdict_of(decide(policies, asked).decision)
        event(real)
        ways = every_way(call, call.said(asked, json.loads(asked.arguments)), possible, *verdicts.values())
        assert all(sum(way[1:]) == 1 for way in ways), "one verdict, always"
        at = 1 + list(verdicts).index(real)
        assert any(way[0] and way[at] for way in ways), (real, ways)
        assert call.open or all(way[at] for way in ways), "what is left open is all that may differ"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_the_organisation_says_is_left_open_and_never_left_out(data: st.DataObject) -> None:
    policies, schema = data.draw(contracts(native=True))
    call = call_of(policies, TOOL, schema)
    verdicts = decided(call, policies.consents).verdicts
    possible = call.possible()
    for asked in data.draw(st.lists(questions(policies, schema), min_size=QUESTIONS, max_size=QUESTIONS)):
        real = verdict_of(decide(policies, asked).decision)
        ways = every_way(call, call.said(asked, json.loads(asked.arguments)), possible, *verdicts.values())
        assert any(way[0] and way[1 + list(verdicts).index(real)] for way in ways), (real, ways)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_expression_means_the_same_in_a_proof(data: st.DataObject) -> None:
    policies, schema = data.draw(contracts())
    for asked in data.draw(st.lists(questions(policies, schema), min_size=QUESTIONS, max_size=QUESTIONS)):
        call = call_of(policies, TOOL, schema)
        expression = parse(data.draw(EXPRESSIONS))
        meant = said(call, expression)
        possible = call.possible()
        args: Json = json.loads(asked.arguments)
        # A fact that no rule looks at is not looked up.
        looked_up = {name: fact for name, fact in asked.facts.items() if name in call.facts}
        facts: Json = {name: fact.value for name, fact in looked_up.items() if isinstance(fact, Known)}
        real = judge(expression, {"args": args, "facts": facts})
        event(str(real))
        ways = every_way(call, call.said(asked, args), possible, meant.true, meant.false)
        assert (True, real is True, real is False) in ways, (real, ways)
        assert not any(true and false for _, true, false in ways)


@pytest.mark.parametrize("consents", [CONSENTS, {}], ids=["somebody may agree", "nobody may"])
@pytest.mark.parametrize("effect", [EffectClass.READ, EffectClass.OPAQUE])
@pytest.mark.parametrize("tier", Tier)
def test_every_cell_of_the_table_is_in_the_proof(
    tier: Tier, effect: EffectClass, consents: dict[Tier, Requirement]
) -> None:
    tool = ToolShape(name=TOOL, effect=effect, tier=tier, arguments=arguments_of(PAY, ["usd"]))
    opens, over = rule("opens", RuleEffect.PERMIT, tool=TOOL), Above(path="usd", micros=50_000_000)
    closing = [RuleEffect.ASK, RuleEffect.SUGGEST, RuleEffect.DENY]
    said_more = [rule(effect.value, effect, over, tool=TOOL) for effect in closing]
    for rules in ([opens], *([opens, more] for more in said_more), [opens, *said_more[:2]], said_more):
        policies = load(rules, native={}, shapes=[tool], facts={}, consents=consents)
        for mode, usd, (undo, operator, person) in product(Mode, (50, 51), product([False, True], repeat=3)):
            asked = question(tool, usd=usd, mode=mode, undo=undo, by_operator=operator, started_by_person=person)
            _decides_alike(policies, PAY, asked)


PAY: JsonObject = {"type": "object", "properties": {"usd": {"type": "number"}}, "required": ["usd"]}


@pytest.mark.parametrize("effect", RuleEffect)
@pytest.mark.parametrize("value", [None, True, False, 0, 1, 2**53 - 1, "", "no"])
def test_every_kind_of_fact_is_in_the_proof(effect: RuleEffect, value: Json) -> None:
    for fact in (True, False, 1, "no"):
        looks = rule("looks", effect, FactIsNot(name="fact", value=fact), tool=TOOL)
        policies = load(
            [looks, rule("opens", RuleEffect.PERMIT, tool=TOOL)],
            native={},
            shapes=[ToolShape(name=TOOL, effect=EffectClass.OPAQUE, tier=Tier.GREEN, arguments=arguments_of(PAY))],
            facts={},
            consents=CONSENTS,
        )
        facts: dict[str, Fact] = {"fact": Unknown(why="down") if value is None else known(value)}
        _decides_alike(policies, PAY, question(policies.slices[TOOL].shape, facts=facts, usd=1))


@pytest.mark.parametrize("effect", RuleEffect)
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("when", [Above(path="usd", micros=50_000_000), Outside(path="usd", low=0, high=50_000_000)])
def test_every_edge_of_an_amount_is_in_the_proof(effect: RuleEffect, required: bool, when: Above | Outside) -> None:
    schema: JsonObject = {**PAY, "required": ["usd"] if required else []}
    tool = ToolShape(name=TOOL, effect=EffectClass.OPAQUE, tier=Tier.GREEN, arguments=arguments_of(schema, ["usd"]))
    rules = [rule("looks", effect, when, tool=TOOL), rule("opens", RuleEffect.PERMIT, tool=TOOL)]
    policies = load(rules, native={}, shapes=[tool], facts={}, consents=CONSENTS)
    for usd in AMOUNTS:
        _decides_alike(policies, schema, question(tool, usd=usd))
    if not required:
        _decides_alike(policies, schema, question(tool))


def _decides_alike(policies: Policies, schema: JsonObject, asked: Question) -> None:
    call = call_of(policies, TOOL, schema)
    verdicts = decided(call, policies.consents).verdicts
    values = call.said(asked, json.loads(asked.arguments))
    found = [verdict for verdict, formula in verdicts.items() if holds(formula, values)]
    assert holds(call.possible(), values)
    assert found == [verdict_of(decide(policies, asked).decision)], asked
