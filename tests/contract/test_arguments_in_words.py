"""What is wrong with arguments is said in words, whatever a schema asks of them."""

import json
from typing import Any

import pytest

from interlock.contract.arguments import Schema, in_words


@pytest.mark.parametrize(
    ("schema", "value", "says"),
    [
        ({"multipleOf": 0.01}, 12.555, "too many decimals (MultipleOf)"),
        ({"const": 1}, 2, "is not the value that the schema names"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 2, "is none of the things"),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, 2, "is none of the things"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 0}]}, 2, "is several of the things"),
        ({"uniqueItems": True}, [1, 1], "has an item twice"),
        ({"minProperties": 1}, {}, "has too few members"),
        ({"maxProperties": 0}, {"b": 1}, "has too many members"),
        ({"unevaluatedProperties": False}, {"b": 1}, "has a name that the schema does not know"),
    ],
)
def test_what_is_wrong_is_said_in_words(schema: dict[str, Any], value: Any, says: str) -> None:
    read = Schema.compile({"type": "object", "properties": {"a": schema}, "additionalProperties": False})
    found = read.read(json.dumps({"a": value}))
    assert isinstance(found, tuple)
    (wrong,) = found
    assert says in in_words(wrong)
