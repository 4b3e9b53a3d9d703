"""`doctor`: each thing is broken for real, and its check turns. It changes nothing, and ends without a traceback."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from test_cli_width import too_wide

import command_line
from command_line import Shell
from interlock import app
from interlock.door.cli import doctor_machine as machine
from interlock.door.cli.doctor_check import State, tried
from postgres import Server

pytestmark = pytest.mark.slow


def states(shell: Shell, *more: str, code: int | None = None) -> dict[str, str]:
    """Each check with how it stands; the worst, where one has several lines."""
    ended, out = shell.run("doctor", "--json", *more)
    data = json.loads(out)
    assert ended == (0 if data["ok"] else 1) and code in (None, ended), out
    order = ["ok", "warning", "wrong"]
    worst: dict[str, str] = {}
    for each in data["checks"]:
        assert each["fix"] or each["state"] == "ok", each
        worst[each["check"]] = max(each["state"], worst.get(each["check"], "ok"), key=order.index)
    return worst


def said_of(shell: Shell, check: str, *more: str) -> str:
    _, out = shell.run("doctor", "--json", *more)
    return " | ".join(
        f"{each['found']} -> {each['fix']}" for each in json.loads(out)["checks"] if each["check"] == check
    )


@pytest.fixture
def open_shop(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shop that is rehearsing, and in good health."""
    monkeypatch.setenv("COLUMNS", "80")
    on_file.contract()
    text = Path("shop.yaml").read_text(encoding="utf-8").replace("{ prod: {", "{ dev: {")
    Path("shop.yaml").write_text(text, encoding="utf-8")
    on_file("contract", "publish", "shop.yaml", "--env", "dev")
    on_file.refund("INV-1", 5)
    assert set(states(on_file, code=0).values()) == {"ok"}
    return on_file


