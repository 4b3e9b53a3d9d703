"""Tools of a small customer list: its contacts are in a SQLite file beside this one, made at the first look.

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
create table if not exists contact (id text primary key, name text, email text, phone text, merged_into text);
insert or ignore into contact values
  ('C-1', 'Ada Byron', 'ada@example.com', '555 0100', null),
  ('C-2', 'A. Byron', 'ada@example.com', '', null),
  ('C-3', 'Ben Okri', 'ben@example.com', '555-0199', null);
"""


@dataclass(frozen=True)
class Contact:
    """Someone we know."""

    contact: str
    name: str
    email: str
    phone: str
    merged_into: str | None


def find_contact(contact: str) -> Contact:
    """Say what is known of a contact."""
    with _data() as db:
        return _contact(db, contact)


def find_duplicates() -> list[list[str]]:
    """List contacts that have the same address: the oldest first in each group."""
    sql = "select email, group_concat(id) from contact where merged_into is null group by email having count(*) > 1"
    with _data() as db:
        return [sorted(ids.split(",")) for _, ids in db.execute(sql).fetchall()]


def have_one_address(keep: str, drop: str) -> bool:
    """Say whether two contacts have the same address, so that they may be one person."""
    with _data() as db:
        return keep != drop and _contact(db, keep).email == _contact(db, drop).email


def set_phone(contact: str, old: str, new: str) -> Contact:
    """Correct the phone number of a contact; `old` is the one that you saw."""
    with _data() as db:
        found = _contact(db, contact)
        if found.phone not in (old, new):
            # Whoever raises this is sure that nothing has happened.
            raise UpstreamFailed("the number is another one by now", fix="look again")
        db.execute("update contact set phone = ? where id = ?", (new, contact))
        return _contact(db, contact)


def restore_phone(contact: str, phone: str) -> Contact:
    """Put a phone number back. Doing it twice changes nothing."""
    with _data() as db:
        db.execute("update contact set phone = ? where id = ?", (phone, contact))
        return _contact(db, contact)


def merge_contacts(keep: str, drop: str) -> Contact:
    """Make one contact of two: `drop` stays as a note that points to `keep`."""
    with _data() as db:
        _contact(db, keep)
        _contact(db, drop)
        db.execute("update contact set merged_into = ? where id = ?", (keep, drop))
        return _contact(db, drop)


def split_contact(contact: str) -> Contact:
    """Let a contact that was merged stand for itself again. Doing it twice changes nothing."""
    with _data() as db:
        db.execute("update contact set merged_into = null where id = ?", (contact,))
        return _contact(db, contact)


def delete_contact(contact: str) -> str:
    """Remove a contact for good."""
    with _data() as db:
        db.execute("delete from contact where id = ?", (contact,))
    return f"{contact} is deleted"


def _contact(db: sqlite3.Connection, contact: str) -> Contact:
    sql = "select id, name, email, phone, merged_into from contact where id = ?"
    found = db.execute(sql, (contact,)).fetchone()
    if found is None:
        raise UpstreamFailed("there is no such contact", fix="look the number up")
    return Contact(*found)


@contextmanager
def _data() -> Generator[sqlite3.Connection]:
    """Open the file for one piece of work, all of which is kept, or nothing."""
    with closing(sqlite3.connect(DATA, timeout=5)) as db, db:
        db.executescript(TABLES)
        yield db
