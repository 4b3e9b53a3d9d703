"""The company's tools, as plain functions: what its desk, its customer records and its payment provider offer.

They do what they are told to whoever asks. Limits, consent and evidence are not their business.
"""

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from decimal import Decimal

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock_demo.results import (
    Changed,
    ChargebackLine,
    Chargebacks,
    CustomerRecord,
    InvoiceLine,
    Invoices,
    Refund,
    RefundPreview,
    Sent,
    TicketStatus,
    TicketText,
)
from interlock_demo.schema import database_in_use, transaction


def lookup_customer(customer_id: str) -> CustomerRecord:
    """Return a customer's record: name, mail address, tier and the desk's note."""
    with _company() as company:
        return _customer(_one(company, "select * from customer where id = ?", customer_id, "customer"))


def find_customer(email: str) -> CustomerRecord:
    """Return the record of the customer who has this mail address."""
    with _company() as company:
        return _customer(_one(company, "select * from customer where email = ?", email, "customer with this address"))


def read_ticket(ticket_id: str) -> TicketText:
    """Return what the customer wrote, and who it was."""
    with _company() as company:
        row = _one(company, "select * from ticket where id = ?", ticket_id, "ticket")
        return TicketText(id=row["id"], customer_id=row["customer"], text=row["text"], status=row["status"])


def list_invoices(customer_id: str) -> Invoices:
    """Return a customer's invoices, oldest first."""
    with _company() as company:
        rows = company.execute("select * from invoice where customer = ? order by day, id", (customer_id,))
        return Invoices(
            invoices=[
                InvoiceLine(id=row["id"], amount_usd=_usd(row["cents"]), date=row["day"], item=row["item"])
                for row in rows
            ]
        )


def list_chargebacks(customer_id: str, days: int = 180) -> Chargebacks:
    """Return the payments of a customer that a bank took back within so many days, oldest first."""
    with _company() as company:
        _one(company, "select id from customer where id = ?", customer_id, "customer")
        rows = company.execute(
            "select chargeback.* from chargeback, setting where customer = ? and name = 'today'"
            " and day >= date(value, ?) order by day",
            (customer_id, f"-{days} days"),
        )
        return Chargebacks(
            chargebacks=[
                ChargebackLine(invoice_id=row["invoice"], amount_usd=_usd(row["cents"]), date=row["day"])
                for row in rows
            ]
        )


def owns_invoice(customer_id: str, invoice_id: str) -> bool:
    """Say whether the invoice is this customer's."""
    with _company() as company:
        found = company.execute("select 1 from invoice where id = ? and customer = ?", (invoice_id, customer_id))
        return found.fetchone() is not None


def is_customer_address(email: str) -> bool:
    """Say whether a mail address is that of a customer."""
    with _company() as company:
        return company.execute("select 1 from customer where email = ?", (email,)).fetchone() is not None


def awaits_reply(email: str) -> bool:
    """Say whether the customer with this mail address has a ticket that is still open or waiting."""
    with _company() as company:
        found = company.execute(
            "select 1 from ticket join customer on customer.id = ticket.customer"
            " where customer.email = ? and ticket.status in ('open', 'waiting')",
            (email,),
        )
        return found.fetchone() is not None


def preview_refund(customer_id: str, invoice_id: str, amount_usd: Decimal, reason: str) -> RefundPreview:
    """Say what a refund would do to the invoice, without doing it."""
    with _company() as company:
        left = _left(company, invoice_id)
        cents = _cents(amount_usd)
        return RefundPreview(
            invoice_id=invoice_id,
            amount=_usd(cents),
            left_before=_usd(left),
            left_after=_usd(max(left - cents, 0)),
            possible=cents <= left,
        )


def create_refund(
    customer_id: str, invoice_id: str, amount_usd: Decimal, reason: str, idempotency_key: str = ""
) -> Refund:
    """Pay back part of an invoice. The provider knows its keys: the same key again is the same refund."""
    cents = _cents(amount_usd)
    with _effect("create_refund", invoice_id) as company:
        known = company.execute("select * from refund where key = ?", (idempotency_key,)).fetchone()
        if known is not None:
            return _same_refund(known, invoice_id, cents)
        left = _left(company, invoice_id)
        if cents > left:
            raise UpstreamFailed(f"only ${_usd(left):.2f} is left of `{invoice_id}`", fix="ask for less")
        seq = company.execute("select coalesce(max(seq), 0) + 1 from refund").fetchone()[0]
        key = idempotency_key or f"without-{seq}"
        company.execute(
            "insert into refund (seq, invoice, customer, cents, reason, status, key)"
            " values (?, ?, ?, ?, ?, 'succeeded', ?)",
            (seq, invoice_id, customer_id, cents, reason, key),
        )
        _log(company, "create_refund", invoice_id, cents, key)
        return Refund(id=f"R-{seq:04}", invoice_id=invoice_id, amount=_usd(cents), status="succeeded")


def cancel_refund(refund_id: str) -> Refund:
    """Take a refund back. Taking it back again changes nothing."""
    with _effect("cancel_refund", refund_id) as company:
        number = refund_id.removeprefix("R-")
        seq = int(number) if number.isascii() and number.isdigit() else 0
        row = _one(company, "select * from refund where seq = ?", seq, "refund")
        if row["status"] != "cancelled":
            company.execute("update refund set status = 'cancelled' where seq = ?", (seq,))
            _log(company, "cancel_refund", refund_id, -row["cents"])
        return _refund_of(_one(company, "select * from refund where seq = ?", seq, "refund"))


