"""`contract init`: what it writes is checked, published, called, agreed to and undone, in every domain."""

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from command_line import Shell, child
from interlock.contract.read import load
from interlock.core.effect import Mode
from interlock.core.ids import Environment, ToolName
from interlock.door.cli.main import parser
from interlock.door.cli.pattern import PATTERNS
from interlock.door.cli.person import user_name
from interlock.door.cli.starter import MODES, STARTERS, Starter
from interlock.door.cli.table import COMMANDS

pytestmark = pytest.mark.slow


PROD = Environment("prod")

LOOKS: Mapping[str, list[tuple[str, str]]] = {
    "support-refunds": [("find_order", '{"order":"O-1001"}'), ("find_order", '{"order":"O-1002"}')],
    "it-access": [("list_access", '{"user":"sam"}')],
    "crm-hygiene": [("find_contact", '{"contact":"C-3"}'), ("find_duplicates", "{}")],
    "code-changes": [("read_file", '{"path":"README"}')],
    "finance-anomaly": [("find_payment", '{"payment":"P-2"}'), ("find_payment", '{"payment":"P-3"}')],
}
"""What shows whether the two calls of a domain have happened."""
FORBIDDEN: Mapping[str, tuple[str, str]] = {
    "support-refunds": ("delete_customer", '{"customer":"ada@example.com"}'),
    "it-access": ("make_admin", '{"user":"sam"}'),
    "crm-hygiene": ("delete_contact", '{"contact":"C-1"}'),
    "code-changes": ("rewrite_history", "{}"),
    "finance-anomaly": ("pay_out", '{"payment":"P-1"}'),
}
each_domain = pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.name)


@pytest.fixture(autouse=True)
def tools_of_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for starter in STARTERS:
        monkeypatch.delitem(sys.modules, starter.module, raising=False)
    monkeypatch.setattr(sys, "argv", ["interlock"])


def begin(shell: Shell, domain: str, *more: str) -> Any:
    return shell.data("contract", "init", "--domain", domain, "--yes", *more)


@each_domain
def test_what_it_writes_works_from_the_first_call_to_the_undo(shell: Shell, starter: Starter) -> None:
    written = begin(shell, starter.name)
    assert written["files"] == ["contract.yaml", f"{starter.module}.py", "cases.yaml", ".gitignore"]
    publish, small, large, _ = [shlex.split(command)[1:] for command in written["next"]]

    def looked() -> list[Any]:
        return [shell.data("call", tool, args)["result"] for tool, args in LOOKS[starter.name]]

    assert shell.data(*publish)["mode"] == "act"
    at_first = looked()
    ran = shell.data(*small)
    assert (ran["outcome"], ran["check"]) == ("done", "passed")
    parked = shell.data(*large, code=3)["action"]
    between = looked()
    said = shell.data("approvals", "approve", parked, "--seen", shell.seen(parked))
    assert said["outcome"]["outcome"] == "done"
    assert looked() != between
    forbidden = shell.data("call", *FORBIDDEN[starter.name], "--for", "sam", code=5)
    assert forbidden["reason"] == "tool_not_allowed"
    for action in (parked, ran["action"]):
        assert shell.data("undo", action)["outcome"] == "done"
    assert looked() == at_first


@each_domain
@pytest.mark.parametrize("mode", MODES)
def test_what_it_writes_passes_its_checks(on_file: Shell, starter: Starter, mode: str) -> None:
    begin(on_file, starter.name, "--mode", mode)
    checked = on_file.data("contract", "check", "contract.yaml")[0]
    assert (checked["ok"], checked["assumed"], checked["worth_knowing"], checked["not_enforced"]) == (True, [], [], [])
    assert on_file("policy", "test", "cases.yaml").endswith("cases: all as expected\n")
    assert load(Path("contract.yaml")).modes == {Environment("dev"): Mode.ACT, PROD: Mode(mode)}


@each_domain
def test_every_starter_has_what_a_contract_is_for(on_file: Shell, starter: Starter) -> None:
    begin(on_file, starter.name)
    contract = load(Path("contract.yaml"))
    allowed = set(
        next(iter(re.findall(r"allowed_tools: \[(.*)\]", Path("contract.yaml").read_text("utf-8")))).split(", ")
    )
    assert contract.modes[PROD] is Mode.ASK
    assert allowed < contract.tools.keys()
    assert starter.asks[0] in allowed
    assert all(contract.tools[ToolName(tool)].undo for tool, _ in (starter.runs, starter.asks))
    assert {budget.period for budget in contract.budgets} >= {"run", "day", "hour"}
    assert [set(people) for people in contract.approvals.people.values()] == [{user_name()}]


