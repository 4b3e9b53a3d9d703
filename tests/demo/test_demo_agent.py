import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from interlock.core.value import replace
from interlock_demo.agent import LOOKS_MAX, follow_up, work
from interlock_demo.company import Company, draw_company, write_company
from interlock_demo.harm import Harm, agreed_invoices, effects, harm
from interlock_demo.schema import company_at
from interlock_demo.surprise import surprises
from interlock_demo.talk import Json, Reply, Resolution
from interlock_demo.ticket import Kind, Ticket
from interlock_demo.trusting import TrustingDoor

pytestmark = pytest.mark.slow


def of(company: Company, kind: Kind) -> Ticket:
    return next(ticket for ticket in company.tickets if ticket.kind is kind)


def heard(resolution: Resolution) -> list[str]:
    return [f"{call.tool} {call.reply.status}" for call in resolution.calls]


@dataclass(slots=True)
class GuardedDoor:
    """Lets reads and small things through and answers the rest as told: what an agent hears behind Interlock."""

    answers: Mapping[str, list[Reply]]
    open: TrustingDoor = field(default_factory=TrustingDoor)

    async def call(self, run: str, tool: str, arguments: Mapping[str, Json], *, key: str | None = None) -> Reply:
        told = self.answers.get(tool)
        return told.pop(0) if told else await self.open.call(run, tool, arguments, key=key)


def reply(status: str, reason: str = "") -> Reply:
    return replace(Reply(status="done", action="a1", reason=reason), status=status)


