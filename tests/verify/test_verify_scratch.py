"""What a verification that was killed left behind is swept up by the next one; what somebody works in is not."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from command_line import child
from interlock import app
from interlock.verify.lab import lab_like
from interlock.verify.scratch import folder_in_use, schema_in_use, scratch_folder
from postgres import Server

pytestmark = pytest.mark.slow


_HOLDS = """
import sys, time
from interlock.verify.lab import lab_like
with lab_like(sys.argv[1]) as lab:
    lab.world()
    print(lab.where, lab.folder, sep="\\n", flush=True)
    time.sleep(600)
"""


@contextmanager
def somebody_else(where: str, temporary: Path) -> Generator[tuple[subprocess.Popen[str], str, Path]]:
    """Another process with a scratch store like `where`, until it is killed or this ends."""
    command, more = [sys.executable, "-c", _HOLDS, where], {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**child(), **more}) as process:
        try:
            assert process.stdout is not None
            scratch, folder = (process.stdout.readline().strip() for _ in range(2))
            yield process, scratch, Path(folder)
        finally:
            process.send_signal(signal.SIGKILL)


def is_there(scratch: str) -> bool:
    if not app.is_postgres(scratch):
        return Path(scratch).exists()
    with psycopg.connect(scratch) as db:
        return db.execute("select current_schema()").fetchone() != (None,)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that no other test shares."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_behind_is_swept_up_by_the_next(where: str, temporary: Path) -> None:
    with somebody_else(where, temporary) as (process, scratch, folder):
        process.kill()
        process.wait()
    assert is_there(scratch)
    assert folder.exists()
    with lab_like(where):
        assert not is_there(scratch)
        assert not folder.exists()


def test_what_a_living_process_works_in_stays(where: str, temporary: Path) -> None:
    with somebody_else(where, temporary) as (_, scratch, folder):
        for _ in range(2):
            with lab_like(where) as lab:
                assert lab.where != scratch
                assert is_there(scratch)
                assert folder.exists()
        assert (folder / "keys").exists()


def test_what_others_work_in_stays_while_they_live_although_its_maker_was_killed(where: str, temporary: Path) -> None:
    with ExitStack() as others:
        with somebody_else(where, temporary) as (process, scratch, folder):
            others.enter_context(folder_in_use(folder))
            if app.is_postgres(where):
                others.enter_context(schema_in_use(scratch))
            process.kill()
            process.wait()
        with lab_like(where):
            assert is_there(scratch)
            assert folder.exists()
    with lab_like(where):
        assert not is_there(scratch)
        assert not folder.exists()


def test_what_was_not_made_here_stays(where: str, temporary: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (temporary / ".interlock-verify-link").symlink_to(elsewhere)
    (temporary / "interlock-verify-link").symlink_to(elsewhere)
    with lab_like(where):
        pass
    assert (elsewhere / "kept").exists()


def test_a_schema_that_was_not_made_here_stays(postgres_server: Server) -> None:
    postgres = postgres_server.a_database(f"mine{token_hex(4)}")
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("create schema interlock_verify_0123abcd")
        with lab_like(postgres):
            pass
        db.execute("drop schema interlock_verify_0123abcd")  # it would raise if it were gone


def test_a_folder_that_is_swept_up_before_its_maker_has_locked_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    real = os.open

    def opened(path: Any, *how: Any) -> int:
        if Path(path) not in made:
            made.append(Path(path))
            if len(made) == 1:
                made[0].rmdir()
        return real(path, *how)

    monkeypatch.setattr(os, "open", opened)
    with scratch_folder(tmp_path, "scratch-") as folder:
        monkeypatch.undo()
        assert folder.exists()
        assert folder == made[1] != made[0]
    assert list(tmp_path.iterdir()) == []
