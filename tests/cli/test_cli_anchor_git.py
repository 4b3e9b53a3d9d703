"""Heads that are committed to a real repository, whatever its configuration would like to run."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from command_line import Shell

pytestmark = [pytest.mark.promise("ledger"), pytest.mark.slow]

FILE = "interlock-anchors.jsonl"


def git(folder: str | Path, *words: str) -> str:
    plain = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
    who = {f"GIT_{role}_{name}": "kim@x" for role in ("AUTHOR", "COMMITTER") for name in ("NAME", "EMAIL")}
    ended = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=30, env=plain | who
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def shop(on_file: Shell) -> Shell:
    on_file.publish()
    Path("anchors").mkdir()
    git("anchors", "init", "--quiet", "--initial-branch=main")
    return on_file


def lines(text: str) -> list[int]:
    return [int(json.loads(line)["head"].split("\n")[1]) for line in text.splitlines()]


def test_each_anchor_is_a_commit_and_the_file_is_one_that_verify_reads(shop: Shell) -> None:
    place = "git:anchors"
    kept = shop.data("ledger", "anchor", "--to", place)["kept"]
    assert kept[0]["to"] == f"git:{Path('anchors').resolve()}"
    shop.refund("INV-1", 5)
    shop("ledger", "anchor", "--to", place)
    said = [f"interlock Anchor interlock/{shop.tenant} at {size} entries" for size in (3, 1)]
    assert git("anchors", "log", "--format=%an %s").splitlines() == said
    assert lines(git("anchors", "show", f"HEAD:{FILE}")) == [1, 3]
    assert lines(git("anchors", "show", f"HEAD~:{FILE}")) == [1]
    assert git("anchors", "status", "--porcelain") == ""
    found = shop.data("ledger", "verify", "--anchors", f"anchors/{FILE}")
    assert (found["sound"], found["heads"]) == (True, 2)
    assert shop.data("ledger", "verify")["last_anchor"]["to"] == kept[0]["to"]


def test_what_somebody_has_staged_or_changed_stays_theirs(shop: Shell) -> None:
    for name, text in (("kept", "1"), ("changed", "1")):
        Path("anchors", name).write_text(text, encoding="utf-8")
    git("anchors", "add", ".")
    git("anchors", "commit", "--quiet", "-m", "begin")
    Path("anchors", "changed").write_text("2", encoding="utf-8")
    Path("anchors", "staged").write_text("1", encoding="utf-8")
    git("anchors", "add", "staged")
    shop("ledger", "anchor", "--to", "git:anchors")
    assert git("anchors", "show", "--format=", "--name-only", "HEAD") == f"{FILE}\n"
    assert git("anchors", "status", "--porcelain") == " M changed\nA  staged\n"


def test_a_folder_within_a_repository_has_a_file_of_its_own(shop: Shell) -> None:
    Path("anchors", "deep", "er").mkdir(parents=True)
    shop("ledger", "anchor", "--to", "git:anchors/deep/er")
    assert git("anchors", "ls-files") == f"deep/er/{FILE}\n"


def test_nothing_that_a_repository_names_is_run(shop: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop("ledger", "anchor", "--to", "git:anchors")
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0" >> {ran}\ncat\n')
    program.chmod(0o755)
    hooks = Path("anchors", ".git", "hooks")
    hooks.mkdir(exist_ok=True)
    for hook in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change", "pre-push"):
        (hooks / hook).symlink_to(program)
    Path("anchors", ".gitattributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
    for name in (
        "core.fsmonitor", "core.editor", "core.pager", "core.sshCommand", "core.askPass", "gpg.program",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "credential.helper",
    ):  # fmt: skip
        git("anchors", "config", name, str(program))
    for name in ("commit.gpgSign", "push.gpgSign", "filter.evil.required"):
        git("anchors", "config", name, "true")
    git("anchors", "config", "protocol.ext.allow", "always")
    git("anchors", "config", "remote.origin.url", f"ext::{program} %S")
    for name in ("GIT_DIR", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(program))
    shop("ledger", "anchor", "--to", "git:anchors")
    assert "could not be pushed to `origin`" in " ".join(
        shop.failed("ledger", "anchor", "--push", "--to", "git:anchors").split()
    )
    assert not ran.exists(), ran.read_text()
    assert lines(Path("anchors", FILE).read_text(encoding="utf-8")) == [1, 1, 1]


def test_a_repository_is_pushed_when_it_is_asked_for_and_never_else(shop: Shell) -> None:
    git(".", "init", "--quiet", "--bare", "--initial-branch=main", "far")
    git("anchors", "remote", "add", "origin", str(Path("far").resolve()))
    shop("ledger", "anchor", "--to", "git:anchors")
    assert git("far", "branch", "--list") == ""
    shop("ledger", "anchor", "--push", "--to", "git:anchors")
    assert lines(git("far", "show", f"main:{FILE}")) == [1, 1]
    git("anchors", "remote", "set-url", "origin", "https://user:hunter2@127.0.0.1:1/x")
    assert "could not be pushed" in shop.failed("ledger", "anchor", "--push", "--to", "git:anchors")
    assert "hunter2" not in shop.err


def test_a_file_that_has_lost_what_was_committed_is_not_committed(shop: Shell) -> None:
    shop("ledger", "anchor", "--to", "git:anchors")
    Path("anchors", FILE).write_text("", encoding="utf-8")
    assert "has lost anchors that were committed" in shop.failed("ledger", "anchor", "--to", "git:anchors")
    assert lines(git("anchors", "show", f"HEAD:{FILE}")) == [1]


def test_an_anchor_whose_commit_failed_is_committed_with_the_next_one(shop: Shell) -> None:
    shop("ledger", "anchor", "--to", "git:anchors")
    lock = Path("anchors", ".git", "refs", "heads", "main.lock")
    lock.touch()
    assert "somebody else has committed" in shop.failed("ledger", "anchor", "--to", "git:anchors")
    lock.unlink()
    shop("ledger", "anchor", "--to", "git:anchors")
    assert lines(git("anchors", "show", f"HEAD:{FILE}")) == [1, 1, 1]
    assert git("anchors", "status", "--porcelain") == ""


def test_what_is_no_repository_of_ones_own_is_an_error(shop: Shell) -> None:
    Path("plain").mkdir()
    git(".", "init", "--quiet", "--bare", "bare")
    Path("linked").mkdir()
    git("linked", "init", "--quiet")
    Path("letter.txt").touch()
    Path("linked", FILE).symlink_to(Path("letter.txt").resolve())
    Path("other").mkdir()
    git("other", "init", "--quiet")
    Path("other", FILE).write_text("dear all\n", encoding="utf-8")
    for place, said in (
        ("gone", "there is no folder `gone`"),
        ("plain", "git refuses in `plain`: fatal: not a git repository"),
        ("bare", "`bare` has no working tree"),
        ("linked", "is a link"),
        ("other", "line 1 is not an anchor"),
    ):
        assert said in " ".join(shop.failed("ledger", "anchor", "--to", f"git:{place}").split())
    assert Path("letter.txt").read_text(encoding="utf-8") == ""
    assert Path("other", FILE).read_text(encoding="utf-8") == "dear all\n"


def test_without_git_on_the_machine_it_says_so(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "there is no `git` on this machine" in shop.failed("ledger", "anchor", "--to", "git:anchors")


def test_a_push_to_a_folder_that_the_repository_names_runs_no_hook_of_it(on_file: Shell) -> None:
    on_file.publish()
    Path("anchors").mkdir()
    git("anchors", "init", "--quiet", "--initial-branch=main")
    git("anchors", "init", "--quiet", "--bare", ".git/evil")
    hook, ran = Path("anchors/.git/evil/hooks/pre-receive"), Path("ran").resolve()
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
    hook.chmod(0o755)
    git("anchors", "config", "remote.origin.url", str(Path("anchors/.git/evil").resolve()))
    on_file("ledger", "anchor", "--to", "git:anchors", "--push")
    assert git("anchors/.git/evil", "rev-parse", "main") == git("anchors", "rev-parse", "main")
    assert not ran.exists()


def test_a_kind_of_place_that_nobody_knows_is_no_file_of_that_name(on_file: Shell) -> None:
    on_file.publish()
    assert "no kind of place `ftp:`" in on_file.unmeant("ledger", "anchor", "--to", "ftp://foo")
    Path("garbage.jsonl").write_text("no anchor\n", encoding="utf-8")
    assert "`garbage.jsonl`: line 1 is not an anchor" in on_file.failed(
        "ledger", "anchor", "--to", "file:garbage.jsonl"
    )