@pytest.fixture
def own_database(
    postgres_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Shell:
    where = postgres_server.a_database(f"doctor_{abs(hash(request.node.name))}")
    return command_line.shell_on(where, tmp_path, capsys)


def test_without_a_store_it_says_how_to_begin(on_file: Shell) -> None:
    assert states(on_file, code=0)["store"] == "warning"
    assert "interlock contract init" in said_of(on_file, "store")
    assert list(on_file.folder.iterdir()) == []


def test_a_database_without_tables_is_left_without(own_database: Shell) -> None:
    assert (states(own_database)["store"], states(own_database)["keys"]) == ("warning", "ok")
    with psycopg.connect(own_database.where) as db:
        assert db.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
    assert list(own_database.folder.iterdir()) == []


def test_it_changes_nothing(open_shop: Shell) -> None:
    def bytes_of() -> dict[str, str]:
        files = [path for path in open_shop.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}

    before = bytes_of()
    open_shop("doctor")
    open_shop("doctor", "--json")
    assert bytes_of() == before


def test_the_screen_fits_and_ends_with_the_sum(open_shop: Shell) -> None:
    open_shop("switch", "stop", "--tool", "close_account")
    (open_shop.folder / "keys" / "master.seed").chmod(0o644)
    said = open_shop("doctor", code=1)
    assert too_wide(said) == []
    assert "wrong    keys         others can read" in said
    assert said.splitlines()[-1].startswith("1 wrong, ")


def test_on_postgres_it_looks_at_what_durability_hangs_on(own_database: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    own_database.publish()
    name = own_database.where.partition("?")[0].rpartition("/")[2]
    found = states(own_database)
    assert (found["store"], found["ledger"], found["contracts"]) == ("ok", "ok", "ok")
    with psycopg.connect(own_database.where, autocommit=True) as db:
        db.execute(sql.SQL("alter database {} set synchronous_commit = off").format(sql.Identifier(name)))
    assert states(own_database, code=1)["durability"] == "wrong"
    assert "`synchronous_commit = off`" in said_of(own_database, "durability")
    own_database.real_time = True
    assert states(own_database).get("clock") == "ok"
    own_database.real_time = False
    own_database.clock.jump(seconds=-3_600)
    assert "the database's clock, which counts" in said_of(own_database, "clock")
    own_database.where = own_database.where.replace(f"/{name}?", "/nowhere?")
    assert states(own_database, code=1)["store"] == "wrong"


def drop(path: str) -> Callable[[Shell], object]:
    return lambda shell: (shell.folder / path).unlink()


def mode(path: str, bits: int) -> Callable[[Shell], object]:
    return lambda shell: (shell.folder / path).chmod(bits)


def write(path: str, text: str) -> Callable[[Shell], object]:
    return lambda shell: (shell.folder / path).write_text(text, encoding="utf-8")


def execute(statement: str) -> Callable[[Shell], object]:
    def run(shell: Shell) -> None:
        with sqlite3.connect(shell.where) as db:
            db.execute(statement)
        db.close()

    return run


def types(*words: str) -> Callable[[Shell], object]:
    return lambda shell: shell(*words)


def cut_in_half(shell: Shell) -> None:
    with open(shell.where, "r+b") as file:
        file.truncate(Path(shell.where).stat().st_size // 2)


def in_a_git_work_tree(shell: Shell) -> None:
    subprocess.run(["git", "init", "-q", str(shell.folder)], check=True)


def kept_by_git(shell: Shell) -> None:
    in_a_git_work_tree(shell)
    subprocess.run(["git", "add", "keys/master.seed"], cwd=shell.folder, check=True)


def keys_beside_the_database(shell: Shell) -> None:
    shutil.copy(shell.where, shell.folder / "keys" / "interlock.db")
    shell.where = str(shell.folder / "keys" / "interlock.db")


def without_people(shell: Shell) -> None:
    text = Path("shop.yaml").read_text(encoding="utf-8")
    Path("shop.yaml").write_text(text.replace("approvers: [lead]", "approvers: [boss]"), encoding="utf-8")
    shell("contract", "publish", "shop.yaml", "--env", "dev")


def with_what_is_not_enforced(shell: Shell) -> None:
    with Path("shop.yaml").open("a", encoding="utf-8") as file:
        file.write("redaction: { pii: true }\n")
    shell("contract", "publish", "shop.yaml", "--env", "dev")


def a_tool_that_is_not_there(shell: Shell) -> None:
    Path("elsewhere.py").write_text('def look(invoice: str) -> str:\n    """Look."""\n    return invoice\n', "utf-8")
    text = Path("shop.yaml").read_text(encoding="utf-8")
    Path("shop.yaml").write_text(text.replace("corner_shop:look", "elsewhere:look"), encoding="utf-8")
    shell("contract", "publish", "shop.yaml", "--env", "dev")
    Path("elsewhere.py").unlink()
    del sys.modules["elsewhere"]


def out_of_a_backup(shell: Shell) -> None:
    shell("backup", "all.backup")
    shell.where = str(shell.folder / "again.db")
    shell("restore", "all.backup")


def about_to_expire(shell: Shell) -> None:
    shell.parked()
    shell.clock.forward(minutes=30)


def clock_set_back(shell: Shell) -> None:
    shell.clock.jump(seconds=-3_600)


def nobody_attends(shell: Shell) -> None:
    shell.publish(**{"interlock: 1\n": "interlock: 1\nretention: { payloads: 30d }\n"})
    shell.refund("INV-1", 5, "--env", "prod")
    shell.clock.forward(days=70)


def another_key(shell: Shell) -> None:
    (shell.folder / "keys" / "master.seed").write_bytes(bytes(32))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "turns", "break_it", "says"),
    [
        ("keys", "wrong", mode("keys/master.seed", 0o640), "chmod 600"),
        ("keys", "wrong", mode("keys/keys.db", 0o644), "chmod 600"),
        ("keys", "warning", mode("keys", 0o755), "chmod 700"),
        ("keys", "wrong", drop("keys/master.seed"), "are not in"),
        ("keys", "wrong", drop("keys/keys.db"), "no payload can be read"),
        ("keys", "wrong", write("keys/master.seed", "short"), "is not a master seed"),
        ("keys apart", "warning", in_a_git_work_tree, "to .gitignore"),
        ("keys apart", "wrong", kept_by_git, "git rm --cached"),
        ("keys apart", "warning", keys_beside_the_database, "in the folder of the database"),
        ("store", "wrong", cut_in_half, "interlock restore FILE"),
        ("store", "wrong", write("interlock.db", "no database at all, but a text"), "interlock restore FILE"),
        ("store", "wrong", execute("update version set number = 99"), "use the version of Interlock that wrote it"),
        ("ledger", "wrong", another_key, "keys of another store, name its own with `--keys`"),
        ("ledger", "wrong", execute("update head set mac = zeroblob(32)"), "was not written by this installation"),
        ("ledger", "wrong", execute("update door set body = mac"), "was not written by this installation"),
        ("waiting", "wrong", execute("update action set state = 'parked', mac = x'00'"), "ledger verify --state"),
        ("stopped", "wrong", write("interlock.db.stop", ""), "interlock switch resume"),
        ("stopped", "wrong", out_of_a_backup, "interlock ledger adopt"),
        ("stopped", "warning", types("switch", "stop"), "interlock switch resume"),
        ("stopped", "warning", types("glass", "--for", "15m"), "it ends in"),
        ("contracts", "warning", without_people, "nobody holds the role `boss`"),
        ("contracts", "warning", with_what_is_not_enforced, "not enforced in this version: `redaction`"),
        ("contracts", "wrong", a_tool_that_is_not_there, "`look` cannot be carried out here"),
        ("waiting", "warning", about_to_expire, "parked, and within the hour too late"),
        ("expiry", "warning", nobody_attends, "1 lot is readable past their days: 2026-01/30"),
        ("clock", "wrong", clock_set_back, "was set back"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", None),
)  # fmt: skip
def test_what_is_broken_is_seen(
    open_shop: Shell, check: str, turns: str, break_it: Callable[[Shell], object], says: str
) -> None:
    break_it(open_shop)
    assert states(open_shop)[check] == turns
    assert says in said_of(open_shop, check)


def test_what_git_ignores_is_well(open_shop: Shell) -> None:
    in_a_git_work_tree(open_shop)
    (open_shop.folder / ".gitignore").write_text("keys/\n", encoding="utf-8")
    assert states(open_shop)["keys apart"] == "ok"
    shutil.rmtree(open_shop.folder / ".git" / "objects")
    assert "git does not say" in said_of(open_shop, "keys apart")


def test_in_production_a_copy_of_one_is_not_to_take_the_other_along(open_shop: Shell) -> None:
    open_shop.publish()
    assert states(open_shop)["keys apart"] == "warning"
    assert "a copy of one takes the other along" in said_of(open_shop, "keys apart")


def test_what_nobody_knows_the_end_of_waits_for_a_person(open_shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "/nowhere/at/all.log")
    id = open_shop.refund("INV-3", 5, code=7)["action"]
    assert states(open_shop)["waiting"] == "warning"
    assert f"1 action is uncertain: {id} (refund)" in said_of(open_shop, "waiting")


def test_an_anchor_that_is_old_or_knows_more_is_seen(open_shop: Shell) -> None:
    open_shop("ledger", "anchor", "--to", "anchors.jsonl")
    assert states(open_shop, "--anchors", "anchors.jsonl", code=0)["anchor"] == "ok"
    open_shop.clock.forward(days=8)
    assert states(open_shop, "--anchors", "anchors.jsonl")["anchor"] == "warning"
    assert "8 days old" in said_of(open_shop, "anchor", "--anchors", "anchors.jsonl")
    assert "has none of this ledger" in said_of(open_shop, "anchor", "--anchors", "none.jsonl")
    for file in open_shop.folder.glob("interlock.db*"):
        shutil.copy(file, open_shop.folder / f"old.{file.name}")
    open_shop.refund("INV-4", 5)
    open_shop("ledger", "anchor", "--to", "anchors.jsonl")
    for file in open_shop.folder.glob("old.interlock.db*"):
        file.rename(open_shop.folder / file.name.removeprefix("old."))
    assert "entries more than the ledger has" in said_of(open_shop, "anchor", "--anchors", "anchors.jsonl")
    Path("anchors.jsonl").write_text("torn", encoding="utf-8")
    assert states(open_shop, "--anchors", "anchors.jsonl", code=1)["anchor"] == "wrong"


def test_a_process_that_performs_is_named(open_shop: Shell) -> None:
    with app.right_to_perform(open_shop.where):
        assert f"process {os.getpid()} performs" in said_of(open_shop, "performing")
    assert "of no account" in said_of(open_shop, "performing")


@pytest.fixture
def somebody_else() -> Generator[Callable[[], None]]:
    """Be a user with no special rights, where the tests run as one who has them."""
    yield lambda: os.seteuid(65534) if os.geteuid() == 0 else None
    if os.getuid() == 0:
        os.seteuid(0)


def test_a_folder_that_cannot_be_written_is_seen(open_shop: Shell, somebody_else: Callable[[], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="interlock-doctor-") as folder:
        shutil.copy(open_shop.where, folder)
        open_shop.where = str(Path(folder, "interlock.db"))
        Path(folder).chmod(0o555)
        somebody_else()
        try:
            assert states(open_shop)["store"] == "wrong"
            assert "cannot be written" in said_of(open_shop, "store")
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            Path(folder).chmod(0o700)


def test_a_disk_that_is_short_is_seen(open_shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(open_shop.folder).free
    monkeypatch.setattr(machine, "DISK_FREE_BYTES_MIN", free // 4)
    assert states(open_shop, code=0)["disk"] == "warning"
    monkeypatch.setattr(machine, "DISK_FREE_BYTES_MIN", free * 4)
    assert states(open_shop, code=1)["disk"] == "wrong"


def test_packages_of_another_version_are_seen(open_shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("cedarpy", "3.9"), ("orjson", "3.11.0rc1")):
        folder = open_shop.folder / "installed" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(open_shop.folder / "installed"), *sys.path])
    assert states(open_shop, code=1)["packages"] == "wrong"
    said = said_of(open_shop, "packages")
    assert "`cedarpy` has version 3.9" in said
    assert "orjson" not in said


@pytest.mark.parametrize(
    ("version", "bounds", "fit"),
    [("4.12.2", "<5,>=4.12", True), ("5.0", "<5,>=4.12", False), ("4.9", ">=4.12", False), ("1", "==1.0", True)],
)
def test_versions_are_held_against_bounds(version: str, bounds: str, fit: bool) -> None:
    assert machine.fits(version, bounds) is fit


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /srv/our\\040files rw - nfs4 server:/files rw
31 22 0:31 / /run rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/home/x.db", "ext4"), ("/srv/our files/x/x.db", "nfs4"), ("/run/x.db", "tmpfs"), ("/runner/x.db", "ext4")],
)
def test_the_kind_of_a_filesystem_is_found(path: str, kind: str) -> None:
    assert machine.kind_of_filesystem(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(("kind", "turns"), [("nfs4", State.WRONG), ("tmpfs", State.WARNING), ("ext4", None)])
def test_a_file_that_others_share_or_that_does_not_last_is_seen(
    kind: str, turns: State | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(path: Path, mounts: str) -> str:
        return kind

    monkeypatch.setattr(machine, "kind_of_filesystem", found)
    assert [each.state for each in machine.filesystem(Path("x.db"))] == ([turns] if turns else [])


def test_a_clock_that_jumps_meanwhile_is_seen(open_shop: Shell) -> None:
    first = open_shop.clock.now() - open_shop.clock.boot()
    assert list(machine.clock_of_process(open_shop.clock, first)) == []
    open_shop.clock.jump(seconds=60)
    assert [each.state for each in machine.clock_of_process(open_shop.clock, first)] == [State.WRONG]


def test_a_check_that_fails_is_a_finding() -> None:
    def bug() -> list[object]:
        raise ZeroDivisionError

    (found,) = tried("any", bug)  # pyright: ignore[reportArgumentType]
    assert (found.state, found.found) == (State.WRONG, "the check itself failed (ZeroDivisionError)")


def test_each_tenant_is_looked_at_unless_one_is_named(open_shop: Shell) -> None:
    first, open_shop.tenant = open_shop.tenant, "other"
    open_shop.contract()
    open_shop("contract", "publish", "shop.yaml", "--env", "dark")
    open_shop("switch", "stop")
    code = command_line.main(["doctor", "--json", *open_shop.common[:4]])
    checks = json.loads(open_shop.capsys.readouterr().out)["checks"]
    stopped = {each["tenant"]: each["state"] for each in checks if each["check"] == "stopped"}
    assert (code, stopped) == (0, {first: "ok", "other": "warning"})
    open_shop.tenant = "strangers"
    assert "has nothing of the tenant `strangers`" in said_of(open_shop, "tenant")
