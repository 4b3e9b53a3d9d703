"""Text for people: nothing is cut off, nothing moves the cursor, times say their zone, amounts are exact."""

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.charge import Unit
from interlock.door.cli.render import Amount, Time, age, block, clean, json_text, since, span, table, usd, wrapped
from interlock.door.cli.screen import Screen
from world import NOON


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "2026-01-01 12:00:00 +00:00"),
        ("Asia/Kathmandu", "2026-01-01 17:45:00 +05:45"),
        ("America/St_Johns", "2026-01-01 08:30:00 -03:30"),
    ],
)
def test_a_time_is_local_for_people_and_utc_for_programs(
    zone: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert (Time(NOON).short(), Time(NOON).as_json()) == (shown, "2026-01-01T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("micros", "shown"),
    [(500, "0.0005 s"), (1_500_000, "1 s"), (119_000_000, "119 s"), (120_000_000, "2 min"), (7_200_000_000, "2 h")],
)
def test_a_span_is_said_to_the_unit_that_matters(micros: int, shown: str) -> None:
    assert span(micros) == shown


def test_ages_look_both_ways() -> None:
    assert since(NOON, NOON + 5) == "now"
    assert since(NOON - 300_000_000, NOON) == "5 min ago"
    assert since(NOON + 300_000_000, NOON) == "in 5 min"


@pytest.mark.parametrize(
    ("amount", "shown", "exact"),
    [
        (usd(50_000), "$0.05", "0.05"),
        (usd(1), "$0.000001", "0.000001"),
        (usd(3_000_000), "$3.00", "3"),
        (Amount(Unit.TOOL_CALLS, 10), "10 tool calls", "10"),
        (Amount(Unit.SECONDS, 2_500_000), "2.5 s", "2.5"),
    ],
)
def test_amounts_have_their_unit_for_people_and_are_exact_for_programs(amount: Amount, shown: str, exact: str) -> None:
    assert (str(amount), amount.as_json()) == (shown, exact)


@given(st.text())
def test_what_is_cleaned_can_be_printed(text: str) -> None:
    assert clean(text).isprintable()


@pytest.mark.parametrize(
    "unseen", ["\u202e", "\u200b", "\u3164", "\u2800", "\ufe01", "\U000e0120", "\U000e0041", "\u115f", "\u034f"]
)
def test_what_is_drawn_as_nothing_is_shown_as_its_code(unseen: str) -> None:
    assert clean(f"reads{unseen} a file") == f"reads{unseen.encode('unicode_escape').decode()} a file"


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_of_agents_never_holds_a_control_character(value: object) -> None:
    assert all(line.isprintable() for line in json_text(value, 40).split("\n"))


@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), max_size=4), st.integers(20, 120))
def test_a_table_cuts_nothing_off(rows: list[list[str]], width: int) -> None:
    text = "".join(table(["A", "B", "C"], rows, width, right=(1,)).split())
    for row in rows:
        for cell in row[:2]:
            assert "".join(clean(cell).split()) in text


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=90), st.integers(20, 120))
def test_a_block_keeps_every_word(value: str, width: int) -> None:
    assert value in block([("name", value), ("empty", ""), ("nothing", None)], width).split()


@given(st.text(), st.integers(20, 120))
def test_nothing_that_is_shown_moves_the_cursor_or_hides_a_part(text: str, width: int) -> None:
    out = io.StringIO()
    screen = Screen(out=out, err=out, width=width, json=False, broad=width)
    screen.show({}, block([("name", text)], width))
    screen.line(text)
    screen.note_block(text)
    assert all(line == clean(line) for line in out.getvalue().split("\n"))
    assert block([("name", f"one{text}two")], width).count("\n") >= text.count("\n")


def test_a_text_of_others_begins_no_line_of_a_block_but_by_its_own() -> None:
    assert block([("for", "sam\u2028x\x0by"), ("run", "r1")], 80) == "for  sam\\u2028x\\x0by\nrun  r1"


def test_a_long_line_is_broken_under_its_beginning() -> None:
    assert wrapped("error: one two three", 12, hang=7) == "error: one\n       two\n       three"


@pytest.mark.parametrize(
    ("micros", "words"),
    [
        (0, "less than a second"),
        (842_000, "less than a second"),
        (1_999_999, "1 second"),
        (2_000_000, "2 seconds"),
        (119_999_999, "119 seconds"),
        (120_000_000, "2 minutes"),
        (3 * 3_600_000_000, "3 hours"),
        (8 * 86_400_000_000, "8 days"),
    ],
)
def test_how_old_something_is_is_said_in_whole_words(micros: int, words: str) -> None:
    assert age(micros) == words
