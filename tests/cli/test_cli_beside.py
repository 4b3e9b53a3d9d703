"""Control commands beside a process that performs, and stores that are not there or not ours."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from command_line import ROOT, SHOP, Shell, child
from corner_shop import done
from world import HandClock


@contextmanager
def gateway(shell: Shell) -> Generator[subprocess.Popen[str]]:
    """Run a process that performs on the store of the shell."""
    command = [sys.executable, str(ROOT / "tests" / "shop_gateway.py"), shell.where, str(shell.folder / "keys")]
    with subprocess.Popen(
        [*command, shell.tenant], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def attends(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return process.stdout.readline()


@contextmanager
def attending(shell: Shell) -> Generator[None]:
    """Have what waits looked after by another process, again and again."""
    with gateway(shell) as running:
        over = Event()

        def look() -> None:
            while not over.wait(0.05):
                attends(running)

        thread = Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.mark.slow
@pytest.mark.promise("undo")
def test_a_run_is_undone_beside_the_process_that_performs_and_it_is_told_how_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(str(tmp_path / "interlock.db"), tmp_path, "acme", HandClock(), capsys, real_time=True)
    shell.publish()
    first, second = [shell.refund(invoice, 20, "--run", "r1")["action"] for invoice in ("INV-1", "INV-4")]
    with attending(shell):
        undone = shell.data("undo", "--run", "r1")
        assert [(each["effect"], each["undo"]["outcome"]) for each in undone["undone"]] == [
            (second, "done"),
            (first, "done"),
        ]
        assert shell.data("run", "show", "r1")["stands"] == []
        assert "no effect of this run stands" in shell("undo", "--run", "r1")
        assert shell.err == ""
    assert undone["whole"]
    assert "sound" in shell("ledger", "verify", "--state")


@pytest.mark.promise("undo")
def test_whoever_asks_a_process_to_undo_a_run_hears_that_it_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.door.cli.undoing.ANSWER_SECONDS", 0.3)
    shell = Shell(str(tmp_path / "interlock.db"), tmp_path, "acme", HandClock(), capsys, real_time=True)
    shell.publish()
    id = shell.refund("INV-1", 20, "--run", "r1")["action"]
    with gateway(shell) as running:
        assert f"has not undone `{id}`" in shell.failed("undo", "--run", "r1")
        assert "it stays asked for" in shell.err
        attends(running)
        assert shell.data("run", "show", "r1")["stands"] == []


def test_control_commands_work_beside_a_running_gateway_which_carries_on_what_was_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(str(tmp_path / "interlock.db"), tmp_path, "acme", HandClock(), capsys, real_time=True)
    shell.publish()
    id = shell.parked()
    with gateway(shell) as running:
        assert "another process performs on" in shell.failed("call", "look", '{"invoice":"I"}')
        assert "fix: try again when it has ended, or end it" in shell.err
        assert "cannot be undone" in shell.failed("undo", id)
        approved = shell.data("approvals", "approve", id, "--seen", shell.seen(id))
        assert (approved["complete"], approved["outcome"]) == (True, None)
        assert done() == []
        switch = shell.data("switch", "stop", "--tool", "look")["id"]
        shell.data("switch", "resume", switch)
        shell.data("mode", "shop", "ask")
        shell.data("mode", "shop", "act")
        shell.data("budget", "raise", "shop:prod/usd", "--by", "5")
        assert id in attends(running)
        assert done() == [{"refund": "INV-2", "usd": 80}]
        assert shell.data("action", "show", id)["state"] == "done"
        assert f"`interlock action show {id}`" in shell("undo", id)
        assert len(done()) == 1
        attends(running)
        assert done()[1:] == [{"taken_back": 7}]
    assert "no effect that stands" in shell.failed("undo", id)
    assert shell.data("ledger", "verify", "--state")["sound"] is True


def test_a_process_of_the_command_line_looks_after_what_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(str(tmp_path / "interlock.db"), tmp_path, "acme", HandClock(), capsys, real_time=True)
    shell.publish()
    id = shell.parked()
    command = [sys.executable, "-m", "interlock", *shell.common, "attend", "--every", "0.05"]
    with subprocess.Popen(command, env=child(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "this process performs on" in process.stderr.readline()
        shell.data("approvals", "approve", id, "--seen", shell.seen(id))
        assert process.stdout.readline().split()[:2] == [id, "done"]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert shell.data("attend", "--once") == []


def test_who_cannot_carry_an_action_out_leaves_it_to_who_can(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    on_file.publish()
    id, other = on_file.parked(), on_file.parked("INV-3")
    monkeypatch.setitem(sys.modules, "corner_shop", None)  # as on a machine that does not have it
    told = on_file("approvals", "approve", other, "--seen", on_file.seen(other))
    assert f"next      `interlock action show {other}`" in told
    said = on_file.data("approvals", "approve", id, "--seen", on_file.seen(id))
    assert said["outcome"] is None
    assert on_file.data("action", "show", id)["state"] == "parked"
    monkeypatch.undo()


def test_a_store_that_is_not_there_is_not_made_by_looking(on_file: Shell, tmp_path: Path) -> None:
    for words in (["action", "list"], ["call", "look"], ["budget", "show"], ["switch", "show"], ["approvals", "list"]):
        assert "there is no store at" in on_file.failed(*words)
    assert list(tmp_path.iterdir()) == []


def test_a_contract_that_cannot_be_published_leaves_no_store_behind(on_file: Shell, tmp_path: Path) -> None:
    text = SHOP.read_text(encoding="utf-8").replace("tenant: default", f"tenant: {on_file.tenant}")
    (tmp_path / "wrong.yaml").write_text(text.replace("python:corner_shop", "python:nowhere"), encoding="utf-8")
    on_file.where = str(tmp_path / "mistyped" / "interlock.db")
    on_file.failed("contract", "publish", "wrong.yaml", "--env", "prod")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]
    on_file.publish()
    assert f"the store `{on_file.where}` is new" in " ".join(on_file.err.split())
    on_file.publish()
    assert "is new" not in on_file.err


def test_the_doctor_says_where_no_store_could_be_made(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode, **more: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    said = " ".join(on_file("doctor", code=1).split())
    assert "cannot be written fix: let the user who runs Interlock write it" in said


def test_a_store_is_not_opened_with_new_keys(on_file: Shell, tmp_path: Path) -> None:
    on_file.publish()
    (tmp_path / "keys").rename(tmp_path / "elsewhere")
    assert "the keys of this store are not in" in on_file.failed("action", "list")
    assert "the keys of this store are not in" in on_file.failed("contract", "publish", "shop.yaml", "--env", "prod")
    assert not (tmp_path / "keys").exists()


def test_a_tenant_that_the_store_does_not_know_is_an_error(shell: Shell) -> None:
    shell.publish()
    known, shell.tenant = shell.tenant, "acme-nobody"
    assert "has nothing of the tenant `acme-nobody`" in shell.failed("action", "list")
    assert known in shell.err or "say `--tenant NAME`" in shell.err


def test_settings_come_from_the_environment_too(on_file: Shell) -> None:
    on_file.publish()
    more = {"INTERLOCK_STORE": on_file.where, "INTERLOCK_KEYS": str(on_file.folder / "keys")}
    command = [sys.executable, "-m", "interlock", "mode"]
    ended = subprocess.run(
        command, env={**child(), **more, "INTERLOCK_TENANT": on_file.tenant}, capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[1].split()[:3] == ["shop", "prod", "act"]


def test_a_reader_that_leaves_is_no_error(on_file: Shell) -> None:
    on_file.publish()
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "interlock", *on_file.common, "mode"]
    ended = subprocess.run(command, env=child(), stdout=writes, stderr=subprocess.PIPE, text=True, timeout=30)
    os.close(writes)
    assert "Traceback" not in ended.stderr


def test_a_password_is_never_shown(on_file: Shell) -> None:
    on_file.where = "postgresql://kim:hunter2@127.0.0.1:1/none"
    assert "hunter2" not in on_file.failed("action", "list")
