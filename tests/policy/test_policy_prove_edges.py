"""Corners of a schema in which a proof could leave out a call that the schema lets through."""

import json
from functools import partial
from typing import Any

import pytest
from policy_world import CONSENTS, question, rule

from interlock.contract.arguments import Schema
from interlock.contract.expr import evaluate, parse
from interlock.contract.invariant import Invariant
from interlock.contract.ir import Contract, Tool
from interlock.core.canonical import Json, JsonObject
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import TenantId, ToolName, WorkflowId
from interlock.core.value import replace
from interlock.policy.arguments import arguments_of
from interlock.policy.cases import Case, Verdict, question_for, verdict_of
from interlock.policy.decide import decide
from interlock.policy.load import Policies, load
from interlock.policy.rule import OneOf, Place, Rule, RuleEffect
from interlock.policy.vocabulary import ToolShape
from interlock.prove.prover import Prover, Result
from interlock.prove.solver import solve

pytestmark = pytest.mark.promise("explain")

TOOL = ToolName("pay")
PLACE = Place(file="contract.yaml")


def policies_of(schema: JsonObject, *rules: Rule) -> Policies:
    shape = ToolShape(name=TOOL, effect=EffectClass.OPAQUE, tier=Tier.GREEN, arguments=arguments_of(schema))
    opens = rule("opens", RuleEffect.PERMIT, tool=TOOL)
    return load([opens, *rules], native={}, shapes=[shape], facts={}, consents=CONSENTS)


def found_about(schema: JsonObject, policies: Policies, bad: Verdict, when: str = "", source: str = "") -> Result:
    """Try to prove that in mode `act` it never comes to `bad`."""
    tool = Tool(name=TOOL, source=source, place=PLACE, effect=EffectClass.OPAQUE, tier=Tier.GREEN, schema=dict(schema))
    contract = Contract(workflow=WorkflowId("w"), tenant=TenantId("t"), place=PLACE, tools={TOOL: tool})
    prover = Prover(contract=contract, policies=policies, solve=partial(solve, millis=20_000))
    modes, meant = frozenset({Mode.ACT}), parse(when) if when else None
    return prover.prove(
        Invariant(name="x", says=when, place=PLACE, tool=TOOL, bad=frozenset({bad}), modes=modes, when=meant)
    )


def said_of(policies: Policies, schema: JsonObject, args: Json) -> tuple[Verdict, Json]:
    """Ask the policy, as the gateway would."""
    read = Schema.compile(schema).read(json.dumps(args))
    assert not isinstance(read, tuple), read
    asked = replace(question(policies.slices[TOOL].shape), arguments=read.text)
    return verdict_of(decide(policies, asked).decision), dict(read.values)


