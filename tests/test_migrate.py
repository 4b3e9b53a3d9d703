"""From one version of the tables to the next: a step is whole or not at all, and nothing is guessed."""

from pathlib import Path

import pytest

from command_line import Shell, shell_on
from interlock import app
from interlock.core.errors import StoreClosed
from interlock.store import migrate, schema
from interlock.store.migrate import Changeable, Step, carry_out
from postgres import Server

WHERE = pytest.mark.parametrize("store", ["sqlite", "postgres"])


@pytest.fixture
def shell(
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    """A store of its own with a contract in force: changing its tables must not disturb others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP", str(tmp_path / "shop.log"))
    monkeypatch.setenv("COLUMNS", "80")
    where = str(tmp_path / "interlock.db")
    if store == "postgres":
        server: Server = request.getfixturevalue("postgres_server")
        where = server.a_database(f"migrate_{abs(hash(request.node.name))}")
    shell = shell_on(where, tmp_path, capsys)
    shell.publish()
    return shell


def widen(db: Changeable) -> None:
    db.run("alter table head add column remark text")
    db.run("update head set remark = 'made up'")


def break_off(db: Changeable) -> None:
    widen(db)
    raise OSError("the power went")


def made_up(monkeypatch: pytest.MonkeyPatch, run: object = widen) -> None:
    """Pretend that this program writes version 2."""
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(migrate, "STEPS", (Step(to=2, says="heads have a remark", run=run),))  # pyright: ignore[reportArgumentType]


@WHERE
def test_where_the_versions_agree_there_is_nothing_to_do(shell: Shell) -> None:
    for words in (["migrate"], ["migrate", "--dry-run"]):
        said = shell(*words)
        assert "to do         nothing: the versions agree" in said
        assert shell.data(*words)["steps"] == []


@WHERE
def test_an_older_store_is_told_what_would_change_and_then_changed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(monkeypatch)
    said = shell("migrate", "--dry-run")
    assert "would do      2: heads have a remark" in said
    assert "keep a backup" in said
    assert app.look_at(shell.where).version == 1
    assert shell.data("migrate") == {
        "version": 1,
        "writes": 2,
        "dry_run": False,
        "steps": [{"to": 2, "says": "heads have a remark"}],
    }
    assert app.look_at(shell.where).version == 2
    assert "nothing: the versions agree" in shell("migrate")


@WHERE
def test_a_step_that_fails_leaves_the_version_before_it_whole(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as pretend:
        made_up(pretend, break_off)
        shell.failed("migrate")
    assert app.look_at(shell.where).version == 1
    assert "remark" not in shell("ledger", "verify", "--state")


@WHERE
def test_who_comes_second_changes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch)
    steps = app.migration(shell.where).steps
    app.migrated(shell.where)
    db = app._any_version(shell.where)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(StoreClosed, match="by now"):
        carry_out(db, steps)
    db.close()


@WHERE
@pytest.mark.parametrize(("number", "said"), [(99, "has version 99"), (0, "no steps lead from version 0")])
def test_a_version_that_no_steps_lead_from_is_left_alone(shell: Shell, number: int, said: str) -> None:
    db = app._any_version(shell.where)  # pyright: ignore[reportPrivateUsage]
    db.run(f"update version set number = {number}")
    db.close()
    assert "interlock migrate --dry-run" in shell.failed("action", "list")
    for words in (["migrate"], ["migrate", "--dry-run"]):
        assert said in shell.failed(*words)
    assert app.look_at(shell.where).version == number


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = shell_on(str(tmp_path / "none.db"), tmp_path, capsys)
    for words in (["migrate"], ["migrate", "--dry-run"]):
        assert "there is no store" in shell.failed(*words)
    assert list(tmp_path.iterdir()) == []


def test_a_store_on_which_somebody_performs_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shell = shell_on(str(tmp_path / "interlock.db"), tmp_path, capsys)
    shell.publish()
    made_up(monkeypatch)
    with app.right_to_perform(shell.where):
        assert "another process performs" in shell.failed("migrate")
    assert app.look_at(shell.where).version == 1
