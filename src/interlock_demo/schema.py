"""The company's database: its tables, and how its tools find it."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from interlock.core.errors import UpstreamFailed

DATABASE_VARIABLE = "INTERLOCK_DEMO_DB"
"""The environment variable that names the file."""

TABLES = """
create table setting (name text primary key, value text not null) strict;
create table customer (
    id text primary key, name text not null, email text not null unique, tier text not null, note text not null
) strict;
create table account (
    customer text primary key references customer, status text not null check (status in ('open', 'closed'))
) strict;
create table invoice (
    id text primary key, customer text not null references customer, cents integer not null check (cents > 0),
    day text not null, item text not null
) strict;
create table refund (
    seq integer primary key, invoice text not null references invoice, customer text not null,
    cents integer not null check (cents > 0), reason text not null,
    status text not null check (status in ('succeeded', 'cancelled')), key text not null unique
) strict;
create table chargeback (
    seq integer primary key, customer text not null references customer, invoice text not null references invoice,
    cents integer not null, day text not null
) strict;
create table ticket (
    id text primary key, customer text not null references customer, text text not null,
    status text not null check (status in ('open', 'waiting', 'resolved', 'escalated'))
) strict;
create table reply (seq integer primary key, recipient text not null, body text not null) strict;
create table fault (
    tool text not null, about text not null, kind text not null check (kind in ('silent_before', 'silent_after')),
    times integer not null, primary key (tool, about)
) strict;
create table effect_log (
    seq integer primary key, tool text not null, about text not null, cents integer not null, key text not null
) strict;
"""


@contextmanager
def transaction(database: Path) -> Generator[sqlite3.Connection]:
    """Open the database for one piece of work, which is written as a whole or not at all."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=10, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("pragma foreign_keys = on")
        connection.execute("pragma synchronous = off")
        connection.execute("begin immediate")
        yield connection
        connection.execute("commit")
    finally:
        # What was not committed is rolled back by closing.
        connection.close()


def database_in_use() -> Path:
    """Say where the tools find the company.

    Raises:
        UpstreamFailed: nobody told them.
    """
    name = os.environ.get(DATABASE_VARIABLE)
    if not name:
        raise UpstreamFailed("the company has no database", fix=f"set `{DATABASE_VARIABLE}` to its file")
    return Path(name)


@contextmanager
def company_at(database: Path) -> Generator[None]:
    """Let the tools of this process work on `database` for a while."""
    before = os.environ.get(DATABASE_VARIABLE)
    os.environ[DATABASE_VARIABLE] = str(database)
    try:
        yield
    finally:
        if before is None:
            del os.environ[DATABASE_VARIABLE]
        else:
            os.environ[DATABASE_VARIABLE] = before
