"""`switch`, `mode`, `glass`, `clock`: stopping works beside a running gateway, and without the database."""

import sqlite3
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from interlock.door.cli.person import user_name


@pytest.mark.promise("stop")
def test_a_switch_stops_its_scope_until_it_is_taken_back(shell: Shell) -> None:
    shell.publish()
    thrown = shell.data("switch", "stop", "--tool", "refund")
    assert (thrown["kind"], thrown["scope"], thrown["in_flight"]) == ("stop", "tool=refund", [])
    assert shell.refund("INV-1", 20, code=5)["reason"] == "stopped"
    assert shell.data("call", "look", '{"invoice":"I"}')["outcome"] == "done"
    assert [each["id"] for each in shell.data("switch", "show")["switches"]] == [thrown["id"]]
    assert [each["id"] for each in shell.data("switch", "resume", thrown["id"])["taken_back"]] == [thrown["id"]]
    assert shell.refund("INV-1", 20)["outcome"] == "done"
    assert shell("switch", "resume") == "nothing was stopped\n"


def test_a_switch_may_leave_reads_or_previews(on_file: Shell) -> None:
    on_file.publish()
    on_file("switch", "suggest")
    assert on_file.refund("INV-1", 20, code=4)["outcome"] == "suggested"
    on_file("switch", "read-only")
    assert on_file.refund("INV-1", 20, code=5)["reason"] == "stopped"
    err = on_file.failed("switch", "resume")
    assert "several switches are thrown" in err
    assert "no switch has the id `s1`" in on_file.failed("switch", "resume", "s1")
    assert len(on_file.data("switch", "resume", "--all")["taken_back"]) == 2
    assert "is no effect class" in on_file.unmeant("switch", "stop", "--class", "write")
    assert "is no name" in on_file.unmeant("switch", "stop", "--tool", "a b")


def test_the_screen_of_a_switch(demo: Shell) -> None:
    demo.publish()
    assert steady(demo("switch", "stop", "--workflow", "shop", "--as", "kim")) == snapshot("""\
switch       S1_____ (stop)
scope        workflow=shop
from now on  nothing starts
by           kim (demo:os:UID), 2026-01-01 13:00:00 +01:00
take back    `interlock switch resume S1_____`

in flight: nothing
""")
    demo.clock.forward(minutes=3)
    assert steady(demo("switch", "show")) == snapshot("""\
SWITCH   KIND  BY   THROWN     SCOPE
S1_____  stop  kim  3 min ago  workflow=shop

in flight: nothing
""")


@pytest.mark.promise("stop")
def test_a_stop_on_a_locked_database_leaves_a_file_that_stops_everything(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_file.publish()
    monkeypatch.setattr("interlock.store.sqlite.BUSY_SECONDS_MAX", 0.05)
    frozen = sqlite3.connect(on_file.where, isolation_level=None)
    frozen.execute("begin immediate")
    said = on_file("switch", "stop", "--tool", "refund")
    assert "everything on this database, in every tenant" in said
    assert "the database did not take the switch" in on_file.err
    file = Path(f"{on_file.where}.stop")
    assert user_name() in file.read_text(encoding="utf-8")
    frozen.execute("rollback")
    frozen.close()
    assert on_file.refund("INV-1", 20, code=5)["reason"] == "stopped"
    assert on_file.data("switch", "show")["stop_file"] == str(file)
    assert on_file.data("switch", "resume")["stop_file_removed"] is True
    assert not file.exists()
    assert on_file.refund("INV-1", 20)["outcome"] == "done"


@pytest.mark.promise("stop")
def test_a_stop_on_a_broken_database_or_without_its_keys_leaves_the_file_too(on_file: Shell, tmp_path: Path) -> None:
    Path(on_file.where).write_bytes(b"this is no database" * 100)
    said = on_file.data("switch", "stop")
    assert said == {"stop_file": f"{on_file.where}.stop", "in_flight": None}
    assert Path(said["stop_file"]).is_file()
    assert "keys of this store are not in" in on_file.failed("switch", "suggest")


def test_a_stop_of_a_store_that_is_not_there_is_an_error(on_file: Shell) -> None:
    assert "there is no store at" in on_file.failed("switch", "stop")
    assert not Path(f"{on_file.where}.stop").exists()


def test_the_mode_of_a_workflow_is_shown_and_changed(shell: Shell) -> None:
    shell.publish()
    changed = shell.data("mode", "shop", "--env", "prod", "read-only")
    assert (changed["before"], changed["mode"], changed["epoch"]) == ("act", "read_only", 2)
    assert shell.refund("INV-1", 20, code=5)["reason"] == "policy"
    (published,) = shell.data("mode")["published"]
    assert (published["workflow"], published["environment"], published["mode"]) == ("shop", "prod", "read_only")
    assert "`fly` is no mode" in shell.unmeant("mode", "shop", "fly")
    assert "no contract is published for `other`" in shell.failed("mode", "other")
    assert "nothing is published for `other`" in shell.failed("mode", "other", "act")


def test_broken_glass_lifts_a_mode_for_a_while(on_file: Shell) -> None:
    on_file.publish()
    on_file("mode", "shop", "read_only")
    broken = on_file.data("glass", "--for", "15m", "--workflow", "shop")
    assert broken["until"] == "2026-01-01T12:15:00.000000Z"
    assert on_file.refund("INV-1", 20)["outcome"] == "done"
    assert f"glass `{broken['id']}`" in on_file("switch", "show")
    on_file.clock.forward(minutes=15)
    assert on_file.refund("INV-2", 20, code=5)["reason"] == "policy"
    for span in ("0s", "soon", "15", "-5m"):
        assert "no span of time" in on_file.unmeant("glass", f"--for={span}")


def test_a_clock_is_vouched_for(shell: Shell) -> None:
    shell.publish()
    assert shell.data("clock", "accept")["accepted"] == "2026-01-01T12:00:00.000000Z"
    entries = shell("clock", "accept")
    assert entries.startswith("accepted: it is 2026-01-01 13:00:00 +01:00, by the word of")


@pytest.mark.promise("stop")
def test_a_stop_that_can_be_written_nowhere_says_that_nothing_is_stopped(on_file: Shell) -> None:
    on_file.publish()
    Path(on_file.where).write_bytes(b"no database")
    Path(f"{on_file.where}.stop").symlink_to(on_file.folder / "nowhere" / "stop")
    assert "NOTHING IS STOPPED" in on_file.failed("switch", "stop")