def send_reply(to: str, body: str) -> Sent:
    """Send a mail to an address. It goes to anybody, as often as it is asked for."""
    with _effect("send_reply", to) as company:
        seq = company.execute("insert into reply (recipient, body) values (?, ?)", (to, body)).lastrowid
        _log(company, "send_reply", to)
        return Sent(id=f"M-{seq:04}", to=to)


def close_account(customer_id: str) -> Changed:
    """Close a customer's account for good."""
    with _effect("close_account", customer_id) as company:
        row = _one(company, "select * from account where customer = ?", customer_id, "account")
        if row["status"] == "open":
            company.execute("update account set status = 'closed' where customer = ?", (customer_id,))
            _log(company, "close_account", customer_id)
        return Changed(id=customer_id, status="closed")


def update_ticket(ticket_id: str, status: TicketStatus) -> Changed:
    """Set the status of a ticket."""
    with _effect("update_ticket", ticket_id) as company:
        _one(company, "select id from ticket where id = ?", ticket_id, "ticket")
        company.execute("update ticket set status = ? where id = ?", (status, ticket_id))
        _log(company, "update_ticket", ticket_id)
        return Changed(id=ticket_id, status=status)


TOOLS: Mapping[str, Callable[..., object]] = {
    tool.__name__: tool
    for tool in (
        lookup_customer,
        find_customer,
        read_ticket,
        list_invoices,
        list_chargebacks,
        preview_refund,
        create_refund,
        cancel_refund,
        send_reply,
        close_account,
        update_ticket,
    )
}
"""What an agent can reach when nothing stands in between."""


@contextmanager
def _company() -> Generator[sqlite3.Connection]:
    with transaction(database_in_use()) as connection:
        yield connection


@contextmanager
def _effect(tool: str, about: str) -> Generator[sqlite3.Connection]:
    """Have an effect, unless the company's fault plan says that nobody hears of it.

    Raises:
        UpstreamSilent: a planned silence, before the effect or after it.
    """
    silence = _planned_silence(tool, about)
    if silence == "silent_before":
        raise UpstreamSilent("no answer from the other side", fix="find out what became of it")
    with _company() as company:
        yield company
    if silence == "silent_after":
        raise UpstreamSilent("no answer from the other side", fix="find out what became of it")


def _planned_silence(tool: str, about: str) -> str:
    """Take one silence from the fault plan, if there is one left."""
    with _company() as company:
        row = company.execute(
            "update fault set times = times - 1 where tool = ? and about = ? and times > 0 returning kind",
            (tool, about),
        ).fetchone()
        return row["kind"] if row is not None else ""


def _one(company: sqlite3.Connection, query: str, id: str | int, what: str) -> sqlite3.Row:
    row: sqlite3.Row | None = company.execute(query, (id,)).fetchone()
    if row is None:
        raise UpstreamFailed(f"there is no {what} `{id}`", fix="look it up first")
    return row


def _left(company: sqlite3.Connection, invoice_id: str) -> int:
    """Say how many cents of an invoice are not paid back yet."""
    invoice = _one(company, "select cents from invoice where id = ?", invoice_id, "invoice")
    paid = company.execute(
        "select coalesce(sum(cents), 0) from refund where invoice = ? and status = 'succeeded'", (invoice_id,)
    ).fetchone()
    return invoice["cents"] - paid[0]


def _cents(amount_usd: Decimal) -> int:
    """Read an amount as whole cents.

    Raises:
        UpstreamFailed: it is no amount that can be paid.
    """
    cents = amount_usd.scaleb(2) if amount_usd.is_finite() and abs(amount_usd) < 10**9 else Decimal(0)
    if cents <= 0 or cents != cents.to_integral_value():
        raise UpstreamFailed("this is no amount in dollars and cents", fix="ask for more than 0, in whole cents")
    return int(cents)


def _usd(cents: int) -> float:
    """Write cents as dollars. Two decimals come back from a float as they went in."""
    return cents / 100


def _customer(row: sqlite3.Row) -> CustomerRecord:
    return CustomerRecord(id=row["id"], name=row["name"], email=row["email"], tier=row["tier"], note=row["note"])


def _same_refund(known: sqlite3.Row, invoice_id: str, cents: int) -> Refund:
    if (known["invoice"], known["cents"]) != (invoice_id, cents):
        raise UpstreamFailed("this key belongs to another refund", fix="use a new key for a new refund")
    return _refund_of(known)


def _refund_of(row: sqlite3.Row) -> Refund:
    amount = _usd(row["cents"])
    return Refund(id=f"R-{row['seq']:04}", invoice_id=row["invoice"], amount=amount, status=row["status"])


def _log(company: sqlite3.Connection, tool: str, about: str, cents: int = 0, key: str = "") -> None:
    """Note an effect, so that effects can be counted without asking whoever caused them."""
    company.execute("insert into effect_log (tool, about, cents, key) values (?, ?, ?, ?)", (tool, about, cents, key))
