"""Completion, as real shells do it: commands, their second words, options, what options take, files and folders."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from command_line import Shell
from interlock.door.cli.table import COMMANDS, GROUPS

BASH, FISH, ZSH = (shutil.which(name) for name in ("bash", "fish", "zsh"))


@pytest.fixture
def script(on_file: Shell) -> Path:
    Path("my contract.yaml").touch()
    Path("keys").mkdir()
    Path("completion.sh").write_text(on_file("completion", "bash"), encoding="utf-8")
    return Path("completion.sh")


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    typed = " ".join(shlex.quote(word) for word in ("interlock", *words))
    lines = f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _interlock"
    lines += '; printf "%s\\n" "${COMPREPLY[@]}"'
    ended = subprocess.run(
        [BASH or "bash", "--norc", "-c", lines], capture_output=True, text=True, check=True, timeout=20
    )
    assert ended.stderr == ""
    return ended.stdout.split("\n")[:-1] if ended.stdout != "\n" else []


FIRST = {command.name.partition(" ")[0] for command in COMMANDS}


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes_every_command_and_every_option(script: Path) -> None:
    assert set(completed(script, "")) == FIRST
    for group in GROUPS:
        assert set(completed(script, group, "")) == {
            c.name.split()[1] for c in COMMANDS if c.name.startswith(f"{group} ")
        }
    for command in COMMANDS:
        own = {name for each in command.takes for name in each.names if name.startswith("--")}
        offered = set(completed(script, *command.name.split(), "--"))
        assert offered == own | {"--store", "--keys", "--tenant", "--json", "--help"}, command.name


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["swi"], ["switch"]),
        (["ledger", "ver"], ["verify"]),
        (["--tenant", "acme", "switch", "re"], ["read-only", "resume"]),
        (["contract", "init", "--domain", "it"], ["it-access"]),
        (["contract", "init", "--mode", ""], ["read_only", "suggest", "ask", "act"]),
        (["contract", "check", "my"], ["my contract.yaml"]),
        (["contract", "check", "a.yaml", "my"], ["my contract.yaml"]),
        (["contract", "publish", "my"], ["my contract.yaml"]),
        (["contract", "publish", "a.yaml", "my"], []),
        (["contract", "publish", "--env", "dev", "my"], ["my contract.yaml"]),
        (["call", "--args", "my"], ["my contract.yaml"]),
        (["call", "--args", "=", "my"], ["my contract.yaml"]),
        (["approvals", "approve", "a1", "--sign-with", "my"], ["my contract.yaml"]),
        (["restore", "a.backup", "--with-keys", "my"], ["my contract.yaml"]),
        (["--keys", "k"], ["keys"]),
        (["demo", "--into", ""], ["keys"]),
        (["action", "resolve", "a1", "h"], ["happened"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["call", ""], []),
        (["fly", ""], []),
    ],
)  # fmt: skip
def test_bash_completes_a_line(script: Path, line: list[str], offered: list[str]) -> None:
    assert completed(script, *line) == offered


@pytest.mark.skipif(FISH is None, reason="there is no fish")
def test_fish_completes_a_line(on_file: Shell) -> None:
    Path("my.yaml").touch()
    Path("i.fish").write_text(on_file("completion", "fish"), encoding="utf-8")

    def offered(line: str) -> set[str]:
        words = [FISH or "fish", "--no-config", "-c", f"source i.fish; complete -C {shlex.quote(line)}"]
        ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)
        return {each.partition("\t")[0] for each in ended.stdout.splitlines()}

    assert offered("interlock ") == FIRST
    assert offered("interlock switch re") == {"read-only", "resume"}
    assert offered("interlock contract init --domain it") == {"it-access"}
    assert "--seen" in offered("interlock approvals approve a1 --")
    assert "my.yaml" in offered("interlock contract check my")


@pytest.mark.skipif(ZSH is None, reason="there is no zsh")
def test_zsh_reads_the_script(on_file: Shell) -> None:
    Path("i.zsh").write_text(on_file("completion", "zsh"), encoding="utf-8")
    lines = "autoload -U compinit && compinit -u -d dump; source ./i.zsh; print ${_comps[interlock]}"
    ended = subprocess.run([ZSH or "zsh", "-f", "-c", lines], capture_output=True, text=True, check=True, timeout=20)
    assert (ended.stdout, ended.stderr) == ("_bash_complete -F _interlock\n", "")


def test_a_shell_that_is_not_known_is_an_error(on_file: Shell) -> None:
    assert on_file.run("completion", "csh")[0] == 2
    assert on_file.data("completion", "zsh")["script"].startswith("#compdef interlock")
