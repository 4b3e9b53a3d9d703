"""`contract init --pattern`: each pattern in each domain is checked, published, tried, and changes what it says."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import Shell
from interlock.contract.read import load
from interlock.core.effect import Mode, Tier
from interlock.core.ids import ToolName
from interlock.door.cli.pattern import PATTERNS, Pattern
from interlock.door.cli.starter import MODES, STARTERS, Starter

each_domain = pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.name)
each_pattern = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
pytestmark = pytest.mark.slow


BY_NAME = {pattern.name: pattern for pattern in PATTERNS}


@pytest.fixture(autouse=True)
def tools_of_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for starter in STARTERS:
        monkeypatch.delitem(sys.modules, starter.module, raising=False)
    monkeypatch.setattr(sys, "argv", ["interlock"])


def begin(shell: Shell, starter: Starter, pattern: str, *more: str) -> Any:
    return shell.data("contract", "init", "--domain", starter.name, "--pattern", pattern, "--yes", *more)


def steps(written: Any) -> list[list[str]]:
    return [shlex.split(command)[1:] for command in written["next"]]


@each_domain
@each_pattern
def test_what_it_writes_passes_its_checks_and_the_first_calls_go_as_it_says(
    on_file: Shell, starter: Starter, pattern: Pattern
) -> None:
    written = begin(on_file, starter, pattern.name)
    assert written["pattern"] == pattern.name
    checked = on_file.data("contract", "check", "contract.yaml")[0]
    assert (checked["ok"], checked["assumed"], checked["worth_knowing"], checked["not_enforced"]) == (True, [], [], [])
    assert on_file("policy", "test", "cases.yaml").endswith("cases: all as expected\n")
    publish, small, *rest = steps(written)
    on_file(*publish)
    if pattern.drafts:
        draft = on_file.data(*small, code=4)["action"]
        assert [each[:3] for each in rest] == [["action", "start", "ACTION"]]
        assert on_file.data("action", "start", draft, code=3)["outcome"] == "parked"
        return
    ran = on_file.data(*small)
    assert (ran["outcome"], ran["check"]) == ("done", "passed")
    large, undo = rest
    on_file.data(*large, code=3)
    assert undo[:2] == ["undo", "ACTION"]
    assert on_file.data("undo", ran["action"])["outcome"] == "done"


@each_pattern
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_goes_with_every_pattern(on_file: Shell, pattern: Pattern, mode: str) -> None:
    begin(on_file, STARTERS[0], pattern.name, "--mode", mode)
    assert on_file.data("contract", "check", "contract.yaml")[0]["ok"]
    assert Mode(mode) in load(Path("contract.yaml")).modes.values()


@each_domain
@pytest.mark.parametrize("name", ["verified", "panel"])
def test_only_one_agent_writes(shell: Shell, starter: Starter, name: str) -> None:
    pattern = BY_NAME[name]
    publish, small, *_ = steps(begin(shell, starter, name))
    shell(*publish)
    at = small.index("--agent")
    for agent in pattern.agents:
        if agent != pattern.writer:
            refused = shell.data(*small[:at], "--agent", agent, code=5)
            assert f"`roles.{pattern.writer}_writes`" in refused["why"]
    assert shell.data(*small[:at], "--agent", "stranger", code=5)["reason"] == "tool_not_allowed"
    assert shell.data(*small)["outcome"] == "done"
    found = shell.data("policy", "prove", "contract.yaml")
    assert {each["verdict"] for each in found["results"]} == {"proved"}


@each_domain
def test_a_workflow_writes_once_a_run(shell: Shell, starter: Starter) -> None:
    publish, small, *_ = steps(begin(shell, starter, "workflow"))
    shell(*publish)
    assert shell.data(*small, "--run", "r1", "--key", "k1")["outcome"] == "done"
    tool, args = small[1:3]
    more = {"O-1001": "O-1003", "wiki": "mail", "C-3": "C-2", "Welcome.": "Hello.", "odd": "odder"}
    for old, new in more.items():
        args = args.replace(f'"{old}"', f'"{new}"')
    refused = shell.data("call", tool, args, "--for", "sam", "--run", "r1", code=5)
    assert refused["reason"] == "too_many_tool_calls"
    assert load(Path("contract.yaml")).loop.equal_calls == 2


@each_domain
def test_drafts_are_red_and_nothing_else_is(on_file: Shell, starter: Starter) -> None:
    begin(on_file, starter, "router")
    Path("drafts").mkdir()
    on_file("contract", "init", "drafts", "--domain", starter.name, "--pattern", "drafts", "--yes")
    as_it_is, drafts = load(Path("contract.yaml")).tools, load(Path("drafts/contract.yaml")).tools
    changed = {name for name, tool in drafts.items() if tool.tier is not as_it_is[name].tier}
    assert changed == set(starter.writes)
    assert {drafts[ToolName(name)].tier for name in starter.writes} == {Tier.RED}


@each_domain
def test_whoever_starts_a_draft_cannot_agree_to_it(on_file: Shell, starter: Starter) -> None:
    publish, small, _ = steps(begin(on_file, starter, "drafts"))
    on_file(*publish)
    started = on_file.data("action", "start", on_file.data(*small, code=4)["action"], code=3)["action"]
    said = on_file.failed("approvals", "approve", started, "--seen", on_file.seen(started))
    assert "asked for this action" in said


SUBJECTS = {
    "support-refunds": "O-1001",
    "it-access": "sam",
    "crm-hygiene": "C-3",
    "code-changes": "README",
    "finance-anomaly": "P-2",
}


@each_domain
def test_what_was_said_of_somebody_can_be_erased(shell: Shell, starter: Starter) -> None:
    publish, small, *_ = steps(begin(shell, starter, "router"))
    shell(*publish)
    ran = shell.data(*small)["action"]
    subject = SUBJECTS[starter.name]
    assert subject in shell("explain", ran)
    assert shell.data("data", "show", subject)["payloads"] > 0
    shell("data", "erase", subject, "--yes")
    assert shell.data("ledger", "verify", code=0)
    told = shell("explain", ran)
    assert "erased" in told and small[2] not in told


def test_a_pattern_that_is_not_known_is_refused(on_file: Shell) -> None:
    on_file("contract", "init", "--pattern", "swarm", "--yes", code=2)
    assert "swarm" in on_file.err
