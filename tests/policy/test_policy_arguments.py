"""What rules can see of arguments, and what stays hidden from them."""

import orjson
import pytest
from inline_snapshot import snapshot
from policy_world import REFUND_ARGS, REFUND_SCHEMA

from interlock.policy.arguments import (
    Attribute,
    Plain,
    Record,
    arguments_of,
    dotted,
    parts_of,
    quantities_of,
    shown,
)


@pytest.mark.parametrize(
    ("schema", "type"),
    [
        ({"type": "string"}, Plain.STRING),
        ({"type": ["string", "null"]}, Plain.STRING),
        ({"enum": ["a", "b"]}, Plain.STRING),
        ({"const": "a"}, Plain.STRING),
        ({"enum": ["a", 1]}, Plain.HIDDEN),
        ({"enum": []}, Plain.HIDDEN),
        ({"type": "boolean"}, Plain.BOOL),
        ({"type": "integer"}, Plain.LONG),
        ({"type": "number"}, Plain.HIDDEN),
        ({"type": ["string", "integer"]}, Plain.HIDDEN),
        ({"type": "array", "items": {"type": "string"}}, Plain.STRINGS),
        ({"type": "array", "items": {"type": ["string", "null"]}}, Plain.HIDDEN),
        ({"type": "array"}, Plain.HIDDEN),
        ({"$ref": "#/$defs/x"}, Plain.HIDDEN),
        ({"anyOf": [{"type": "string"}]}, Plain.HIDDEN),
        ({}, Plain.HIDDEN),
        (True, Plain.HIDDEN),
        ({"type": "object"}, Record(open=True)),
        ({"type": "object", "additionalProperties": False}, Record()),
    ],
)
def test_every_form_of_json_schema_is_a_type_or_hidden(schema: object, type: Plain | Record) -> None:
    record = arguments_of({"type": "object", "properties": {"x": schema}, "required": ["x"]})
    nullable = isinstance(schema, dict) and "null" in str(orjson.dumps(schema))
    required = not nullable or type is Plain.HIDDEN
    assert record.attributes == {"x": Attribute(type=type, required=required)}


def test_arguments_of_a_tool_without_a_schema_are_all_hidden() -> None:
    assert arguments_of(None) == Record(open=True)
    assert shown(Record(open=True), {"a": 1.5}, {}) == {}


def test_a_schema_that_is_deeper_than_rules_look_is_hidden_below() -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"x": schema}}
    found = arguments_of(schema)
    assert found.at(("x",) * 9) is Plain.HIDDEN
    assert found.at(("x",) * 10) is None


@pytest.mark.parametrize("path", ["$.args.order.total", "args.order.total", "order.total", "$.order.total"])
def test_a_path_has_one_form(path: str) -> None:
    assert (parts_of(path), dotted(path)) == (("order", "total"), "order.total")


def test_an_argument_may_be_called_args() -> None:
    assert (parts_of("args"), parts_of("args.args")) == (("args",), ("args",))


def test_quantities_are_read_as_millionths_by_path() -> None:
    args = {"amount_usd": 49.99, "order": {"total_usd": "0.000001", "shop": "s"}, "ratio": 0.5}
    assert quantities_of(REFUND_ARGS, args) == {"amount_usd": 49_990_000, "order.total_usd": 1}


@pytest.mark.parametrize("value", [True, None, [], {}, "much", "", 0.0000001, "NaN", "1e999"])
def test_a_quantity_that_is_no_count_of_millionths_is_not_known(value: object) -> None:
    assert quantities_of(REFUND_ARGS, {"amount_usd": value}) == {}


def test_rules_see_typed_arguments_alone() -> None:
    args = {"customer_id": "C1", "amount_usd": 5, "ratio": 0.5, "channel": None, "order": {"total_usd": 7, "more": 1}}
    quantities = quantities_of(REFUND_ARGS, args)
    assert shown(REFUND_ARGS, args, quantities) == snapshot(
        {"customer_id": "C1", "amount_usd": 5000000, "order": {"total_usd": 7000000}}
    )
    assert "properties" in REFUND_SCHEMA
