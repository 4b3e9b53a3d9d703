"""`budget`: what is allowed and where it went; amounts are exact."""

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady

DAY = "shop:prod/usd/day:2026-01-01"


def test_budgets_are_shown_before_and_after_they_are_touched(shell: Shell) -> None:
    shell.publish()
    assert [each["spent"] for each in shell.data("budget", "show")] == ["0", "0"]
    shell.refund("INV-1", 20, "--run", "r1")
    assert [(each["budget"], each["limit"], each["spent"], each["left"]) for each in shell.data("budget", "show")] == [
        (DAY, "1", "0.05", "0.95"),
        ("shop:prod:refund/usd_of_args/day:2026-01-01", "500", "20", "480"),
    ]
    (run,) = [each for each in shell.data("budget", "show", "--run", "r1") if each["unit"] == "tool_calls"]
    assert (run["budget"], run["left"]) == ("shop:prod/tool_calls/run:r1", "7")
    shell.clock.forward(days=1)
    assert [each["spent"] for each in shell.data("budget", "show")] == ["0", "0"]
    assert DAY in [each["budget"] for each in shell.data("budget", "show", "--all")]


def test_a_budget_is_raised_by_an_exact_amount_of_its_unit(shell: Shell) -> None:
    shell.publish()
    said = shell.data("budget", "raise", DAY, "--by", "5.000001")
    assert (said["raised"], said["limit"], said["left"], said["raised_by"]) == ("5.000001", "1", "6.000001", "5.000001")
    assert shell.data("budget", "raise", "shop:prod:refund", "--by", "$1")["raised"] == "1"
    run = "shop:prod/tool_calls/run:r7"
    assert shell.data("budget", "raise", run, "--by", "10")["left"] == "18"
    assert shell.data("budget", "raise", run, "--by", "0", "--reopen")["closed"] is False


@pytest.mark.parametrize("amount", ["0.0000001", "-1", "1e9999", "a", "", "NaN", "1,000", "99999999999999999999", "٣"])
def test_what_is_no_amount_changes_nothing(on_file: Shell, amount: str) -> None:
    on_file.publish()
    assert "is no amount of usd" in on_file.unmeant("budget", "raise", DAY, f"--by={amount}")
    run = "shop:prod/tool_calls/run:r7"
    assert "is no amount of tool calls" in on_file.unmeant("budget", "raise", run, f"--by={amount}")


def test_a_budget_is_named_by_a_unique_beginning(on_file: Shell) -> None:
    on_file.publish()
    assert "several budgets begin with `shop`" in on_file.failed("budget", "raise", "shop", "--by", "1")
    assert "no budget is named `x`" in on_file.failed("budget", "raise", "x", "--by", "1")
    assert "no budget is named ``" in on_file.failed("budget", "raise", "", "--by", "1")
    assert "nothing would change" in on_file.unmeant("budget", "raise", DAY, "--by", "0")


def test_the_screen_of_budgets(demo: Shell) -> None:
    demo.publish()
    demo("undo", demo.refund("INV-1", 20)["action"])
    demo("budget", "raise", DAY, "--by", "5", "--as", "kim")
    assert steady(demo("budget", "show")) == snapshot("""\
BUDGET                                         LIMIT   SPENT   HELD     LEFT
shop:prod/usd/day:2026-01-01                   $6.00   $0.05  $0.00    $5.95  raised
shop:prod:refund/usd_of_args/day:2026-01-01  $500.00  $20.00  $0.00  $480.00
tenant/usd/month:2026-01                        none   $0.00  $0.00
""")
    assert steady(demo("budget", "raise", DAY, "--by", "0.5", "--as", "kim")) == snapshot("""\
budget     shop:prod/usd/day:2026-01-01
raised by  $0.50
limit      $6.50
left       $6.45
state      raised
by         kim (demo:os:UID)
""")
