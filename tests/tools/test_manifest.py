"""What publishing finds out about a function, and whether a schema in a contract is the narrower one."""

import sys
from pathlib import Path
from typing import Any

import pytest

from interlock.contract.narrow import wider
from interlock.core.errors import ContractInvalid
from tools.functions import manifest_of


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "python:no_such_module:f",
            "`python:no_such_module:f` cannot be imported (there is no module `no_such_module`)",
        ),
        ("python:tools.sample_tools:gone", "`python:tools.sample_tools:gone` cannot be imported (AttributeError)"),
        ("python:tools.sample_tools", "`python:tools.sample_tools` cannot be imported (AttributeError)"),
        ("python:tools.sample_tools:CALLS", "`python:tools.sample_tools:CALLS` is not a function"),
        ("python:tools.sample_tools:untyped", "parameter `what` of `untyped` has no name or no type"),
        ("python:tools.sample_tools:odd", "a parameter of `python:tools.sample_tools:odd` is of no JSON type"),
    ],
)
def test_what_cannot_be_a_tool_says_why(source: str, says: str) -> None:
    with pytest.raises(ContractInvalid) as error:
        manifest_of(source)
    assert str(error.value) == says
    assert error.value.fix


def test_of_a_module_that_lacks_another_one_it_is_said_which_and_where_each_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacks_another.py").write_text("import no_such_module_either", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ContractInvalid, match="there is no module `no_such_module_either`") as error:
        manifest_of("python:lacks_another:f")
    assert error.value.fix == "install what the module needs beside Interlock"
    with pytest.raises(ContractInvalid) as error:
        manifest_of("python:no_such_module.part:f")
    assert "in the folder of the module" in error.value.fix


def test_the_schema_of_a_function_is_what_its_types_say() -> None:
    manifest = manifest_of("python:tools.sample_tools:sell")
    assert manifest.description == "Sell something."
    line: dict[str, Any] = {
        "title": "Line",
        "type": "object",
        "properties": {"sku": {"type": "string"}, "price": {"type": "number"}},
        "required": ["sku", "price"],
    }
    lines = {"type": "array", "items": {"$ref": "#/$defs/Line"}}
    assert manifest.schema == {
        "title": "sell",
        "type": "object",
        "properties": {
            "customer": {"type": "string"},
            "lines": lines,
            "at": {"type": "string"},
            "discount": {"type": "number", "default": 0.1},
        },
        "required": ["customer", "lines", "at"],
        "additionalProperties": False,
        "$defs": {"Line": {**line, "additionalProperties": False}},
    }
    assert manifest.result_schema == {
        "title": "Receipt",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "total": {"type": "number"},
            "at": {"type": "string"},
            "lines": lines,
        },
        "required": ["id", "total", "at", "lines"],
        "$defs": {"Line": line},
    }


def test_the_pin_is_of_what_a_function_takes_returns_and_says_of_itself() -> None:
    sell, again = (manifest_of("python:tools.sample_tools:sell") for _ in range(2))
    assert sell.pin == again.pin
    assert sell.pin != manifest_of("python:tools.sample_tools:refund").pin


NUMBER = {"type": "number"}
TEXT = {"type": "string"}


def an_object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


@pytest.mark.parametrize(
    ("inner", "outer", "where"),
    [
        # what a contract says                     what the function takes             what is more
        (an_object(a=TEXT),                         an_object(a=TEXT),                  None),
        (an_object(a={"type": "integer"}),          an_object(a=NUMBER),                None),
        (an_object(a=NUMBER),                       an_object(a={"type": "integer"}),   "$.a"),
        (an_object(a={**TEXT, "maxLength": 3}),     an_object(a=TEXT),                  None),
        (an_object(a=TEXT),                         an_object(a={**TEXT, "maxLength": 3}), "$.a"),
        (an_object(a={**TEXT, "maxLength": 4}),     an_object(a={**TEXT, "maxLength": 3}), "$.a"),
        (an_object(a={**NUMBER, "minimum": 1}),     an_object(a={**NUMBER, "minimum": 0}), None),
        (an_object(a={**TEXT, "pattern": "^a"}),    an_object(a={**TEXT, "pattern": "^b"}), "$.a"),
        (an_object(a={"enum": ["x"]}),              an_object(a={"enum": ["x", "y"]}),  None),
        (an_object(a={"enum": ["x", "z"]}),         an_object(a={"enum": ["x", "y"]}),  "$.a"),
        (an_object(a={"const": "x"}),               an_object(a=TEXT),                  None),
        (an_object(a={"enum": ["x", 1]}),           an_object(a=TEXT),                  "$.a"),
        (an_object(a=TEXT, b=TEXT),                 an_object(a=TEXT),                  "$.b"),
        (an_object(a=TEXT),                         an_object(("a",), a=TEXT),          "$.a"),
        (an_object(a={**TEXT, "default": "x"}),     an_object(("a",), a=TEXT),          None),
        (an_object(("a",), a=TEXT),                 an_object(a=TEXT, b=TEXT),          None),
        (an_object(a={}),                           an_object(a=TEXT),                  "$.a"),
        (an_object(a=TEXT),                         an_object(a={}),                    None),
        (an_object(a=TEXT),                         an_object(a={"anyOf": [TEXT, {"type": "null"}]}), None),
        (an_object(a={"anyOf": [TEXT, NUMBER]}),    an_object(a={"anyOf": [TEXT, {"type": "null"}]}), "$.a"),
        (an_object(a={"type": ["string", "null"]}), an_object(a=TEXT),                  "$.a"),
        (an_object(a={"type": "array"}),            an_object(a={"type": "array", "items": TEXT}), "$.a[*]"),
        ({**an_object(a=TEXT), "additionalProperties": True}, an_object(a=TEXT),        "$.*"),
        ({"properties": {"a": TEXT}},               an_object(a=TEXT),                  None),
        (an_object(a={"type": "object", "properties": {"b": TEXT}}), an_object(a=an_object(b=TEXT)), "$.a.*"),
        (
            {**an_object(a={"$ref": "#/$defs/P"}), "$defs": {"P": an_object(b=TEXT)}},
            {**an_object(a={"$ref": "#/$defs/Q"}), "$defs": {"Q": an_object(b=TEXT)}},
            None,
        ),
        (
            {**an_object(a={"$ref": "#/$defs/P"}), "$defs": {"P": an_object(b={"$ref": "#/$defs/P"})}},
            {**an_object(a={"$ref": "#/$defs/Q"}), "$defs": {"Q": an_object(b=an_object())}},
            "$.a.b.b",
        ),
    ],
)  # fmt: skip
def test_a_schema_in_the_contract_accepts_no_more_than_the_function(inner: Any, outer: Any, where: str | None) -> None:
    assert wider(inner, outer) == where


def test_every_schema_of_a_function_accepts_no_more_than_itself() -> None:
    for name in ("sell", "hang", "strange", "refund", "keyed"):
        schema = manifest_of(f"python:tools.sample_tools:{name}").schema
        assert wider(schema, schema) is None
