"""The solver against plain counting: what it finds holds, and where it finds nothing there is nothing."""

import json
from fractions import Fraction
from functools import partial
from itertools import product

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, RegexOptions
from prove_world import EXPRESSIONS, TOOL, contracts, questions

from interlock.contract.expr import evaluate
from interlock.contract.expr import parse as parse_expression
from interlock.contract.invariant import EVERY_VERDICT, Invariant
from interlock.contract.ir import Contract, Tool
from interlock.core.canonical import Json
from interlock.core.fact import Known
from interlock.core.ids import TenantId, WorkflowId
from interlock.core.value import replace
from interlock.policy.cases import verdict_of
from interlock.policy.decide import decide
from interlock.policy.rule import Place
from interlock.prove.formula import (
    NO,
    YES,
    Compare,
    Counts,
    Formula,
    Gone,
    Long,
    Matches,
    Value,
    Var,
    compare,
    every,
    holds,
    negated,
    some,
)
from interlock.prove.pattern import matches, parse
from interlock.prove.prover import Prover
from interlock.prove.solver import solve

pytestmark = pytest.mark.slow


X, Y = Var("x", "number"), Var("y", "number")
K, T, F = Var("k", "whole"), Var("t", "text"), Var("f", "flag")
NUMBERS = [Fraction(n, 4) for n in range(-4, 9)]
TEXTS = ["", "a", "b", "ab", "ba", "aab"]
WORLD = every(
    some(*(compare(X, "==", n) for n in NUMBERS)),
    some(*(compare(Y, "==", n) for n in NUMBERS[::3])),
    some(*(compare(K, "==", Fraction(n)) for n in range(4))),
    some(*(compare(T, "==", text) for text in TEXTS)),
)
"""All that the counting below can reach."""

numbers = st.sampled_from([X, Y, K, *NUMBERS[::2]])
operators = st.sampled_from(["==", "<", "<="])
steps = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(3, 4)])
patterns = st.sampled_from([parse(each) for each in ("^a", "b$", "^(a|b){2}$", "^[^a]+$", "^a?b*$", "^\\w{1,2}$")])
leaves = st.one_of(
    st.sampled_from([F, YES, NO]),
    st.builds(compare, numbers, operators, numbers),
    st.builds(Compare, st.sampled_from(["a", "ab"]), operators, st.just(T)),
    st.builds(Counts, st.sampled_from([X, Y]), steps),
    st.builds(Long, st.just(T), st.integers(0, 3)),
    st.builds(Matches, st.just(T), patterns),
)
formulas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(negated, inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: every(*parts)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: some(*parts)),
    ),
    max_leaves=6,
)


def everything() -> list[dict[str, Value]]:
    ways = product(NUMBERS, NUMBERS[::3], range(4), TEXTS, [False, True])
    return [dict(zip(("x", "y", "k", "t", "f"), way, strict=True)) for way in ways]


EVERYTHING = everything()


@settings(max_examples=150, deadline=None)
@given(formulas, st.lists(formulas, max_size=2))
def test_the_solver_finds_what_there_is_and_nothing_else(formula: Formula, wishes: list[Formula]) -> None:
    found = solve([WORLD, formula], wishes, millis=20_000)
    assert not isinstance(found, Gone)
    there = any(holds(formula, said) for said in EVERYTHING)
    assert (found is not None) is there
    if found is not None:
        said = {"f": False, **found}
        assert holds(formula, said) and holds(WORLD, said)


@settings(max_examples=100, deadline=None)
@given(formulas)
def test_what_is_wished_for_is_had_where_it_can_be(wish: Formula) -> None:
    found = solve([WORLD], [wish], millis=20_000)
    assert not isinstance(found, Gone) and found is not None
    assert holds(wish, {"f": False, **found}) is any(holds(wish, said) for said in EVERYTHING)


def test_whole_numbers_in_tiny_steps_are_no_trouble() -> None:
    """A quantity that the schema says is whole is counted in ones and in millionths."""
    many = [Counts(X, Fraction(1)), Counts(X, Fraction(1, 10**6)), Compare(Fraction(20), "<", X)]
    assert solve(many, [Compare(X, "<", Fraction(22))], millis=5_000) == {"x": Fraction(21)}
    assert solve([many[0], negated(many[1])], millis=5_000) is None


def test_a_text_that_the_solver_cannot_write_may_compare_in_either_way() -> None:
    far = "\U0010ffff"
    assert solve([compare(T, "==", far)], millis=5_000) is not None
    assert solve([negated(compare(T, "==", far))], millis=5_000) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "^O-[0-9]+$", "a", "^a|b$", "^(?:ab)*$", "^[^,]{1,3}$", "^\\d{2}\\.\\d$", "^\\w+@\\w+\\.[a-z]{2,5}$", "^a.c$",
        "^[a-c-]+$", "^[\\w-]+$", "^\\D$", "^(a|bc)?$", "^a{2}$", "^a{2,}$", "^[]$",
    ],
)  # fmt: skip
def test_a_pattern_lets_through_what_the_schema_does(pattern: str) -> None:
    read = parse(pattern)
    if read is None:
        assert pattern == "^[]$"
        return
    schema = Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions())
    signs = ["a", "b", "c", "-", ",", "0", "9", "O", ".", "@", "_", "\n", "\r", "\u00e9", "\u0663", ""]
    for text in {"".join(way) for way in product(signs, repeat=4)} | {"O-1001", "ann@example.com", "ab" * 40}:
        assert matches(read, text) or not schema.is_valid(text), text


@pytest.mark.parametrize(
    "pattern", ["(", "a)", "[z-a]", "\\b", "a??", "(?=a)", "a^", "$a", "a{3,2}", "[[:alpha:]]", "é"]
)
def test_a_pattern_that_is_not_known_is_none(pattern: str) -> None:
    assert parse(pattern) is None


@pytest.mark.promise("explain")
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_found_about_a_contract_is_never_contradicted_by_its_policy(data: st.DataObject) -> None:
    policies, schema = data.draw(contracts())
    shape, place = policies.slices[TOOL].shape, Place(file="contract.yaml")
    tool = Tool(name=TOOL, source="", place=place, effect=shape.effect, tier=shape.tier, schema=schema)
    contract = Contract(workflow=WorkflowId("w"), tenant=TenantId("t"), place=place, tools={TOOL: tool})
    prover = Prover(contract=contract, policies=policies, solve=partial(solve, millis=2_000))
    text = data.draw(EXPRESSIONS)
    bad = data.draw(st.frozensets(st.sampled_from(sorted(EVERY_VERDICT)), min_size=1, max_size=4))
    found = prover.prove(Invariant(name="x", says=text, place=place, tool=None, bad=bad, when=parse_expression(text)))
    event(found.verdict)
    assert found.verdict != "encoding_error", found
    if found.verdict == "proved":
        for asked in data.draw(st.lists(questions(policies, schema), min_size=5, max_size=5)):
            agents = replace(asked, undo=False, by_operator=False, started_by_person=False)
            facts: Json = {
                name: fact.value
                for name, fact in agents.facts.items()
                if name in policies.slices[TOOL].facts and isinstance(fact, Known)
            }
            meant = evaluate(parse_expression(text), {"args": json.loads(agents.arguments), "facts": facts})
            assert not (meant and verdict_of(decide(policies, agents).decision) in bad), agents
