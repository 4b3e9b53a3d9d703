"""Which word was meant, and how many there are."""

import pytest

from interlock.core.wording import close, closest, count

KNOWN = ["pay", "verify", "version", "budget", "refund_order", "find_order", "mail.send", "approvals", "show", "stop"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("verfy", "verify"), ("budgt", "budget"), ("approval", "approvals"), ("mail.sent", "mail.send"),
        ("refund_orders", "refund_order"), ("sohw", "show"),
        ("vision", "version"), ("fly", None), ("verse", None), ("delete_customer", None), ("order", None), ("", None),
        ("budgetary", "budget"), ("mail", "mail.send"),
        ("pya", "pay"), ("pey", "pay"), ("sky", None), ("play", "pay"), ("verification", None),
        ("showing", "show"), ("appr", "approvals"), ("v", None), ("transfer", None), ("x" * 100_000, None),
    ],
)  # fmt: skip
def test_only_a_word_that_comes_near_was_meant(written: str, meant: str | None) -> None:
    assert closest(written, KNOWN) == meant


def test_the_nearest_come_first() -> None:
    assert close("find_oder", KNOWN, most=3) == ["find_order", "refund_order"]
    assert close("find_oder", KNOWN, most=1) == ["find_order"]


def test_one_is_written_as_one() -> None:
    assert [count(number, "thing is", "things are") for number in (0, 1, 2, 1_000)] == [
        "0 things are",
        "1 thing is",
        "2 things are",
        "1,000 things are",
    ]