def of(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
SHORT: dict[str, Any] = {"items": {"enum": ["x"]}}


@pytest.mark.parametrize(
    ("schema", "args", "when"),
    [
        pytest.param(
            of({"tags": {**TEXTS, "anyOf": [{"items": {"enum": ["a"]}}, {"items": {"enum": ["b"]}}]}}),
            {"tags": ["a"]},
            "'a' in args.tags",
            id="one of several kinds of lists",
        ),
        pytest.param(
            of({"tags": {**TEXTS, "anyOf": [{"$ref": "#/$defs/l"}, {"minItems": 1}]}}, **{"$defs": {"l": SHORT}}),
            {"tags": ["a"]},
            "'a' in args.tags",
            id="a list that need not be the one referred to",
        ),
        pytest.param(
            of({"tags": {**SHORT, "type": "array", "prefixItems": [{"type": "string"}]}}),
            {"tags": ["b"]},
            "'b' in args.tags",
            id="items are those behind the first ones",
        ),
        pytest.param(
            of({"a.b": {"enum": ["x"]}, "a": of({"b": {"type": "string"}}, required=["b"])}, required=["a", "a.b"]),
            {"a": {"b": "y"}, "a.b": "x"},
            "args.a.b == 'y'",
            id="a name with a dot is no path",
        ),
        pytest.param(
            of({"p": {"$ref": "#/$defs/a~1b"}}, **{"$defs": {"a/b": {"type": "string"}, "a~1b": {"enum": ["x"]}}}),
            {"p": "y"},
            "args.p == 'y'",
            id="a reference with an escaped slash",
        ),
        pytest.param(
            of({"p": {"$ref": "#/$defs/a%20b"}}, **{"$defs": {"a b": {"type": "string"}, "a%20b": {"enum": ["x"]}}}),
            {"p": "y"},
            "args.p == 'y'",
            id="a reference with an escaped space",
        ),
        pytest.param(
            of(
                {"p": {"$id": "urn:own", "$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}}},
                **{"$defs": {"x": {"enum": ["x"]}}},
            ),
            {"p": "y"},
            "args.p == 'y'",
            id="a reference in a schema of its own",
        ),
        pytest.param(
            of({"p": {"type": "string", "maxLength": 1}}),
            {"p": "\U00030000"},
            "args.p > '\U0002ffff'",
            id="a text behind all that the solver knows",
        ),
        pytest.param(
            of({"n": {"type": "integer", "minimum": 1e17}}, required=["n"]),
            {"n": 1e17},
            "args.n >= 1",
            id="a whole number beyond 2^53",
        ),
    ],
)
def test_no_call_that_the_schema_lets_through_is_left_out(schema: dict[str, Any], args: Json, when: str) -> None:
    policies = policies_of(schema)
    said, values = said_of(policies, schema, args)
    assert said == "allow" and evaluate(parse(when), {"args": values})
    assert found_about(schema, policies, "allow", when).verdict in ("refuted", "unknown")


def test_a_list_that_may_have_a_text_meets_the_rule_about_it() -> None:
    schema = of(
        {"tags": {**TEXTS, "anyOf": [{"items": {"enum": ["a"]}}, {"items": {"enum": ["b"]}}]}}, required=["tags"]
    )
    policies = policies_of(schema, rule("r", RuleEffect.DENY, OneOf(path="tags", values=("a",)), tool=TOOL))
    assert said_of(policies, schema, {"tags": ["a"]})[0] == "deny"
    assert found_about(schema, policies, "deny").verdict in ("refuted", "unknown")


INNER = {"type": "string", "enum": ["x"], "default": "x"}


@pytest.mark.parametrize(
    ("default", "there"),
    [({}, False), ({"b": "x"}, True), (None, True)],
    ids=["a default without it", "a default with it", "no default"],
)
def test_nothing_is_filled_into_what_is_filled_in_itself(default: Json, there: bool) -> None:
    around = of({"b": INNER}, **({} if default is None else {"default": default}))
    schema = of({"a": around}, required=["a"])
    policies = policies_of(schema, rule("r", RuleEffect.DENY, OneOf(path="a.b", values=("z",)), tool=TOOL))
    args: Json = {"a": {}} if default is None else {}
    assert said_of(policies, schema, args)[0] == ("allow" if there else "deny")
    assert found_about(schema, policies, "deny").verdict == ("proved" if there else "unknown")


@pytest.mark.parametrize("number", [3.0, 1e17, -0.0])
def test_a_case_is_judged_in_the_form_in_which_a_call_is(number: float) -> None:
    schema = of({"n": {"type": "integer"}}, required=["n"])
    policies = policies_of(schema)
    case = Case(name="x", tool=TOOL, args={"n": number}, expect="allow")
    assert verdict_of(decide(policies, question_for(policies, case)).decision) == "allow"
    assert said_of(policies, schema, {"n": number})[0] == "allow"


@pytest.mark.parametrize(("may_be", "verdict"), [(["a", "b"], "refuted"), (["a"], "unknown")])
def test_a_list_that_must_have_something_gets_what_no_rule_looks_at(may_be: list[str], verdict: str) -> None:
    tags = {"type": "array", "items": {"type": "string", "enum": may_be}, "minItems": 1}
    schema = of({"tags": tags}, required=["tags"])
    policies = policies_of(schema, rule("r", RuleEffect.DENY, OneOf(path="tags", values=("a",)), tool=TOOL))
    assert found_about(schema, policies, "allow").verdict == verdict


def asking(*values: str) -> Rule:
    return rule("some", RuleEffect.ASK, OneOf(path="on", values=values), tool=TOOL, approvers=("lead",))


def test_a_call_that_breaks_an_invariant_has_the_formats_that_its_document_names() -> None:
    formats = {"on": "date", "by": "email", "at": "ipv4"}
    schema = of({name: {"type": "string", "format": each} for name, each in formats.items()}, required=[*formats])
    policies = policies_of(schema, asking("2030-01-15", "2030-01-16"))
    cases: list[tuple[Verdict, set[str] | None]] = [("ask", {"2030-01-15", "2030-01-16"}), ("allow", None)]
    for never, days in cases:
        found = found_about(schema, policies, never, "args.by != 'ann@example.com'", "openapi:api.yaml#pay")
        assert found.example is not None, found
        args = dict(found.example.case.args)
        assert not isinstance(Schema.compile(schema, formats=True).read(json.dumps(args)), tuple), args
        assert days is None or args["on"] in days
    proved = found_about(schema, policies, "deny", "", "openapi:api.yaml#pay")
    assert (proved.verdict, proved.arbitrary) == ("proved", ("which texts have the `format` that the schema names",))


def test_what_only_the_format_of_a_text_rules_out_is_not_told_as_a_broken_invariant() -> None:
    schema = of({"on": {"type": "string", "format": "date"}}, required=["on"])
    policies = policies_of(schema, asking("soon"))
    assert found_about(schema, policies, "ask", "", "python:shop:pay").verdict == "refuted"
    found = found_about(schema, policies, "ask", "", "openapi:api.yaml#pay")
    assert found.verdict == "unknown"
    assert "Format at $.on" in found.why
