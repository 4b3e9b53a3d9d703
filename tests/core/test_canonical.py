"""One value has one form as bytes, whichever writer is quick enough to be asked."""

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.core.canonical import canonical
from interlock.core.errors import InterlockError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
NAMES = st.text(st.characters(max_codepoint=127)) | st.text(st.characters())


def containers(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(parts) | st.lists(parts).map(tuple) | st.dictionaries(NAMES, parts)


def of_the_reference(value: Any) -> bytes | None:
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        return None


@given(st.recursive(SCALARS, containers, max_leaves=20))
@example({"\ue000": 1, "\U0001f600": 2})
@example({"b": [2**53 - 1, -(2**53) + 1], "a": '\x7f\u2028\u2029\\"\b\f\n\r\t\x1f</script>'})
@example([2**53])
@example({"a": 1e21, "b": 0.1, "c": -0.0})
@example({"a": "\ud800"})
@example({"\ud800": 1})
def test_the_canonical_form_is_that_of_the_reference_or_both_have_none(value: Any) -> None:
    expected = of_the_reference(value)
    if expected is None:
        with pytest.raises(InterlockError):
            canonical(value)
    else:
        assert canonical(value) == expected


@pytest.mark.parametrize("depth", [64, 65, 200, 300])
def test_what_is_deep_has_the_same_form(depth: int) -> None:
    value: Any = {"b": 1, "a": "\x01"}
    for _ in range(depth):
        value = [value, {"z": None}]
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [object(), b"bytes", {1: 2}, {"a": {1, 2}}])
def test_what_is_not_json_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(InterlockError):
        canonical(value)
