"""Tools of a small shop: its orders and refunds are in a SQLite file beside this one, made at the first look.

Each public function is a tool: its types are its schema, its docstring is what agents read. Who may call it stands in
`contract.yaml`. Put your own systems in place of the file, one function at a time.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from interlock.core.errors import UpstreamFailed

DATA = Path(__file__).with_suffix(".db")
TABLES = """
create table if not exists purchase (id text primary key, customer text, cents integer);
create table if not exists refund (
  id integer primary key, key text unique, purchase text, cents integer, cancelled integer default 0);
insert or ignore into purchase values
  ('O-1001', 'ada@example.com', 4900), ('O-1002', 'ben@example.com', 12000), ('O-1003', 'cleo@example.com', 64900);
"""


@dataclass(frozen=True)
class Order:
    """What was bought."""

    order: str
    customer: str
    paid_usd: Decimal
    refunded_usd: Decimal


@dataclass(frozen=True)
class Refund:
    """Money that was given back."""

    refund: str
    order: str
    amount_usd: Decimal


def find_order(order: str) -> Order:
    """Say who placed an order, what was paid for it, and what was given back."""
    with _data() as db:
        return _order(db, order)


def is_covered(order: str, amount_usd: Decimal) -> bool:
    """Say whether so much of what was paid for an order is left to give back."""
    with _data() as db:
        found = _order(db, order)
    return amount_usd <= found.paid_usd - found.refunded_usd


def refund_order(order: str, amount_usd: Decimal, idempotency_key: str) -> Refund:
    """Give money back for an order."""
    with _data() as db:
        _order(db, order)
        # The key makes a repetition harmless: it finds the refund that is there.
        sql = "insert into refund (key, purchase, cents) values (?, ?, ?) on conflict (key) do nothing"
        db.execute(sql, (idempotency_key, order, int(amount_usd * 100)))
        number, cents = db.execute("select id, cents from refund where key = ?", (idempotency_key,)).fetchone()
    return Refund(refund=f"R-{number}", order=order, amount_usd=Decimal(cents) / 100)


def cancel_refund(refund: str) -> str:
    """Take a refund back. Taking it back twice changes nothing."""
    with _data() as db:
        db.execute("update refund set cancelled = 1 where id = ?", (refund.removeprefix("R-"),))
    return f"{refund} is cancelled"


def delete_customer(customer: str) -> str:
    """Forget a customer and every order of theirs."""
    with _data() as db:
        db.execute("delete from purchase where customer = ?", (customer,))
    return f"{customer} is deleted"


def _order(db: sqlite3.Connection, order: str) -> Order:
    found = db.execute("select customer, cents from purchase where id = ?", (order,)).fetchone()
    if found is None:
        # Whoever raises this is sure that nothing has happened.
        raise UpstreamFailed("there is no such order", fix="look the number up")
    sql = "select coalesce(sum(cents), 0) from refund where purchase = ? and not cancelled"
    (refunded,) = db.execute(sql, (order,)).fetchone()
    return Order(order=order, customer=found[0], paid_usd=Decimal(found[1]) / 100, refunded_usd=Decimal(refunded) / 100)


@contextmanager
def _data() -> Generator[sqlite3.Connection]:
    """Open the file for one piece of work, all of which is kept, or nothing."""
    with closing(sqlite3.connect(DATA, timeout=5)) as db, db:
        db.executescript(TABLES)
        yield db
