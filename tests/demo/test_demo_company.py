import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from interlock_demo.company import Company, draw_company, write_company
from interlock_demo.ticket import Kind, totals
from interlock_demo.tickets import DAY_CENTS_MAX

SEEDS = range(1, 21)


def dump(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def test_the_same_seed_is_the_same_company(tmp_path: Path) -> None:
    for name in ("one.db", "other.db"):
        write_company(draw_company(7), tmp_path / name)
    assert draw_company(7) == draw_company(7)
    assert dump(tmp_path / "one.db") == dump(tmp_path / "other.db")


def test_another_seed_is_another_company(company: Company) -> None:
    other = draw_company(2)
    assert {each.id for each in company.customers}.isdisjoint(each.id for each in other.customers)
    assert [each.text for each in company.tickets] != [each.text for each in other.tickets]
    assert Counter(each.kind for each in company.tickets) != Counter(each.kind for each in other.tickets)


def test_a_company_is_never_written_over_another(company: Company, tmp_path: Path) -> None:
    write_company(company, tmp_path / "company.db")
    with pytest.raises(FileExistsError):
        write_company(company, tmp_path / "company.db")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed_has_every_kind_of_ticket(seed: int) -> None:
    tickets = draw_company(seed).tickets
    assert len(tickets) >= 60
    assert {ticket.kind for ticket in tickets} == set(Kind)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_expected_to_be_paid_fits_the_day_and_the_refused_rest_does_not(seed: int) -> None:
    tickets = draw_company(seed).tickets
    paid = totals(tickets).moved
    late = [ticket for ticket in tickets if ticket.kind is Kind.BUDGET]
    assert paid <= DAY_CENTS_MAX
    assert len(late) == 3
    assert all(paid + ticket.asked_cents > DAY_CENTS_MAX for ticket in late)


@pytest.mark.parametrize("seed", SEEDS)
def test_later_waves_come_after_earlier_ones_and_what_they_lean_on(seed: int) -> None:
    tickets = draw_company(seed).tickets
    waves = [ticket.wave for ticket in tickets]
    paid = {ticket.invoice_id for ticket in tickets if ticket.kind is Kind.SMALL_REFUND}
    assert waves == sorted(waves)
    assert [ticket.id for ticket in tickets] == [f"T-{number:03}" for number in range(1, len(tickets) + 1)]
    assert all(ticket.invoice_id in paid for ticket in tickets if ticket.kind is Kind.DUPLICATE)


def test_the_texts_of_a_seed_vary(company: Company) -> None:
    bodies = Counter(ticket.text for ticket in company.tickets)
    assert max(bodies.values()) == 1
    assert all(len(ticket.text) > 20 for ticket in company.tickets)


def test_nobody_is_paid_who_never_wrote_and_everybody_who_is_asked_about_is_a_customer(company: Company) -> None:
    customers = {each.id for each in company.customers}
    owners = {each.id: each.customer_id for each in company.invoices}
    assert all(ticket.customer_id in customers for ticket in company.tickets)
    for ticket in company.tickets:
        if ticket.moved_cents:
            assert owners[ticket.invoice_id] == ticket.customer_id


def test_the_totals_add_up(company: Company) -> None:
    money = totals(company.tickets)
    assert money.asked == money.moved + money.prevented
    assert 0 < money.undone < money.moved
    assert 0 < money.denied < money.prevented
