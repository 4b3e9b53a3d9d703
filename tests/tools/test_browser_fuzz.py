"""Files of page actions that somebody got wrong in any way: always an error with a fix, never another one."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.errors import ContractInvalid
from tools.pages import REFUND, described

pytestmark = pytest.mark.slow
LOG_IN = {
    "open": "/login",
    "user": {"label": "User", "is": "r"},
    "password": "P",
    "submit": "In",
    "then": {"url": "/*"},
}
WHOLE: dict[str, Any] = yaml.safe_load(REFUND)
WHOLE["refund"] |= {"leave": ["Key"], "lost": ["/lost/*"], "may_post": ["/track"], "log_in": LOG_IN}
WORDS = [
    *("/*", "*", "/", "{order}", "{", "}", "{}", "/{order}", "https://", "https://a", "https://a/*", "//a", "/../x"),
    *("https://a:99999/", "https://ä.example/", "/a b", "/%zz", "https://{order}.example/", "http://[::1/x", "x" * 600),
    *("[", "(?", "(a|b", "file", "radio", "select", "number", "integer", "boolean", "\0", "\ud7ff", "\u202e", "", " "),
    *("1e400", "0x10", "yes"),
]
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()
)
ANYTHING = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(SCALARS, each, max_size=3), max_leaves=6
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every way into a value, from its top."""
    yield at
    inner: dict[Any, Any] = dict(cast("dict[Any, Any]", value)) if isinstance(value, dict) else {}
    inner |= dict(enumerate(cast("list[Any]", value))) if isinstance(value, list) else {}
    for key, each in inner.items():
        yield from places(each, (*at, key))


PLACES = list(places(WHOLE))[1:]


@st.composite
def changed(draw: st.DrawFn) -> str:
    """The file with some of its values, keys or parts replaced, removed or added."""
    whole = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(PLACES))
        inner: Any = whole
        try:
            for key in way:
                inner = inner[key]
            match draw(st.sampled_from(["replace", "remove", "rename", "add"])):
                case "replace":
                    inner[last] = draw(ANYTHING)
                case "remove":
                    del inner[last]
                case "rename":
                    inner[draw(SCALARS)] = inner.pop(last)
                case _:
                    inner[draw(SCALARS)] = draw(ANYTHING)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change took that place away
    return yaml.safe_dump(whole, allow_unicode=True)


def refused_or_taken(text: str, folder: Path) -> None:
    for host in ("https://shop.example", ""):
        try:
            described(folder, text, ", secret: s", host=host)
        except ContractInvalid as error:
            assert error.fix, str(error)
            assert "shop.yaml" in str(error), str(error)


@settings(max_examples=400)
@given(changed())
def test_a_file_that_was_changed_anywhere_is_taken_or_refused_with_a_fix(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        refused_or_taken(text, Path(folder))


@settings(max_examples=200)
@given(st.integers(0, len(REFUND)), st.integers(0, 30), st.text(max_size=5))
def test_a_file_that_was_cut_anywhere_is_taken_or_refused_with_a_fix(at: int, gone: int, new: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        refused_or_taken(REFUND[:at] + new + REFUND[at + gone :], Path(folder))
