"""Of a key that was destroyed no byte is left where keys are kept."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from secrets import token_bytes, token_hex

import psycopg
import pytest

from interlock.core.errors import StoreBusy
from interlock.secret.keys import SqliteKeys
from interlock.secret.postgres_keys import PostgresKeys
from postgres import Server

pytestmark = pytest.mark.promise("forget")

OTHERS = [f"subject{number}" for number in range(40)]


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    yield postgres_server.a_database(f"keys{token_hex(4)}")


def tables_of(server: Server) -> bytes:
    """Return every table as it lies on the disk. The write-ahead log is somewhere else."""
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("checkpoint")
    return b"".join(file.read_bytes() for file in (server.folder / "base").rglob("*") if file.is_file())


def filled(keys: SqliteKeys | PostgresKeys) -> bytes:
    """Make some keys, and return the one that is destroyed later."""
    for name in OTHERS:
        keys.find_or_make(name, lambda: token_bytes(32))
    key = keys.find_or_make("zoe", lambda: token_bytes(32))
    assert key is not None
    return key


def test_a_destroyed_key_is_in_no_file_of_sqlite(tmp_path: Path) -> None:
    with closing(SqliteKeys(tmp_path / "keys.db")) as keys:
        key = filled(keys)
        assert any(key in file.read_bytes() for file in tmp_path.iterdir())
        keys.destroy("zoe")
        assert not any(key in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_however_many_subjects_there_are_a_process_remembers_a_bounded_number_of_keys(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.secret.keys._REMEMBERED_MAX", 3)
    made = SqliteKeys(tmp_path / "keys.db") if kind == "sqlite" else PostgresKeys(request.getfixturevalue("url"))
    with closing(made) as keys:
        filled(keys)
        first = {name: keys.find(name) for name in OTHERS}
        assert {name: keys.find_or_make(name, lambda: token_bytes(32)) for name in OTHERS} == first
        assert len(vars(keys)["_known"]) <= 3


def test_a_destroyed_key_is_in_no_table_of_postgres(url: str, postgres_server: Server) -> None:
    with closing(PostgresKeys(url)) as keys:
        key = filled(keys)
        assert key in tables_of(postgres_server)
        assert keys.destroy("zoe", OTHERS[0]) == 2
        assert key not in tables_of(postgres_server)
        assert all(keys.find(name) for name in OTHERS[1:])


READS = {
    "the keys": ("read committed", "select count(*) from interlock_key"),
    "something else, and could read them as they were": ("repeatable read", "select count(*) from pg_class"),
}


@pytest.mark.parametrize("what", READS)
def test_whoever_reads_on_postgres_is_told_of_and_the_bytes_go_the_next_time(
    url: str, postgres_server: Server, what: str
) -> None:
    level, query = READS[what]
    with closing(PostgresKeys(url)) as keys:
        key = filled(keys)
        with psycopg.connect(url) as dump:
            dump.execute(f"set transaction isolation level {level}".encode())
            dump.execute(query.encode())
            with pytest.raises(StoreBusy, match="destroyed, and its bytes are still in the table"):
                keys.destroy("zoe")
            assert keys.find("zoe") is None
        keys.destroy("zoe")
        assert key not in tables_of(postgres_server)


def test_keys_of_a_backup_are_destroyed_together(url: str) -> None:
    with closing(PostgresKeys(url)) as keys:
        filled(keys)
        taken = keys.take_in({"zoe": None, OTHERS[0]: None, "nobody": None, "eve": token_bytes(32)})
        assert (taken.destroyed, taken.added) == (2, 1)
        assert keys.all()["nobody"] is None
