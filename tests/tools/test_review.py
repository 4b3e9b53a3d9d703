"""What a server says of a tool today against what was reviewed, in words: foreign text, whatever its length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.tool.mcp import review
from interlock.tool.mcp.review import in_words

WORDS = st.lists(st.sampled_from(["a", "b", " ", "\n", "."]), max_size=30).map("".join)


@pytest.mark.parametrize(("old", "new"), [("x " * 20_000, "y x " * 20_000), ("ab " * 9_000, "ab " * 9_000 + "c")])
def test_words_that_stand_everywhere_are_compared_in_no_time(old: str, new: str) -> None:
    shown = in_words(old, new)
    assert shown.startswith("ab ab ") or shown.startswith("[-x x ")
    assert shown.endswith(("{+c+}", "y x +}", "x "))


@pytest.mark.parametrize("pairs", [0, 100_000])
@given(old=WORDS, new=WORDS)
def test_both_texts_can_be_read_out_of_what_is_shown(pairs: int, old: str, new: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review, "_PAIRS_MAX", pairs)
        shown = in_words(old, new)
    parts = shown.replace("[-", "\0-").replace("-]", "\0").replace("{+", "\0+").replace("+}", "\0").split("\0")
    assert "".join(each.removeprefix("-") for each in parts if not each.startswith("+")) == old
    assert "".join(each.removeprefix("+") for each in parts if not each.startswith("-")) == new
