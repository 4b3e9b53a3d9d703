"""Formats of texts: what is checked is exact, takes no time that an argument could draw out, and can be shown."""

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.contract.arguments import Arguments, Schema, in_words
from interlock.contract.formats import CHECKED, are_named
from interlock.core.outcome import Wrong


def schema(format: str, **more: Any) -> dict[str, Any]:
    return {"properties": {"a": {"type": "string", "format": format, **more}}}


def takes(format: str, text: str, *, formats: bool = True) -> bool:
    read = Schema.compile(schema(format), formats=formats).read(json.dumps({"a": text}))
    return isinstance(read, Arguments)


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("date", ["2026-02-28", "2028-02-29"], ["2026-02-29", "26-02-28", "2026-2-28", "2026-02-28T00:00:00Z", ""]),
        ("date-time", ["2026-02-28T12:00:00Z", "2026-02-28t12:00:00.5+02:00"], ["2026-02-28T12:00:00", "2026-02-28"]),
        ("time", ["12:00:00Z", "12:00:00+02:00"], ["12:00", "25:00:00Z"]),
        ("duration", ["P1DT2H", "P2W"], ["1d", "P"]),
        ("uuid", ["6F1C2B3A-0000-4000-8000-000000000000"], ["6f1c2b3a000040008000000000000000", "x"]),
        ("email", ["a.b+c@d.example", '"a b"@c.example'], ["a", "a@", "a b@c.example", "a@b@c"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0", "256.0.0.1", "010.0.0.1", "10.0.0.1/8"]),
        ("ipv6", ["::1", "fd00::1"], ["1", "::1%eth0", "12345::"]),
        ("uri", ["https://a.example/b?c#d", "urn:a:b"], ["a/b", "https://a b", "//a.example"]),
        ("hostname", ["a.example"], ["-a.example", "a_b", "a..b", "x" * 64]),
    ],
)
def test_a_text_has_the_format_that_its_schema_names(format: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not takes(format, text)] == []
    assert [text for text in bad if takes(format, text)] == []
    assert all(takes(format, text, formats=False) for text in bad), "elsewhere it is a remark"


def test_what_is_wrong_is_said_without_what_stood_there() -> None:
    read = Schema.compile(schema("date"), formats=True).read('{"a":"canary"}')
    assert read == (Wrong(path="$.a", kind="Format"),)
    assert in_words(Wrong(path="$.a", kind="Format")) == "$.a is not of the `format` that the schema names (Format)"
    assert not Schema.of_result(schema("date"), formats=True).fits({"a": "canary"})


@pytest.mark.parametrize("format", ["int32", "password", "byte", "binary", "regex", "iban", "Date"])
def test_a_format_that_is_not_known_here_is_a_remark(format: str) -> None:
    assert takes(format, "(")
    assert not are_named(schema(format))


def test_a_property_of_the_name_format_names_none() -> None:
    assert not are_named({"properties": {"format": {"enum": ["date", "time"]}}})
    assert are_named({"$defs": {"a": {"items": [schema("date")]}}})


@pytest.mark.parametrize("format", CHECKED)
def test_what_shows_a_format_has_it(format: str) -> None:
    pattern, sample = CHECKED[format]
    assert takes(format, sample)
    assert re.fullmatch(pattern, sample)

    @settings(max_examples=30, derandomize=True)
    @given(st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii")))
    def has(text: str) -> None:
        assert takes(format, text)

    has()


@pytest.mark.parametrize("format", [*CHECKED, "regex"])
def test_no_text_draws_a_check_out(format: str) -> None:
    compiled = Schema.compile(schema(format), formats=True)
    texts = [
        part * (100_000 // len(part)) for part in ("a", "(", "1", "a.", "{a}", "((a{9}){9}", ":", "%41", "a@", "/")
    ]
    texts += [f"a@{'b.' * 50_000}c", f"https://{'a' * 100_000}", f"P{'1' * 100_000}D", "(a{1000}){1000}" * 1_000]
    began = time.process_time()
    for text in texts:
        compiled.validator.is_valid({"a": text})
    assert time.process_time() - began < 2
