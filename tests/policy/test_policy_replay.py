"""A question is kept as bytes that hold everything the answer depends on."""

import orjson
import pytest
from inline_snapshot import snapshot
from policy_world import CALLER, NOON, PERMIT, known, loaded, question, rule, shape

from interlock.core.charge import Unit
from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.errors import InterlockError
from interlock.core.fact import Unknown
from interlock.core.ids import Instant, PersonId, ToolName
from interlock.core.value import replace
from interlock.policy.decide import decide
from interlock.policy.rule import FactIsNot, RuleEffect
from interlock.policy.vocabulary import Question, question_bytes, question_of


def _full() -> Question:
    scope = Scope(tool=ToolName("create_refund"), effect=EffectClass.IDEMPOTENT_KEY)
    made = question(
        facts={"age": known({"b": 1.5, "a": [None, "é"]}), "flag": Unknown(why="no answer")},
        mode=Mode.ASK,
        switches=(Switch(id="s", kind=SwitchKind.SUGGEST, scope=scope, by=PersonId("eve"), at=NOON, undo_too=True),),
        glass=(BreakGlass(id="g", scope=Scope(), by=PersonId("eve"), at=NOON, until=Instant(NOON + 1)),),
        undo=True,
        named={"ratio": 0.25, "amount_usd": 49.99, "channel": "#é"},
    )
    return replace(made, counters={Unit.TOOL_CALLS: 3, Unit.USD: 10}, corroborated=True)


def test_a_question_is_read_back_as_it_was() -> None:
    assert question_of(question_bytes(_full())) == _full()


def test_a_question_has_one_form_with_sorted_keys_and_without_floats() -> None:
    written = question_bytes(_full())
    assert orjson.dumps(orjson.loads(written), option=orjson.OPT_SORT_KEYS) == written
    assert orjson.loads(written) == snapshot(
        {
            "arguments": '{"amount_usd":49.99,"channel":"#é","customer_id":"C1","ratio":0.25}',
            "by_operator": False,
            "caller": {
                "agent": "refund-bot",
                "environment": "prod",
                "known_by": "",
                "principal": "ann",
                "tenant": "acme",
                "workflow": "support-refunds",
            },
            "corroborated": True,
            "counters": {"tool_calls": 3, "usd": 10},
            "effect": "idempotent_key",
            "glass": [
                {
                    "at": 1767268800000000,
                    "by": "eve",
                    "id": "g",
                    "scope": {"agent": None, "effect": None, "environment": None, "tool": None, "workflow": None},
                    "until": 1767268800000001,
                }
            ],
            "known": {"age": ['{"a":[null,"é"],"b":1.5}', 1767268800000000]},
            "mode": "ask",
            "now": 1767268800000000,
            "quantities": {"amount_usd": "49990000"},
            "started_by_person": False,
            "switches": [
                {
                    "at": 1767268800000000,
                    "by": "eve",
                    "id": "s",
                    "kind": "suggest",
                    "scope": {
                        "agent": None,
                        "effect": "idempotent_key",
                        "environment": None,
                        "tool": "create_refund",
                        "workflow": None,
                    },
                    "undo_too": True,
                }
            ],
            "tainted": False,
            "tier": "green",
            "tool": "create_refund",
            "undo": True,
            "unknown": {"flag": "no answer"},
            "v": 1,
        }
    )


def test_equal_questions_are_equal_bytes_however_they_were_put_together() -> None:
    facts = {"a": known(1), "b": known(2)}
    turned = dict(reversed(facts.items()))
    assert question_bytes(question(facts=facts)) == question_bytes(question(facts=turned))


def test_everything_that_a_question_holds_is_in_its_bytes() -> None:
    base = question()
    others = [
        replace(base, caller=replace(CALLER, environment=CALLER.environment.__class__("staging"))),
        replace(base, tool=ToolName("x")),
        replace(base, effect=EffectClass.READ),
        replace(base, tier=Tier.RED),
        replace(base, arguments=b"{}"),
        replace(base, quantities={}),
        replace(base, facts={"a": known(1)}),
        replace(base, facts={"a": Unknown(why="")}),
        replace(base, now=Instant(1)),
        replace(base, mode=Mode.ASK),
        replace(base, switches=_full().switches),
        replace(base, glass=_full().glass),
        replace(base, counters={Unit.USD: 1}),
        replace(base, tainted=True),
        replace(base, corroborated=True),
        replace(base, undo=True),
        replace(base, by_operator=True),
        replace(base, started_by_person=True),
    ]
    assert len({question_bytes(one) for one in (base, *others)}) == len(others) + 1
    fields = set(Question.__struct_fields__)
    assert all(question_of(question_bytes(one)) == one for one in others)
    assert len(others) == len(fields) + 1, "one for each field, and a second kind of fact"


def test_a_quantity_of_any_size_is_kept() -> None:
    big = replace(question(), quantities={"amount_usd": 10**30})
    assert question_of(question_bytes(big)) == big


@pytest.mark.parametrize("recorded", [b"", b"{}", b"[]", b'{"v":2}', b"\xff"])
def test_bytes_that_are_no_question_are_refused(recorded: bytes) -> None:
    with pytest.raises(InterlockError):
        question_of(recorded)


@pytest.mark.parametrize("broken", [b"\xff", None])
def test_a_question_without_a_form_as_text_is_refused(broken: bytes | None) -> None:
    asked = question(facts={"f": known("\ud800")}) if broken is None else replace(question(), arguments=broken)
    with pytest.raises(InterlockError, match="has no form as text"):
        question_bytes(asked)


def test_a_recorded_question_can_be_put_to_other_policies() -> None:
    recorded = question_bytes(question(facts={"f": known(1)}))
    strict = loaded(PERMIT, rule("f", RuleEffect.DENY, FactIsNot(name="f", value=2)))
    assert decide(loaded(PERMIT), question_of(recorded)) == decide(loaded(PERMIT), question(facts={"f": known(1)}))
    assert decide(strict, question_of(recorded)).rules == ("f",)


def test_a_call_that_was_classed_in_another_way_than_its_tool_is_refused() -> None:
    policies = loaded(PERMIT, shapes=[shape(tier=Tier.YELLOW)])
    judgement = decide(policies, replace(question(), tier=Tier.GREEN))
    assert judgement.steps[-1].fix == "publish the contract again"
    assert judgement.decision == judgement.steps[-1].decision