def test_a_small_refund_takes_six_calls_and_one_mail(company: Company, books: Path) -> None:
    resolution = asyncio.run(work(of(company, Kind.SMALL_REFUND), TrustingDoor()))
    assert resolution.end == "resolved"
    assert heard(resolution) == [
        "read_ticket done",
        "lookup_customer done",
        "list_invoices done",
        "create_refund done",
        "send_reply done",
        "update_ticket done",
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_agent_finds_amount_and_invoice_in_every_ticket_that_asks_for_money(seed: int, tmp_path: Path) -> None:
    company = draw_company(seed)
    write_company(company, tmp_path / "company.db")
    with company_at(tmp_path / "company.db"):
        for ticket in company.tickets:
            resolution = asyncio.run(work(ticket, TrustingDoor()))
            asked = {
                (str(call.arguments["invoice_id"]), round(float(str(call.arguments["amount_usd"])) * 100))
                for call in resolution.calls
                if call.tool == "create_refund"
            }
            assert {invoice for invoice, _ in asked} <= {ticket.invoice_id}
            assert sum(cents for _, cents in asked) == ticket.asked_cents, ticket.text


def test_a_parked_refund_waits_and_is_followed_up_with_the_same_call(company: Company, books: Path) -> None:
    ticket = of(company, Kind.GRANTED_REFUND)
    door = GuardedDoor({"create_refund": [reply("parked"), replace(reply("done"), recalled=True)]})
    first = asyncio.run(work(ticket, door))
    later = asyncio.run(follow_up(ticket, first, door))
    parked = [call for call in first.calls if call.reply.status == "parked"]
    assert (first.end, first.parked, later.end) == ("waiting", ("a1",), "resolved")
    assert (later.run, later.calls[0].arguments) == (first.run, parked[0].arguments)
    assert surprises(ticket, first, later) == ()


def test_a_persons_no_is_told_to_the_customer(company: Company, books: Path) -> None:
    ticket = of(company, Kind.DENIED_REFUND)
    door = GuardedDoor({"create_refund": [reply("parked"), reply("refused", "approval_denied")]})
    first = asyncio.run(work(ticket, door))
    later = asyncio.run(follow_up(ticket, first, door))
    assert later.end == "escalated"
    assert surprises(ticket, first, later) == ()


def test_a_follow_up_before_anybody_decided_goes_on_waiting(company: Company, books: Path) -> None:
    ticket = of(company, Kind.GRANTED_REFUND)
    door = GuardedDoor({"create_refund": [reply("parked"), reply("parked")]})
    first = asyncio.run(work(ticket, door))
    assert asyncio.run(follow_up(ticket, first, door)).end == "waiting"
    assert effects(books) == {"update_ticket": 2}


def test_a_refusal_is_handed_to_a_person(company: Company, books: Path) -> None:
    ticket = of(company, Kind.FORBIDDEN_REFUND)
    resolution = asyncio.run(work(ticket, GuardedDoor({"create_refund": [reply("refused", "policy")]})))
    assert resolution.end == "escalated"
    assert surprises(ticket, resolution) == ()


def test_whoever_does_not_answer_is_asked_once_more(company: Company, books: Path) -> None:
    ticket = of(company, Kind.SILENT_REFUND)
    resolution = asyncio.run(work(ticket, GuardedDoor({"create_refund": [reply("uncertain"), reply("uncertain")]})))
    assert resolution.end == "escalated"
    assert surprises(ticket, resolution) == ()


def test_the_agent_looks_again_and_again_until_somebody_stops_it(company: Company, books: Path) -> None:
    ticket = of(company, Kind.LOOP)
    unstopped = asyncio.run(work(ticket, TrustingDoor()))
    assert heard(unstopped).count("list_invoices done") == LOOKS_MAX
    stopped = asyncio.run(work(ticket, GuardedDoor({"list_invoices": [reply("refused", "loop")]})))
    assert surprises(ticket, stopped) == ()


@pytest.mark.parametrize(
    ("kind", "tool"),
    [
        (Kind.HOSTILE_REFUND, "create_refund"),
        (Kind.HOSTILE_NOTE, "create_refund"),
        (Kind.HOSTILE_CLOSURE, "close_account"),
        (Kind.HOSTILE_MAIL, "send_reply"),
        (Kind.HOSTILE_TOOL, "cancel_refund"),
    ],
)
def test_the_agent_obeys_whoever_gives_it_orders(kind: Kind, tool: str, company: Company, books: Path) -> None:
    attacks = [ticket for ticket in company.tickets if ticket.kind is kind]
    called = [call for ticket in attacks for call in asyncio.run(work(ticket, TrustingDoor())).calls]
    assert tool in {call.tool for call in called}
    assert all(ticket.hostile for ticket in attacks)


def test_when_everything_is_stopped_the_agent_gives_up(company: Company, books: Path) -> None:
    stopped: list[Reply] = [reply("refused", "stopped")]
    door = GuardedDoor({"read_ticket": [*stopped], "update_ticket": [*stopped]})
    resolution = asyncio.run(work(company.tickets[0], door))
    assert (resolution.end, heard(resolution)) == ("escalated", ["read_ticket refused", "update_ticket refused"])


def test_a_surprise_is_told_in_words(company: Company, books: Path) -> None:
    ticket = of(company, Kind.FORBIDDEN_REFUND)
    resolution = asyncio.run(work(ticket, TrustingDoor()))
    assert surprises(ticket, resolution) == (
        f"{ticket.id}: expected create_refund refused (policy), heard create_refund done",
    )
    assert surprises(replace(ticket, expect=()), resolution)[1] == (
        f"{ticket.id}: expected nothing more, heard send_reply done"
    )


def test_without_a_lock_the_company_is_harmed_in_every_way(company: Company, books: Path) -> None:
    async def all_tickets() -> None:
        for ticket in company.tickets:
            await work(ticket, TrustingDoor())

    asyncio.run(all_tickets())
    found = harm(books)
    counted = {name: getattr(found, name) for name in Harm.__slots__}
    assert [name for name, count in counted.items() if count == 0] == []
    assert not found.none
    agreed = harm(books, agreed_invoices(company.tickets))
    assert 0 < agreed.without_consent < found.without_consent


def test_what_is_done_by_the_rules_is_no_harm(company: Company, books: Path) -> None:
    harmless = [ticket for ticket in company.tickets if ticket.kind in (Kind.SMALL_REFUND, Kind.QUESTION)]
    for ticket in harmless:
        asyncio.run(work(ticket, TrustingDoor()))
    found = harm(books)
    assert found.none
    assert found.refunded_cents == sum(ticket.moved_cents for ticket in harmless)


def test_a_ticket_that_is_answered_twice_is_counted(company: Company, books: Path) -> None:
    for _ in range(2):
        asyncio.run(work(of(company, Kind.QUESTION), TrustingDoor()))
    assert harm(books).mails_twice == 1
