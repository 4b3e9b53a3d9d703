"""Tools of a small directory: who may use which system is in a SQLite file beside this one, made at the first look.

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
create table if not exists employee (id text primary key, admin integer default 0);
create table if not exists access (employee text, system text, primary key (employee, system));
insert or ignore into employee (id) values ('sam'), ('kim'), ('lee');
"""
SYSTEMS = frozenset({"wiki", "chat", "crm", "payroll", "production"})


@dataclass(frozen=True)
class Access:
    """The right to use a system."""

    user: str
    system: str


def list_access(user: str) -> list[str]:
    """List the systems that a user may use."""
    with _data() as db:
        found = db.execute("select system from access where employee = ? order by system", (user,)).fetchall()
    return [system for (system,) in found]


def is_employed(user: str) -> bool:
    """Say whether a user works here."""
    with _data() as db:
        return db.execute("select 1 from employee where id = ?", (user,)).fetchone() is not None


def has_access(user: str, system: str) -> bool:
    """Say whether a user may use a system."""
    return system in list_access(user)


def grant_access(user: str, system: str) -> Access:
    """Let a user into a system: wiki, chat, crm, payroll or production."""
    if system not in SYSTEMS:
        # Whoever raises this is sure that nothing has happened.
        raise UpstreamFailed("there is no such system", fix="name one that is there")
    with _data() as db:
        db.execute("insert or ignore into access values (?, ?)", (user, system))
    return Access(user=user, system=system)


def revoke_access(user: str, system: str) -> Access:
    """Shut a user out of a system. Doing it twice changes nothing."""
    with _data() as db:
        db.execute("delete from access where employee = ? and system = ?", (user, system))
    return Access(user=user, system=system)


def make_admin(user: str) -> str:
    """Give a user every right there is."""
    with _data() as db:
        db.execute("update employee set admin = 1 where id = ?", (user,))
    return f"{user} is an administrator"


@contextmanager
def _data() -> Generator[sqlite3.Connection]:
    """Open the file for one piece of work, all of which is kept, or nothing."""
    with closing(sqlite3.connect(DATA, timeout=5)) as db, db:
        db.executescript(TABLES)
        yield db
