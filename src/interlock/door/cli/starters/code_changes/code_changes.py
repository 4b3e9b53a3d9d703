"""Tools of a small code host: files and changes are in a SQLite file beside this one, made at the first look.

Each public function is a tool: its types are its schema, its docstring is what agents read. Who may call it stands in
`contract.yaml`. Put your own systems in place of the file, one function at a time.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.core.errors import UpstreamFailed

DATA = Path(__file__).with_suffix(".db")
TABLES = """
create table if not exists file (path text primary key, text text);
create table if not exists change (
  id integer primary key, key text unique, path text, text text, before text, state text, tests text);
insert or ignore into file values ('README', 'Our product.'), ('limits.toml', 'refund_max = 50');
insert or ignore into change values
  (1, 'first', 'README', 'Our product, explained.', '', 'open', 'pass'),
  (2, 'second', 'limits.toml', 'refund_max = "fifty"', '', 'open', 'fail');
"""


@dataclass(frozen=True)
class Change:
    """A new text for a file: open, merged, withdrawn or reverted."""

    change: str
    path: str
    text: str
    state: str


def read_file(path: str) -> str:
    """Read a file as it is on the main branch."""
    with _data() as db:
        found = db.execute("select text from file where path = ?", (path,)).fetchone()
    if found is None:
        # Whoever raises this is sure that nothing has happened.
        raise UpstreamFailed("there is no such file", fix="list what is there")
    return found[0]


def find_change(change: str) -> Change:
    """Say what a change would make of a file, and where it stands."""
    with _data() as db:
        return _change(db, change)


def passes_tests(change: str) -> bool:
    """Say whether the tests pass with a change."""
    with _data() as db:
        return db.execute("select tests from change where id = ?", (_number(change),)).fetchone() == ("pass",)


def propose_change(path: str, text: str, idempotency_key: str) -> Change:
    """Propose a new text for a file, beside the main branch. Nothing is merged by it."""
    with _data() as db:
        # The key makes a repetition harmless: it finds the change that is there.
        sql = "insert into change (key, path, text, before, state, tests) values (?, ?, ?, '', 'open', 'pass')"
        db.execute(f"{sql} on conflict (key) do nothing", (idempotency_key, path, text))
        (number,) = db.execute("select id from change where key = ?", (idempotency_key,)).fetchone()
        return _change(db, f"C-{number}")


def withdraw_change(change: str) -> Change:
    """Take a proposal back. Doing it twice changes nothing."""
    with _data() as db:
        db.execute("update change set state = 'withdrawn' where id = ? and state = 'open'", (_number(change),))
        return _change(db, change)


def merge_change(change: str) -> Change:
    """Bring an open change into the main branch."""
    with _data() as db:
        found = _change(db, change)
        if found.state == "open":
            old = db.execute("select text from file where path = ?", (found.path,)).fetchone()
            before = old[0] if old else None
            db.execute("insert or replace into file values (?, ?)", (found.path, found.text))
            db.execute("update change set state = 'merged', before = ? where id = ?", (before, _number(change)))
        elif found.state != "merged":
            raise UpstreamFailed(f"the change is {found.state}", fix="propose it anew")
        return _change(db, change)


def revert_change(change: str) -> Change:
    """Put the main branch back to how it was before a change. Doing it twice changes nothing."""
    with _data() as db:
        found = _change(db, change)
        if found.state == "merged":
            (before,) = db.execute("select before from change where id = ?", (_number(change),)).fetchone()
            db.execute("delete from file where path = ?", (found.path,))
            if before is not None:
                db.execute("insert into file values (?, ?)", (found.path, before))
            db.execute("update change set state = 'reverted' where id = ?", (_number(change),))
        return _change(db, change)


def rewrite_history() -> str:
    """Forget every change that was ever made."""
    with _data() as db:
        db.execute("delete from change")
    return "nobody will ever know"


def _change(db: sqlite3.Connection, change: str) -> Change:
    found = db.execute("select path, text, state from change where id = ?", (_number(change),)).fetchone()
    if found is None:
        raise UpstreamFailed("there is no such change", fix="look the number up")
    return Change(change, *found)


def _number(change: str) -> str:
    return change.removeprefix("C-")


@contextmanager
def _data() -> Generator[sqlite3.Connection]:
    """Open the file for one piece of work, all of which is kept, or nothing."""
    with closing(sqlite3.connect(DATA, timeout=5)) as db, db:
        db.executescript(TABLES)
        yield db
