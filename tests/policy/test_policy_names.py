"""Names from outside are data: whatever they hold, they end no literal and reach no other tool."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from policy_world import CALLER, NOON, READ, known, loaded, question, rule, shape

from interlock.core.decision import Allow, Deny
from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid
from interlock.core.ids import AgentId, Micros, TenantId, ToolName, WorkflowId
from interlock.core.value import replace
from interlock.policy.arguments import arguments_of
from interlock.policy.cedar import quoted, span_of, span_text
from interlock.policy.decide import decide
from interlock.policy.engine import parsed
from interlock.policy.rule import FactIsNot, OneOf, RuleEffect

HOSTILE = [
    "slack.send_message",
    'x", resource); permit(principal, action, resource); //',
    'a"b',
    "a\\",
    'a\\"',
    "line\nbreak",
    "null\0byte",
    "\u2028",
    "名前",
    'Action::"x"',
    "*",
    "${x}",
    "/* */",
    "a" * 5_000,
    "__entity",
    "is",
    " ",
]
names = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), min_size=1, max_size=20))


def _plain(name: str) -> bool:
    return all(not 0xD800 <= ord(sign) <= 0xDFFF for sign in name)


@settings(deadline=None)
@given(st.text())
def test_a_quoted_text_is_read_back_as_it_was(text: str) -> None:
    policies, templates = parsed(f"@id({quoted(text)}) permit(principal, action == Action::{quoted(text)}, resource);")
    assert not templates
    assert [policy["annotations"]["id"] or "" for policy in policies] == [text]
    assert [policy["action"]["entity"]["id"] for policy in policies] == [text]


@settings(deadline=None)
@given(tool=names, id=names, kind=names, fact=names, value=names)
def test_no_name_reaches_further_than_itself(tool: str, id: str, kind: str, fact: str, value: str) -> None:
    hostile, innocent = replace(READ, name=ToolName(tool), kind=kind), shape("innocent", kind="")
    rules = [
        rule("allow." + id, RuleEffect.PERMIT, tool=tool),
        rule("kind." + id, RuleEffect.DENY, FactIsNot(name=fact, value=value), tool=None, kind=kind),
    ]
    try:
        policies = loaded(*rules, shapes=[hostile, innocent])
    except ContractInvalid:
        assume(not all(_plain(name) for name in (tool, id, kind, fact, value)))
        return
    assert len(policies.policies) == len(rules)
    assert isinstance(decide(policies, question(hostile, facts={fact: known(value)})).decision, Allow)
    assert isinstance(decide(policies, question(hostile, facts={fact: known(value + "!")})).decision, Deny)
    assert isinstance(decide(policies, question(innocent)).decision, Deny)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_argument_of_any_name_is_typed_or_hidden(name: str) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"}}}
    tool = shape(arguments=arguments_of(schema), kind="", effect=EffectClass.READ)
    permit, only = rule("p", RuleEffect.PERMIT), rule("d", RuleEffect.DENY, OneOf(path=name, values=("bad",)))
    if "." in name or name.startswith("__"):
        assert isinstance(decide(loaded(permit, shapes=[tool]), question(tool, named={name: "bad"})).decision, Allow)
        with pytest.raises(ContractInvalid):
            loaded(permit, only, shapes=[tool])
    else:
        policies = loaded(permit, only, shapes=[tool])
        assert isinstance(decide(policies, question(tool, named={name: "bad"})).decision, Deny)
        assert isinstance(decide(policies, question(tool, named={name: "good"})).decision, Allow)


@settings(deadline=None)
@given(agent=names, workflow=names, tenant=names)
def test_a_caller_of_any_name_is_only_itself(agent: str, workflow: str, tenant: str) -> None:
    native = '@id("n") forbid(principal, action, resource) unless { principal in Workflow::"support-refunds" };'
    policies = loaded(rule("p", RuleEffect.PERMIT), native=native)
    caller = replace(CALLER, agent=AgentId(agent), workflow=WorkflowId(workflow), tenant=TenantId(tenant))
    asked = replace(question(), caller=caller)
    assert isinstance(decide(policies, asked).decision, Deny)
    inside = replace(asked, caller=replace(caller, workflow=CALLER.workflow))
    assert isinstance(decide(policies, inside).decision, Allow) is (_plain(agent) and _plain(tenant))


@settings(deadline=None)
@given(st.text())
def test_no_text_is_taken_for_a_span_unless_it_is_one(text: str) -> None:
    span = span_of(text)
    assert span is None or span_of(span_text(span)) == span


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=10**12))
def test_a_span_is_read_back_as_it_was(micros: int) -> None:
    assert span_of(span_text(Micros(micros))) == micros


def test_noon_is_noon() -> None:
    assert NOON % 86_400_000_000 == 12 * 3_600_000_000
