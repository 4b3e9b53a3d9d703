"""What an answer means, whatever link it came over."""

import json
from typing import Any

import msgspec
import pytest

from interlock.core.canonical import Unreadable
from interlock.core.effect import EffectClass
from interlock.tool.mcp.reach import Definition, Reach
from interlock.tool.mcp.result import performed

SAY = Definition(reach=Reach(server="shop"), tool="say", pin="")
TEXT = {"type": "text", "text": "a"}
IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
RESOURCE = {"type": "resource", "resource": {"uri": "x:1", "text": "t"}}


def came(text: str) -> Any:
    return performed(msgspec.Raw(text.encode()), SAY, EffectClass.OPAQUE).result


@pytest.mark.parametrize(
    ("result", "becomes"),
    [
        ({"content": [TEXT]}, "a"),
        ({"content": []}, []),
        ({}, []),
        ({"content": [{**TEXT, "annotations": {"priority": 1}}, TEXT]}, [TEXT, TEXT]),
        ({"content": [{**IMAGE, "_meta": {"x": 1}}]}, [IMAGE]),
        ({"content": [LINK]}, [LINK]),
        ({"content": [RESOURCE]}, [RESOURCE]),
        ({"content": [TEXT], "structuredContent": {"a": 0.1}}, {"a": 0.1}),
        ({"structuredContent": [1]}, [1]),
        ({"content": "no list"}, Unreadable()),
        ({"content": [7]}, Unreadable()),
        ({"isError": "yes"}, Unreadable()),
        (None, Unreadable()),
    ],
)
def test_what_comes_back_is_what_the_server_said_or_unreadable(result: Any, becomes: Any) -> None:
    assert came(json.dumps(result)) == becomes


@pytest.mark.parametrize("number", ["49.99", "1e2", "-0.5", "9007199254740991"])
def test_a_number_comes_back_exactly_as_it_was_written(number: str) -> None:
    assert came(f'{{"structuredContent": {{"usd": {number}}}}}') == {"usd": json.loads(number)}


@pytest.mark.parametrize("number", ["0.10000000000000000555", "1e400"])
def test_a_number_that_would_come_back_as_another_one_makes_the_result_unreadable(number: str) -> None:
    assert came(f'{{"structuredContent": {{"usd": {number}}}}}') == Unreadable()


def test_a_result_that_nests_without_end_is_unreadable() -> None:
    assert came('{"structuredContent": ' + "[" * 5_000 + "]" * 5_000 + "}") == Unreadable()
