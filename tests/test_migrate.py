"""From one version of the tables to the next: a step is whole or not at all, and nothing is guessed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from command_line import Shell, shell_on
from interlock import app
from interlock.core.action import ActionState
from interlock.core.errors import StoreClosed
from interlock.core.ids import ActionId, RunId, TenantId
from interlock.ports import Wanted
from interlock.store import migrate, queries, schema
from interlock.store.kept import StoredRows
from interlock.store.load import Stored
from interlock.store.migrate import Changeable, Step, carry_out
from interlock.store.sqlite import SqliteDatabase
from postgres import Server

NOW, NEXT = schema.VERSION, schema.VERSION + 1
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
    """Pretend that this program writes one version more."""
    step = Step(to=NEXT, says="heads have a remark", run=run)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(schema, "VERSION", NEXT)
    monkeypatch.setattr(migrate, "STEPS", (*migrate.STEPS, step))


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
    assert f"would do      {NEXT}: heads have a remark" in said
    assert "keep a backup" in said
    assert app.look_at(shell.where).version == NOW
    assert shell.data("migrate") == {
        "version": NOW,
        "writes": NEXT,
        "dry_run": False,
        "steps": [{"to": NEXT, "says": "heads have a remark"}],
    }
    assert app.look_at(shell.where).version == NEXT
    assert "nothing: the versions agree" in shell("migrate")


@WHERE
def test_a_step_that_fails_leaves_the_version_before_it_whole(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as pretend:
        made_up(pretend, break_off)
        shell.failed("migrate")
    assert app.look_at(shell.where).version == NOW
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


def as_of_version_1(shell: Shell) -> None:
    """Turn the tables into those of version 1, with all that is in them."""
    db = app._any_version(shell.where)  # pyright: ignore[reportPrivateUsage]
    for each in (
        "drop index action_changed",
        "drop index action_run",
        "create index action_run on action (tenant, run)",
        "drop index budget_period",
        "alter table budget drop column period",
        "drop table memo",
        "update version set number = 1",
    ):
        db.run(each)
    db.close()


@WHERE
def test_a_filled_store_of_version_1_is_what_it_was_once_it_is_migrated(shell: Shell) -> None:
    for n in range(5):
        shell.refund(f"PAID-{n}", 5 + n, "--run", f"r{n % 2}")
    shell.parked()
    looks = (["action", "list"], ["action", "list", "--state", "done"], ["budget", "show", "--run", "r1"])
    looks += (["budget", "show", "--all"], ["action", "list", "--run", "r1"])
    before = [shell.data(*words) for words in looks]
    assert [len(each) for each in before[:2]] == [6, 5]
    assert any(each["budget"].endswith("run:r1") for each in before[2])
    as_of_version_1(shell)
    assert "has version 1" in shell.failed("action", "list")
    assert [step["to"] for step in shell.data("migrate")["steps"]] == [2, 3]
    assert [shell.data(*words) for words in looks] == before
    assert "sound" in shell("ledger", "verify", "--state")
    shell.refund("INV-9", 7)
    assert "sound" in shell("ledger", "verify", "--state")


@pytest.mark.parametrize("store", ["sqlite"])
def test_a_list_finds_the_newest_in_an_index_and_sorts_no_history(shell: Shell) -> None:
    db = app._any_version(shell.where)  # pyright: ignore[reportPrivateUsage]
    for wanted in (Wanted(), Wanted(run=RunId("r1")), Wanted(states=frozenset({ActionState.DONE}))):
        plan = Planned(db)
        queries.actions(Stored(cast("Any", plan), cast("Any", None), TenantId("acme")), wanted)
        assert "SEARCH action USING INDEX action_" in plan.told
        assert "TEMP B-TREE FOR ORDER BY" not in plan.told
    runs = Planned(db)
    queries.actions(Stored(cast("Any", runs), cast("Any", None), TenantId("acme")), Wanted(latest_of_run=True))
    assert "SEARCH action USING INDEX action_changed" in runs.told
    assert "SEARCH later USING INDEX action_run (tenant=? AND run=?" in runs.told
    assert "TEMP B-TREE FOR ORDER BY" not in runs.told
    both = Planned(db)
    wanted = Wanted(states=frozenset({ActionState.DONE, ActionState.FAILED}), limit=5)
    queries.actions(Stored(cast("Any", both), cast("Any", None), TenantId("acme")), wanted)
    assert both.told.count("SEARCH action USING INDEX action_state") == 2, "the newest five of each state, then sorted"
    undoing = Planned(db)
    queries.actions(Stored(cast("Any", undoing), cast("Any", None), TenantId("acme")), Wanted(undo_of=ActionId("a1")))
    assert "SEARCH action USING INDEX action_undo" in undoing.told
    of_one = Planned(db)
    queries.entries_of(Stored(cast("Any", of_one), cast("Any", None), TenantId("acme")), ActionId("a1"))
    assert "SEARCH entry USING INDEX entry_action (tenant=? AND action=?)" in of_one.told
    of_some = Planned(db)
    rows = StoredRows(Stored(cast("Any", of_some), cast("Any", None), TenantId("acme")))
    assert list(rows.entries(["a1", "a2"], {})) == []
    assert "SEARCH entry USING INDEX entry_action (tenant=? AND action=?)" in of_some.told
    assert list(rows.changes()) == []
    assert "SEARCH entry USING INDEX entry_action (tenant=? AND action=?)" in of_some.told
    db.close()


@dataclass
class Planned:
    """Asks the database how it would answer, and answers nothing."""

    db: Any
    told: str = ""

    within: str = SqliteDatabase.within

    def names(self, names: Sequence[str]) -> str:
        return self.db.names(names)

    def take_time(self) -> None:
        self.db.take_time()

    def query(self, sql: str, params: object) -> tuple[()]:
        self.told = " ".join(str(line) for line in self.db.query(f"explain query plan {sql}", params))
        return ()


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
    assert app.look_at(shell.where).version == NOW
