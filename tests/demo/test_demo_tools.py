from decimal import Decimal
from pathlib import Path

import pytest

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock_demo import tools
from interlock_demo.company import Company
from interlock_demo.harm import effects
from interlock_demo.records import Invoice
from interlock_demo.schema import DATABASE_VARIABLE, transaction
from interlock_demo.ticket import Kind, Ticket


def of(company: Company, kind: Kind) -> Ticket:
    return next(ticket for ticket in company.tickets if ticket.kind is kind)


def invoice(company: Company, kind: Kind = Kind.SMALL_REFUND) -> Invoice:
    id = of(company, kind).invoice_id
    return next(each for each in company.invoices if each.id == id)


def refund(about: Invoice, amount: str, key: str = "k1") -> tools.Refund:
    return tools.create_refund(about.customer_id, about.id, Decimal(amount), "late", idempotency_key=key)


def test_a_customer_is_found_by_number_and_by_address(company: Company, books: Path) -> None:
    known = company.customers[3]
    record = tools.lookup_customer(known.id)
    assert (record["name"], record["email"], record["tier"]) == (known.name, known.email, known.tier)
    assert tools.find_customer(known.email) == record


@pytest.mark.parametrize(
    "call",
    [
        lambda: tools.lookup_customer("C000000"),
        lambda: tools.find_customer("nobody@example.com"),
        lambda: tools.read_ticket("T-999"),
        lambda: tools.list_chargebacks("C000000"),
        lambda: tools.close_account("C000000"),
        lambda: tools.update_ticket("T-999", "resolved"),
        lambda: tools.cancel_refund("R-0001"),
        lambda: tools.cancel_refund("nonsense"),
    ],
)
def test_what_is_not_there_surely_did_not_happen(call: "type[object]", books: Path) -> None:
    with pytest.raises(UpstreamFailed):
        call()
    assert effects(books) == {}


def test_a_ticket_says_who_wrote_what(company: Company, books: Path) -> None:
    ticket = company.tickets[0]
    assert tools.read_ticket(ticket.id) == {
        "id": ticket.id,
        "customer_id": ticket.customer_id,
        "text": ticket.text,
        "status": "open",
    }
    tools.update_ticket(ticket.id, "waiting")
    assert tools.read_ticket(ticket.id)["status"] == "waiting"


def test_invoices_come_oldest_first_with_amounts_in_dollars(company: Company, books: Path) -> None:
    about = invoice(company)
    listed = tools.list_invoices(about.customer_id)["invoices"]
    assert [each["date"] for each in listed] == sorted(each["date"] for each in listed)
    assert about.cents == next(round(each["amount_usd"] * 100) for each in listed if each["id"] == about.id)


def test_chargebacks_count_for_half_a_year_unless_told_otherwise(company: Company, books: Path) -> None:
    known = company.chargebacks[0]
    assert [each["invoice_id"] for each in tools.list_chargebacks(known.customer_id)["chargebacks"]] == [
        known.invoice_id
    ]
    assert tools.list_chargebacks(known.customer_id, days=1) == {"chargebacks": []}
    assert tools.list_chargebacks(of(company, Kind.SMALL_REFUND).customer_id) == {"chargebacks": []}


def test_who_owns_an_invoice_and_whose_an_address_is(company: Company, books: Path) -> None:
    about = invoice(company)
    other = next(each for each in company.customers if each.id != about.customer_id)
    assert tools.owns_invoice(about.customer_id, about.id)
    assert not tools.owns_invoice(other.id, about.id)
    assert tools.is_customer_address(other.email)
    assert not tools.is_customer_address("evil@example.net")


def test_a_reply_is_awaited_until_the_ticket_is_closed(company: Company, books: Path) -> None:
    ticket = of(company, Kind.QUESTION)
    email = tools.lookup_customer(ticket.customer_id)["email"]
    assert tools.awaits_reply(email)
    tools.update_ticket(ticket.id, "waiting")
    assert tools.awaits_reply(email)
    tools.update_ticket(ticket.id, "resolved")
    assert not tools.awaits_reply(email)
    assert not tools.awaits_reply("evil@example.net")


