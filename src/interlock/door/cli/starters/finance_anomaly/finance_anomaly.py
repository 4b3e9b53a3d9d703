"""Tools of a small payments desk: its payments are in a SQLite file beside this one, made at the first look.

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
create table if not exists payment (
  id text primary key, payee text, cents integer, usual_cents integer, state text, note text);
insert or ignore into payment values
  ('P-1', 'Paper & Co', 21000, 20000, 'due', ''),
  ('P-2', 'Paper & Co', 74000, 20000, 'due', ''),
  ('P-3', 'Cloud Ltd', 480000, 90000, 'due', '');
"""


@dataclass(frozen=True)
class Payment:
    """Money that is to leave: due, held or paid."""

    payment: str
    payee: str
    amount_usd: Decimal
    usual_usd: Decimal
    state: str
    note: str


def list_anomalies() -> list[Payment]:
    """List the payments that are more than twice what their payee usually gets."""
    with _data() as db:
        ids = db.execute("select id from payment where cents > 2 * usual_cents order by id").fetchall()
        return [_payment(db, id) for (id,) in ids]


def find_payment(payment: str) -> Payment:
    """Say what is known of a payment."""
    with _data() as db:
        return _payment(db, payment)


def is_the_amount(payment: str, amount_usd: Decimal) -> bool:
    """Say whether a payment is of this amount."""
    with _data() as db:
        return _payment(db, payment).amount_usd == amount_usd


def flag_payment(payment: str, note: str) -> Payment:
    """Leave a note at a payment, for whoever looks at it next."""
    with _data() as db:
        _payment(db, payment)
        db.execute("update payment set note = ? where id = ?", (note, payment))
        return _payment(db, payment)


def unflag_payment(payment: str) -> Payment:
    """Take the note of a payment away. Doing it twice changes nothing."""
    with _data() as db:
        db.execute("update payment set note = '' where id = ?", (payment,))
        return _payment(db, payment)


def hold_payment(payment: str, amount_usd: Decimal) -> Payment:
    """Keep a payment that is due from leaving; `amount_usd` is what it is about."""
    with _data() as db:
        found = _payment(db, payment)
        if found.state == "paid" or found.amount_usd != amount_usd:
            # Whoever raises this is sure that nothing has happened.
            raise UpstreamFailed("it is paid, or of another amount", fix="look again")
        db.execute("update payment set state = 'held' where id = ?", (payment,))
        return _payment(db, payment)


def release_payment(payment: str) -> Payment:
    """Let a payment that was held leave when it is due. Doing it twice changes nothing."""
    with _data() as db:
        db.execute("update payment set state = 'due' where id = ? and state = 'held'", (payment,))
        return _payment(db, payment)


def pay_out(payment: str) -> Payment:
    """Send the money, today."""
    with _data() as db:
        db.execute("update payment set state = 'paid' where id = ?", (payment,))
        return _payment(db, payment)


def _payment(db: sqlite3.Connection, payment: str) -> Payment:
    sql = "select payee, cents, usual_cents, state, note from payment where id = ?"
    found = db.execute(sql, (payment,)).fetchone()
    if found is None:
        raise UpstreamFailed("there is no such payment", fix="look the number up")
    payee, cents, usual, state, note = found
    return Payment(payment, payee, Decimal(cents) / 100, Decimal(usual) / 100, state, note)


@contextmanager
def _data() -> Generator[sqlite3.Connection]:
    """Open the file for one piece of work, all of which is kept, or nothing."""
    with closing(sqlite3.connect(DATA, timeout=5)) as db, db:
        db.executescript(TABLES)
        yield db
