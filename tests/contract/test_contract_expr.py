from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.contract.expr import (
    AllOf,
    Compare,
    Expr,
    ExpressionInvalid,
    In,
    ListOf,
    Literally,
    Not,
    evaluate,
    judge,
    parse,
    paths,
)
from interlock.contract.path import Path
from interlock.core.canonical import Json
from interlock.core.limits import EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX

SCOPE: dict[str, Json] = {
    "args": {"amount_usd": 49.99, "note": "it's", "tags": ["a", "b"], "n": 3, "big": 2**60, "line": [{"sku": "x"}]},
    "result": {"status": "pending", "ok": True, "amount": 49.99, "nothing": None, "object": {}, "bad": float("nan")},
}

any_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=8,
)
values = st.sampled_from(["args.a", "args.b.c", "result.a[0]", "1", "-2.5", "'x'", '"y"', "true", "[1, 'x', args.a]"])
signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"])
comparisons = st.tuples(values, signs, values).map(" ".join)
words = st.sampled_from(["and", "or"])
expressions: st.SearchStrategy[str] = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, words, inner).map(" ".join).map(lambda text: f"({text})"),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("result.amount == args.amount_usd", True),
        ("result.status in ['pending','succeeded']", True),
        ("result.status in ['failed']", False),
        ("args.amount_usd == 49.99", True),
        ("args.amount_usd <= 49.98999", False),
        ("args.amount_usd > -1", True),
        ("args.big == 1152921504606846976", True),
        ("args.big == 1152921504606846977", False),
        ("args.n == 3.0", True),
        ("args.note == 'it\\'s' and result.ok", True),
        ('args.note == "it\'s"', True),
        ("args.tags == ['a', 'b']", True),
        ("args.tags == ['a']", False),
        ("'a' in args.tags", True),
        ("args.line[0].sku == 'x'", True),
        ("$.args.n == 3", True),
        ("result.ok", True),
        ("not result.ok", False),
        ("true or result.missing == 1", True),
        ("false and result.missing == 1", False),
        ("result.status >= 'a' and result.status < 'q'", True),
        ("args.n == 1 or args.n == 2 or not (args.n == 4)", True),
        ("args.n == 3 or args.n == 3 and false", True),
    ],
)
def test_it_is_true_or_false(text: str, truth: bool) -> None:
    assert judge(parse(text), SCOPE) is truth


@pytest.mark.parametrize(
    "text",
    [
        "result.missing == 1",
        "result.missing != 1",
        "not (result.missing == 1)",
        "not not (result.missing == 1)",
        "result.missing",
        "args.line[1].sku == 'x'",
        "result.nothing == 'x'",
        "result.nothing == result.nothing",
        "result.object == result.object",
        "result.bad == result.bad",
        "args.n == '3'",
        "args.n != '3'",
        "args.n < 'x'",
        "result.ok == 1",
        "result.ok < true",
        "result.status",
        "not result.status",
        "args.n in args.n",
        "args.n in 'a3b'",
        "args.n in ['a']",
        "not (args.n in ['a'])",
        "result.missing == 1 and args.n == 3",
        "result.missing == 1 or args.n == 4",
        "args.amount_usd[0] == 1",
    ],
)
def test_what_is_unknown_is_no_and_so_is_its_opposite(text: str) -> None:
    assert judge(parse(text), SCOPE) is None
    assert evaluate(parse(text), SCOPE) is False
    assert evaluate(Not(parse(text)), SCOPE) is False


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("   ", 4),
        ("args.a ==", 10),
        ("args.a = 1", 8),
        ("args.a == 1 1", 13),
        ("args.a == 1 args.b", 13),
        ("(args.a == 1", 13),
        ("args.a == 1)", 12),
        ("1", 1),
        ("'x' or true", 1),
        ("f(args.a)", 2),
        ("args.a == 5m", 11),
        ("args.a > 2x", 10),
        ("args.a == 'open", 11),
        ("args.a in [1,", 14),
        ("args.a in [1 2]", 14),
        ("args.a in [,]", 12),
        ("1 < args.a < 3", 12),
        ("ticket mentions legal action", 8),
        ("no action uncertain", 4),
        ("args..a == 1", 5),
        ("args[*].a == 1", 6),
        ("args.a == 1e3", 11),
        ("and", 1),
        ("not", 4),
        ("true == ", 9),
        ("\x00", 1),
    ],
)
def test_what_is_no_expression_is_refused_at_its_column(text: str, column: int) -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        parse(text)

    assert refused.value.column == column


def test_an_expression_has_at_most_so_many_characters() -> None:
    with pytest.raises(ExpressionInvalid):
        parse("true or " * EXPRESSION_CHARS_MAX)


@pytest.mark.parametrize("deep", ["not " * 60 + "true", "(" * 60 + "true" + ")" * 60, "[" * 60 + "]" * 60 + " == 1"])
def test_an_expression_has_at_most_so_many_levels(deep: str) -> None:
    assert len(deep) < EXPRESSION_CHARS_MAX
    with pytest.raises(ExpressionInvalid, match=f"{EXPRESSION_DEPTH_MAX} levels"):
        parse(deep)


def test_an_expression_is_a_tree() -> None:
    assert parse("not args.n in [1, 'x'] and result.id != 2.50") == AllOf(
        (
            Not(In(Path(("args", "n")), ListOf((Literally(Decimal(1)), Literally("x"))))),
            Compare(Path(("result", "id")), "!=", Literally(Decimal("2.50"))),
        )
    )


def test_it_names_the_paths_that_it_looks_at() -> None:
    assert [str(path) for path in paths(parse("a.b == 1 or not (c in [d, e[0].f])"))] == ["a.b", "c", "d", "e[0].f"]


@given(expressions, any_json, any_json)
def test_every_expression_has_an_answer_over_any_json(text: str, args: Json, result: Json) -> None:
    expression = parse(text)
    scope: dict[str, Json] = {"args": args, "result": result}
    judged = judge(expression, scope)

    assert judged in {True, False, None}
    assert evaluate(expression, scope) is (judged is True)
    assert judge(Not(Not(expression)), scope) is judged
    assert evaluate(expression, {}) in {True, False}


@given(comparisons)
def test_over_nothing_no_comparison_with_a_path_is_true(text: str) -> None:
    expression = parse(text)
    if paths(expression):
        assert not (evaluate(expression, {}) and evaluate(Not(expression), {}))
        if isinstance(expression, Compare):
            assert not evaluate(expression, {})
            assert not evaluate(Not(expression), {})


@given(st.text(max_size=40) | st.text(alphabet="ab.[]()'\"=<>!, 19andortif$", max_size=40))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        expression: Expr | None = parse(text)
    except ExpressionInvalid as refused:
        assert 1 <= refused.column <= len(text) + 1
        expression = None
    if expression is not None:
        evaluate(expression, SCOPE)


def test_unequal_is_the_opposite_of_equal_whatever_is_compared() -> None:
    both = [
        "args.n",
        "result.status",
        "result.missing",
        "result.ok",
        "args.tags",
        "3",
        "'pending'",
        "true",
        "result.bad",
    ]
    for one, other in product(both, both):
        assert judge(parse(f"{one} != {other}"), SCOPE) is judge(Not(parse(f"{one} == {other}")), SCOPE)


def test_numbers_are_compared_as_they_are_written() -> None:
    assert evaluate(parse("args.x == 0.1"), {"args": {"x": 0.1}})
    assert not evaluate(parse("args.x == 0.3"), {"args": {"x": 0.1 + 0.2}})
    assert not evaluate(parse("args.x == 9007199254740993"), {"args": {"x": 9007199254740992}})
