import pytest

from contract_files import HEAD, READ, full, problems_of, wrong
from interlock.contract.node import Scalar
from interlock.contract.scalar import (
    COUNT,
    DATE,
    DURATION,
    FLAG,
    MONEY,
    PERCENT,
    RATE,
    RATIO,
    TEXT,
    Leaf,
    Rate,
    Wrong,
    one_of,
)
from interlock.core.ids import ToolName
from interlock.policy.rule import Place


def read(leaf: Leaf[object], text: str, kind: str = "text") -> object:
    assert kind in {"text", "number", "flag"}
    kinds = {"text": "text", "number": "number", "flag": "flag"}
    scalar = Scalar(text=text, kind="number" if kinds[kind] == "number" else "text", place=Place(file="c.yaml"))
    return leaf.read(scalar)


@pytest.mark.parametrize(
    ("text", "micros"),
    [("0", 0), ("0.60", 600_000), ("49.99", 49_990_000), ("0.000001", 1), ("123456789.123456", 123_456_789_123_456)],
)
def test_money_is_exact(text: str, micros: int) -> None:
    assert read(MONEY, text, "number") == micros


@pytest.mark.parametrize(
    "text",
    ["-1", "-0.01", "0.0000001", "1e3", "1_000", "0x10", "010", ".5", "5.", "1:30", ".inf", ".nan", "1234567890123456"],
)
def test_money_that_would_be_rounded_or_read_differently_elsewhere_is_refused(text: str) -> None:
    assert isinstance(read(MONEY, text, "number"), Wrong)


def test_money_in_quotes_is_text() -> None:
    assert isinstance(read(MONEY, "49.99"), Wrong)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("200ms", 200_000),
        ("6s", 6_000_000),
        ("10m", 600_000_000),
        ("48h", 172_800_000_000),
        ("14d", 1_209_600_000_000),
        ("7y", 220_752_000_000_000),
        ("0s", 0),
    ],
)
def test_a_duration_has_a_unit(text: str, micros: int) -> None:
    assert read(DURATION, text) == micros


@pytest.mark.parametrize("text", ["6", "6 s", "6S", "1.5s", "-6s", "06s", "6us", "6w", "6min", "s", "", "6s\n", "999y"])
def test_nothing_else_is_a_duration(text: str) -> None:
    assert isinstance(read(DURATION, text), Wrong)


@pytest.mark.parametrize(("text", "millionths"), [("0.5%", 500_000), ("50%", 50_000_000), ("0%", 0)])
def test_a_percentage_is_exact(text: str, millionths: int) -> None:
    assert read(PERCENT, text) == millionths


@pytest.mark.parametrize("text", ["50", "0.5 %", "101%", "-1%", "%", "0.0000001%", "5e1%"])
def test_nothing_else_is_a_percentage(text: str) -> None:
    assert isinstance(read(PERCENT, text), Wrong)


def test_a_rate_counts_by_the_hour_or_the_day() -> None:
    assert read(RATE, "30/h") == Rate(30, "hour")
    assert read(RATE, "5/d") == Rate(5, "day")
    for text in ("30", "30/m", "0/h", "-1/h", "30 / h", "1.5/h"):
        assert isinstance(read(RATE, text), Wrong)


def test_a_date_is_the_beginning_of_its_day() -> None:
    assert read(DATE, "1970-01-02") == 86_400_000_000
    assert read(DATE, "2026-12-19") == 1_797_638_400_000_000
    for text in ("2026-02-30", "2026-12", "19.12.2026", "1969-12-31", "20261219", "2026-12-19T00:00:00Z"):
        assert isinstance(read(DATE, text), Wrong)


def test_counts_and_ratios_have_bounds() -> None:
    assert read(COUNT, "8", "number") == 8
    assert read(RATIO, "0.95", "number") == 950_000
    for leaf, text in ((COUNT, "-1"), (COUNT, "8.0"), (COUNT, "9007199254740993"), (RATIO, "1.01"), (RATIO, "-0.1")):
        assert isinstance(read(leaf, text, "number"), Wrong)


def test_a_bare_word_that_yaml_takes_for_a_flag_or_a_number_is_not_text() -> None:
    assert wrong("owner: no\n") == ["expected text, found the flag `no`"]
    assert wrong("owner: 12\n") == ["expected text, found the number `12`"]
    assert wrong("owner:\n") == ["expected text, found nothing"]


def test_a_closed_list_takes_its_words_alone() -> None:
    leaf = one_of("on", "off")

    assert read(leaf, "on") == "on"
    assert isinstance(read(leaf, "On"), Wrong)
    assert isinstance(read(FLAG, "true"), Wrong)
    assert isinstance(read(TEXT, " "), Wrong)


def test_a_number_is_read_from_its_text_and_not_from_a_float() -> None:
    contract = full(f"tools: {{ look: {READ.replace('price: 0', 'price: 0.100001')} }}\n")

    assert contract.tools[ToolName("look")].price == 100_001


def test_the_message_says_what_to_write() -> None:
    assert problems_of(HEAD + "budgets: { per_run: { usd: '0.60' } }\n") == [
        "c.yaml:8:28: expected an amount of US dollars, 0 or more, with at most 6 decimals, found `0.60`\n"
        "fix: write a plain number such as `49.99`"
    ]
