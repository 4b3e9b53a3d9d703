import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.contract.path import Absent, Every, Path, lookup, parse, parse_label
from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$.args.customer_id", ("args", "customer_id")),
        ("args.invoice_id", ("args", "invoice_id")),
        ("$.result.lines[12].sku", ("result", "lines", 12, "sku")),
        ("result.content-type", ("result", "content-type")),
        ("a", ("a",)),
    ],
)
def test_a_path_is_its_steps(text: str, steps: tuple[str | int, ...]) -> None:
    assert parse(text) == Path(steps)
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text", ["", "$", "$.", ".a", "a.", "a..b", "a[", "a[-1]", "a[x]", "a[*]", "a b", "a\n", "a[1234567]", "$$.a", "1a"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ContractInvalid):
        parse(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.id", ("id",)),
        ("$.invoices[*].id", ("invoices", Every.EVERY, "id")),
        ("$[*][0].x", (Every.EVERY, 0, "x")),
    ],
)
def test_a_label_may_stand_for_every_item(text: str, steps: tuple[str | int | Every, ...]) -> None:
    assert parse_label(text).steps == steps


@pytest.mark.parametrize("text", ["", "id", "$id", "$.", "$.a[**]", "$.a[*"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ContractInvalid):
        parse_label(text)


def test_a_path_leads_to_a_value_or_to_nothing() -> None:
    value: Json = {"args": {"lines": [{"sku": None}], "n": 0}}

    assert lookup(parse("args.n"), value) == 0
    assert lookup(parse("$.args.lines[0].sku"), value) is None
    assert lookup(parse("args.lines[1]"), value) is Absent.ABSENT
    assert lookup(parse("args.n.m"), value) is Absent.ABSENT
    assert lookup(parse("args.lines.sku"), value) is Absent.ABSENT
    assert lookup(parse("args[0]"), value) is Absent.ABSENT
    assert lookup(parse_label("$.args.lines[*].sku"), value) is Absent.ABSENT
    assert lookup(parse_label("$"), value) == value


@given(st.text(alphabet="ab.$[]*0", max_size=12))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    for read in (parse, parse_label):
        try:
            path = read(text)
        except ContractInvalid:
            continue
        lookup(path, {"a": [{"b": 1}]})
