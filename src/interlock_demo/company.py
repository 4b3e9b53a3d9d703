"""The company itself: drawn from a seed, written to a file. One seed is one company."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from interlock_demo.casting import TODAY, Cast
from interlock_demo.records import Chargeback, Customer, Fault, Invoice
from interlock_demo.schema import TABLES
from interlock_demo.ticket import Ticket
from interlock_demo.tickets import draw_tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Everything that is there on the first day."""

    seed: int
    customers: tuple[Customer, ...]
    invoices: tuple[Invoice, ...]
    chargebacks: tuple[Chargeback, ...]
    faults: tuple[Fault, ...]
    tickets: tuple[Ticket, ...]


def draw_company(seed: int) -> Company:
    """Draw a company and its tickets. Nothing but the seed decides."""
    cast = Cast(Random(seed))  # noqa: S311  nothing here is a secret; it is to be drawn again
    tickets = draw_tickets(cast)
    return Company(
        seed=seed,
        customers=tuple(cast.customers),
        invoices=tuple(cast.invoices),
        chargebacks=tuple(cast.chargebacks),
        faults=tuple(cast.faults),
        tickets=tickets,
    )


def write_company(company: Company, database: Path) -> None:
    """Write a company to a new file.

    Raises:
        FileExistsError: there is one already, with whatever happened to it since.
    """
    if database.exists():
        raise FileExistsError(f"`{database}` is there already")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.executescript(TABLES)
        connection.execute("begin")
        _fill(connection, company)
        connection.execute("commit")


def _fill(connection: sqlite3.Connection, company: Company) -> None:
    settings = [("seed", str(company.seed)), ("today", TODAY.isoformat())]
    connection.executemany("insert into setting values (?, ?)", settings)
    connection.executemany(
        "insert into customer values (?, ?, ?, ?, ?)",
        [(each.id, each.name, each.email, each.tier, each.note) for each in company.customers],
    )
    connection.executemany("insert into account values (?, 'open')", [(each.id,) for each in company.customers])
    connection.executemany(
        "insert into invoice values (?, ?, ?, ?, ?)",
        [(each.id, each.customer_id, each.cents, each.day.isoformat(), each.item) for each in company.invoices],
    )
    connection.executemany(
        "insert into chargeback (customer, invoice, cents, day) values (?, ?, ?, ?)",
        [(each.customer_id, each.invoice_id, each.cents, each.day.isoformat()) for each in company.chargebacks],
    )
    connection.executemany(
        "insert into fault values (?, ?, ?, ?)",
        [(each.tool, each.about, each.kind, each.times) for each in company.faults],
    )
    connection.executemany(
        "insert into ticket values (?, ?, ?, 'open')",
        [(each.id, each.customer_id, each.text) for each in company.tickets],
    )