def test_every_domain_can_be_named_on_the_line() -> None:
    (init,) = (each for each in COMMANDS if each.name == "contract init")
    choices = {each.names[0]: each.options.get("choices") for each in init.takes}
    assert choices["--domain"] == tuple(each.name for each in STARTERS)
    assert choices["--pattern"] == tuple(each.name for each in PATTERNS)
    assert choices["--mode"] == tuple(MODES)


def test_names_are_kept_as_they_were_said(on_file: Shell) -> None:
    on_file.tenant = "007"
    begin(on_file, "it-access", "--workflow", "on")
    contract = load(Path("contract.yaml"))
    assert (contract.workflow, contract.tenant) == ("on", "007")
    assert "is not the name of a workflow" in on_file.unmeant("contract", "init", "x", "--yes", "--workflow", "a b")
    on_file.tenant = "demo"
    assert "the tenant of the demo alone" in on_file.failed("contract", "init", "x", "--yes")
    assert not Path("x").exists()


@pytest.mark.parametrize("name", ["contract.yaml", "cases.yaml", "it_access.py"])
def test_no_file_is_overwritten_and_none_is_left_half_way(on_file: Shell, name: str) -> None:
    Path("mine").mkdir()
    Path("mine", name).write_text("mine", encoding="utf-8")
    said = on_file.failed("contract", "init", "mine", "--domain", "it-access", "--yes")
    assert f"there already: `mine/{name}`" in said
    assert [path.name for path in Path("mine").iterdir()] == [name]
    assert Path("mine", name).read_text(encoding="utf-8") == "mine"


def test_a_list_of_what_git_ignores_is_left_as_it_is(on_file: Shell) -> None:
    Path(".gitignore").write_text("*.log\n", encoding="utf-8")
    on_file("contract", "init", "--yes")
    assert "keep `.interlock/` out of git" in on_file.err
    assert Path(".gitignore").read_text(encoding="utf-8") == "*.log\n"


def test_a_disk_that_takes_no_more_leaves_nothing_half_way() -> None:
    words = f"ulimit -f 2; exec {shlex.quote(sys.executable)} -m interlock contract init new --yes"
    bare = {**child(), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=60, env=bare)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "file too large" in ended.stderr
    assert list(Path("new").iterdir()) == []


def test_where_nobody_can_be_asked_it_says_what_is_missing(on_file: Shell) -> None:
    said = " ".join(on_file.unmeant("contract", "init", "--domain", "it-access").split())
    assert "not all is said: `--pattern`, `--mode` fix: say it, or take the defaults" in said


def test_a_person_is_asked_for_what_was_not_said(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard("3\n5\nsuggest\n"))
    on_file("contract", "init", "asked")
    assert "What are agents to do?" in on_file.err
    contract = load(Path("asked/contract.yaml"))
    assert (contract.workflow, contract.modes[PROD]) == ("crm-hygiene", Mode.SUGGEST)
    assert "How do they share the job?" in on_file.err
    assert [*contract.agents] == ["reader-1", "reader-2", "writer"]
    monkeypatch.setattr(sys, "stdin", Keyboard("\nact\n"))
    on_file("contract", "init", "half", "--domain", "it-access", "--workflow", "doors")
    assert "What are agents to do?" not in on_file.err
    assert load(Path("half/contract.yaml")).modes[PROD] is Mode.ACT
    monkeypatch.setattr(sys, "stdin", Keyboard("refunds\n"))
    assert "did you mean `support-refunds`?" in on_file.failed("contract", "init", "none")


def test_the_screen_says_what_to_type_next(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    on_file.tenant = "acme"
    said = on_file("contract", "init", "my desk", "--domain", "support-refunds", "--yes")
    assert said == snapshot("""\
written into my desk:
  contract.yaml       what agents may do, and what they may not
  support_refunds.py  the tools, on a little database of their own
  cases.yaml          how each call must be judged:
                      `interlock policy test cases.yaml`
  .gitignore          keeps the keys out of git

next:
  cd 'my desk'
  # puts the contract in force
  interlock contract publish contract.yaml --env dev
  # runs by itself
  interlock call refund_order '{"order":"O-1001","amount_usd":20}' --for sam \\
    --tenant acme
  # waits for you, and says how to agree
  interlock call refund_order '{"order":"O-1002","amount_usd":80}' --for sam \\
    --tenant acme
  # takes back what was done; ACTION is the id that was printed
  interlock undo ACTION --tenant acme
""")
    lines = re.sub(r" \\\n *", " ", said).splitlines()
    for line in lines:
        if line.startswith("  interlock "):
            parser().parse_args(shlex.split(line)[1:])