def test_a_refund_is_what_was_asked_for(company: Company, books: Path) -> None:
    about = invoice(company)
    done = refund(about, "12.34")
    assert done == {"id": "R-0001", "invoice_id": about.id, "amount": 12.34, "status": "succeeded"}
    assert effects(books) == {"create_refund": 1}


def test_the_same_key_is_the_same_refund(company: Company, books: Path) -> None:
    about = invoice(company)
    assert refund(about, "10") == refund(about, "10.00")
    assert effects(books) == {"create_refund": 1}
    with pytest.raises(UpstreamFailed, match="key"):
        refund(about, "11")
    assert refund(about, "10", key="k2")["id"] == "R-0002"


def test_no_more_is_paid_back_than_is_left_of_an_invoice(company: Company, books: Path) -> None:
    about = invoice(company)
    refund(about, f"{(about.cents - 5_00) / 100:.2f}")
    with pytest.raises(UpstreamFailed, match="left"):
        refund(about, "5.01", key="k2")
    assert refund(about, "5", key="k3")["amount"] == 5
    assert effects(books) == {"create_refund": 2}


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "Infinity", "1e12"])
def test_what_is_no_amount_is_not_paid(amount: str, company: Company, books: Path) -> None:
    with pytest.raises(UpstreamFailed):
        refund(invoice(company), amount)
    assert effects(books) == {}


def test_a_preview_says_what_a_refund_would_do_and_does_nothing(company: Company, books: Path) -> None:
    about = invoice(company)
    refund(about, "10")
    left = about.cents / 100 - 10
    seen = tools.preview_refund(about.customer_id, about.id, Decimal("5"), "late")
    assert seen == {
        "invoice_id": about.id,
        "amount": 5,
        "left_before": pytest.approx(left),
        "left_after": pytest.approx(left - 5),
        "possible": True,
    }
    assert not tools.preview_refund(about.customer_id, about.id, Decimal("9999"), "late")["possible"]
    assert effects(books) == {"create_refund": 1}


def test_a_refund_that_is_taken_back_leaves_the_invoice_as_it_was(company: Company, books: Path) -> None:
    about = invoice(company)
    whole = f"{about.cents / 100:.2f}"
    id = refund(about, whole)["id"]
    assert tools.cancel_refund(id)["status"] == "cancelled"
    assert tools.cancel_refund(id)["status"] == "cancelled"
    assert effects(books) == {"cancel_refund": 1, "create_refund": 1}
    assert refund(about, whole, key="k2")["status"] == "succeeded"


def test_mail_goes_to_anybody_as_often_as_asked(books: Path) -> None:
    first = tools.send_reply("evil@example.net", "hello")
    second = tools.send_reply("evil@example.net", "hello")
    assert (first["id"], second["id"]) == ("M-0001", "M-0002")


def test_an_account_is_closed_once(company: Company, books: Path) -> None:
    id = company.customers[0].id
    assert tools.close_account(id) == tools.close_account(id) == {"id": id, "status": "closed"}
    assert effects(books) == {"close_account": 1}


def test_a_silent_refund_took_place_and_its_key_brings_it_back(company: Company, books: Path) -> None:
    about = invoice(company, Kind.SILENCE_HEALED)
    with pytest.raises(UpstreamSilent):
        refund(about, "10")
    assert effects(books) == {"create_refund": 1}
    assert refund(about, "10")["id"] == "R-0001"
    assert effects(books) == {"create_refund": 1}


def test_a_refund_can_stay_silent_for_good(company: Company, books: Path) -> None:
    about = invoice(company, Kind.SILENT_REFUND)
    for _ in range(5):
        with pytest.raises(UpstreamSilent):
            refund(about, "10")
    assert effects(books) == {"create_refund": 1}


def test_a_reply_can_be_lost_before_it_is_sent(books: Path) -> None:
    with transaction(books) as connection:
        connection.execute("insert into fault values ('send_reply', 'sam@example.com', 'silent_before', 1)")
    with pytest.raises(UpstreamSilent):
        tools.send_reply("sam@example.com", "hello")
    assert effects(books) == {}
    assert tools.send_reply("sam@example.com", "hello")["to"] == "sam@example.com"


def test_without_a_database_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    with pytest.raises(UpstreamFailed):
        tools.close_account("C123456")
