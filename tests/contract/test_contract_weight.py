"""Schemas of others: what a few lines of them could cost, and what of it is not paid."""

from typing import Any

import pytest

from interlock.contract.arguments import Arguments, Schema
from interlock.core.errors import InterlockError
from interlock.core.outcome import Wrong


def doubling(keyword: str, times: int) -> dict[str, Any]:
    """A schema of a few lines that looks at one place two to the power of `times` times."""
    inner: dict[str, Any] = {"a0": {"type": "string"}}
    for n in range(1, times + 1):
        inner[f"a{n}"] = {keyword: [{"$ref": f"#/$defs/a{n - 1}"}] * 2}
    return {"$defs": inner, "properties": {"a": {"$ref": f"#/$defs/a{times}"}}}


@pytest.mark.parametrize("keyword", ["anyOf", "allOf", "oneOf"])
def test_alternatives_within_alternatives_take_no_time_and_no_memory(keyword: str) -> None:
    assert Schema.compile(doubling(keyword, 40)).read('{"a":1}') == (Wrong(path="$", kind="too_large"),)
    assert not Schema.of_result(doubling(keyword, 40)).fits({"a": "x"})
    assert Schema.compile(doubling(keyword, 12)).read('{"a":1}') == (Wrong(path="$", kind="unfit"),)
    assert isinstance(Schema.compile(doubling("anyOf", 12)).read('{"a":"x"}'), Arguments)


def test_a_schema_that_doubles_with_each_level_is_not_held_against_what_is_deep() -> None:
    inner = {"type": "array", "items": {"$ref": "#/$defs/node"}}
    node = {"anyOf": [inner, {"allOf": [inner]}, {"type": "null"}]}
    schema = Schema.compile({"$defs": {"node": node}, "properties": {"a": {"$ref": "#/$defs/node"}}})
    assert isinstance(schema.read('{"a":[[null],[]]}'), Arguments)
    assert schema.read('{"a":' + "[" * 28 + "7" + "]" * 28 + "}") == (Wrong(path="$", kind="too_large"),)


def test_a_value_that_may_be_anything_to_any_depth_is_no_burden() -> None:
    anything: dict[str, Any] = {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "items": {"$ref": "#/$defs/anything"}},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/anything"}},
        ]
    }
    schema = Schema.compile({"$defs": {"anything": anything}, "properties": {"a": {"$ref": "#/$defs/anything"}}})
    assert max(schema.weight.by_depth) == 5
    deep = '{"b":[' * 14 + "7" + "]}" * 14
    assert isinstance(schema.read('{"a":[' + ",".join([deep] * 200) + "]}"), Arguments)


def test_of_what_is_large_and_wrong_in_many_places_no_list_is_made() -> None:
    item = {"anyOf": [{"type": "string"}] * 20}
    schema = Schema.compile({"properties": {"a": {"type": "array", "items": item}}})
    assert schema.read('{"a":[' + ",".join("1" * 60_000) + "]}") == (Wrong(path="$", kind="unfit"),)
    assert schema.read('{"a":[1,"x",2]}') == (Wrong(path="$.a[0]", kind="AnyOf"), Wrong(path="$.a[2]", kind="AnyOf"))


def test_a_schema_that_refers_to_itself_in_one_place_is_weighed_once() -> None:
    assert Schema.compile({"properties": {"a": {"$ref": "#/properties/a"}}}).weight.by_depth == (1, 1)
    named = {"$defs": {"x": {"$anchor": "here", "type": "string"}}, "properties": {"a": {"$ref": "#here"}}}
    assert Schema.compile(named).weight.by_depth == (1, 2)


def test_what_refers_on_and_on_is_no_schema() -> None:
    chain: dict[str, Any] = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(3_000)}
    with pytest.raises(InterlockError, match="schema"):
        Schema.compile({"$defs": {**chain, "a3000": True}, "properties": {"a": {"$ref": "#/$defs/a0"}}})
