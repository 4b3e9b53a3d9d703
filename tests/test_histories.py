"""What must hold after every step of every history, whoever does what to a tenant and however its tools misbehave.

The suite walks a few; `make histories` walks many more, each time other ones.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from histories import History, Plan, Sent, Turn, quiet
from history_operations import OPERATION, PUBLISH, Call, Operation, Publish
from interlock.app import Opened
from interlock.budget.hold import Balance
from interlock.core.action import ActionState
from interlock.core.charge import UNLIMITED
from interlock.core.effect import EffectClass
from interlock.core.ids import ActionId, BudgetId, TenantId
from interlock.gateway.compare import verify_state
from interlock.gateway.doors import resume_switch
from interlock.gateway.history import audited
from interlock.gateway.recover import attend, reap
from interlock.ports import ActionRow, Kept, Needs
from world import KIM, HandClock, World

LONG = int(os.environ.get("INTERLOCK_HISTORIES", "0"))
"""How many histories the long form walks on each store; 0 is the short form, which walks the same ones each time."""
SHORT = 6
ATTEMPTS_MAX = 3
END_SECONDS = 20.0  # on a busy machine
STEPS_MIN, STEPS_MAX = 30, 70
OPEN = (ActionState.STARTED, ActionState.UNCERTAIN)
SENT_ONCE = (EffectClass.OPAQUE, EffectClass.QUERYABLE)

ANSWERS = Plan((Turn("answers"),))

Balances = Mapping[BudgetId, Balance]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All rows of a tenant that is small."""

    actions: Mapping[ActionId, ActionRow]
    budgets: Balances

    @classmethod
    def of(cls, kept: Kept) -> "Whole":
        return cls(
            actions={id: row for part in kept.parts() for id, row in part.actions.items()}, budgets=dict(kept.budgets())
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.promise("once", "budget", "stop", "ledger", "consent")
@settings(
    max_examples=LONG or SHORT,
    derandomize=not LONG,
    # A short form that fails says so at once; whoever wants the smallest history runs the long form.
    phases=tuple(Phase) if LONG else (Phase.generate,),
    deadline=None,
    database=None,
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large),
)
@given(first=PUBLISH, operations=st.lists(OPERATION, min_size=STEPS_MIN, max_size=STEPS_MAX))
def test_after_every_step_of_every_history_rows_books_stops_and_effects_are_as_promised(
    opens: Callable[[HandClock], Opened], first: Publish, operations: Sequence[Operation]
) -> None:
    clock = HandClock()
    opened = opens(clock)
    try:
        asyncio.run(walk(World.on(opened, clock, TenantId(f"walk-{token_hex(4)}")), first, operations))
    finally:
        opened.close()


async def walk(world: World, first: Publish, operations: Sequence[Operation]) -> None:
    history, before = History.of(world), dict[BudgetId, Balance]()
    await first.go(history)
    await Call("find", 0, None, None, 0, ANSWERS).go(history)
    await history.rest()
    for operation in operations:
        await operation.go(history)
        await history.rest()
        before = await holds(history, before)
    await come_to_an_end(history)
    await history.rest(END_SECONDS)
    before = await holds(history, before)
    assert history.at_rest
    assert await history.rows() != [], "a contract that no call gets past would let every history pass"
    assert await history.rows(ActionState.STARTED) == [], "nothing is under way for ever"


async def come_to_an_end(history: History) -> None:
    """Let every tool answer, and somebody look after whatever is left."""
    while history.gates:
        history.gates.pop().may_answer.set()
        await asyncio.sleep(0)
    await history.rest()
    for switch in (await history.world.store.read(Needs())).door.switches:
        await quiet(resume_switch(history.world.store, switch.id, KIM))
    await history.lines()
    history.world.clock.forward(days=2)
    survivor = history.world.another()
    history.worlds.append(survivor)
    for _ in range(2):
        history.begin(attend(survivor.gateway, survivor.store), ANSWERS)
        await history.rest()
    await quiet(reap(survivor.store, survivor.gateway.process))


async def holds(history: History, before: Balances) -> Balances:
    """Check all that must hold, and return the balances as they are now."""
    world = history.world
    assert [f"{d.where}: {d.what}" for d in await verify_state(world.store, world.opened.secrets)] == []
    kept, entries = await at_one_moment(history)
    found = await audited(world.store, world.opened.secrets)
    assert found.findings == ()
    what_is_held_is_what_open_actions_hold(kept)
    no_budget_grows_beyond_its_limit(kept, before)
    nothing_starts_under_a_stop(entries)
    nothing_happens_twice(history)
    no_older_request_follows_a_newer_one(entries)
    no_yes_is_used_twice(entries)
    what_is_spent_is_what_entries_say(kept, entries)
    if history.at_rest:
        what_was_heard_is_booked_once(history, kept, entries)
    return kept.budgets


async def at_one_moment(history: History) -> tuple[Whole, list[dict[str, Any]]]:
    """Read rows and entries, and read them again if anybody has written in between."""
    store = history.world.store
    while True:
        before = await store.signed_head()
        kept, entries = await store.kept(Whole.of), await history.entries()
        if await store.signed_head() == before:
            return kept, entries


def what_is_held_is_what_open_actions_hold(kept: Whole) -> None:
    held = Counter[BudgetId]()
    for row in kept.actions.values():
        assert row.state in OPEN or row.holds == (), row
        held.update({charge.budget: charge.amount for charge in row.holds})
    assert {id: balance.held for id, balance in kept.budgets.items()} == {id: held[id] for id in kept.budgets}


def no_budget_grows_beyond_its_limit(kept: Whole, before: Balances) -> None:
    for id, now in kept.budgets.items():
        was = before.get(id, Balance(limit=0))
        if now.held + now.spent > was.held + was.spent and not now.closed and now.limit < UNLIMITED:
            assert now.held + now.spent <= now.limit + now.raised, (id, was, now)


def nothing_starts_under_a_stop(entries: Sequence[Mapping[str, Any]]) -> None:
    thrown: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if entry["kind"] == "switch":
            detail = entry["detail"]
            thrown.pop(detail["switch"], None)
            if detail["to"] == "thrown":
                thrown[detail["switch"]] = detail
        if entry["kind"] in ("started", "resent"):
            by_operator = entry["undo_of"] and entry["asked_by"]
            for stop in thrown.values():
                covered = stop.get("tool", entry["tool"]) == entry["tool"]
                assert not covered or (by_operator and not stop["undo_too"]), (stop, entry)


def nothing_happens_twice(history: History) -> None:
    times = Counter(sent.action for sent in history.sent)
    for sent in history.sent:
        assert sent.effect not in SENT_ONCE or times[sent.action] == 1, sent


def no_older_request_follows_a_newer_one(entries: Sequence[Mapping[str, Any]]) -> None:
    """`set` writes to one thing: once a newer action has started on it, an older one is not sent again."""
    newest = ""
    for entry in entries:
        if entry.get("tool") == "set":
            newest = entry["action"] if entry["kind"] == "started" else newest
            assert entry["kind"] != "resent" or entry["action"] == newest, entry


def no_yes_is_used_twice(entries: Sequence[Mapping[str, Any]]) -> None:
    used = [grant["grant"] for entry in entries if entry["kind"] == "started" for grant in entry["grants"]]
    assert len(used) == len(set(used))


def what_is_spent_is_what_entries_say(kept: Whole, entries: Sequence[Mapping[str, Any]]) -> None:
    spent = Counter[str]()
    for entry in entries:
        spent.update(entry.get("costs", {}))
    assert {id: balance.spent for id, balance in kept.budgets.items()} == {id: spent[id] for id in kept.budgets}


@dataclass(frozen=True, slots=True)
class Books:
    """What the entries about one action say of one budget of money, its look-ups left out: they are paid apart."""

    held: tuple[int, ...]
    """By round of attempts."""
    booked: int
    by_verdict: str
    heard_late: int
    """How often something was heard after the books were closed."""


def books_of(of_action: Sequence[Mapping[str, Any]]) -> Iterator[Books]:
    rounds = [entry for entry in of_action if entry["kind"] in ("started", "resent")]
    verdicts = [entry["state"] for entry in of_action if entry["kind"] == "resolved"]
    late = sum(entry["detail"].get("late") == "done" for entry in of_action)
    for budget in {hold["budget"] for entry in rounds for hold in entry["holds"] if hold["unit"] == "usd"}:
        held = [hold["amount"] for entry in rounds for hold in entry["holds"] if hold["budget"] == budget]
        booked = sum(entry["costs"].get(budget, 0) for entry in of_action if entry["kind"] != "looked_up")
        yield Books(tuple(held), booked, "".join(verdicts), late)


def what_was_heard_is_booked_once(history: History, kept: Whole, entries: Sequence[Mapping[str, Any]]) -> None:
    by_action: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_action.setdefault(entry.get("action", ""), []).append(entry)
    sent: dict[str, list[Sent]] = {}
    for each in history.sent:
        sent.setdefault(each.action, []).append(each)
    for id, row in kept.actions.items():
        for books in books_of(by_action[id]):
            if row.state not in OPEN:
                fits(books, sent.get(id, []), row.state, by_action[id])


def said_of(sent: Sequence[Sent]) -> list[int]:
    """Return what each round of attempts said that it cost. Of one that answers twice, one answer is taken."""
    by_round: dict[int, int] = {}
    for each in sent:
        if each.heard:
            by_round[id(each.round)] = min(each.usd or 0, by_round.get(id(each.round), each.usd or 0))
    return list(by_round.values())


def fits(books: Books, sent: Sequence[Sent], state: ActionState, told: Sequence[Mapping[str, Any]]) -> None:
    """Hold what was booked against what the tools said: never less, and no more than was set aside or said."""
    heard, held = said_of(sent), books.held[0]
    assert sum(heard) <= books.booked, (books, heard, told)
    # What is said is about one attempt. It may be above the price of one and below all that was set aside.
    above = sum(usd for usd in heard if usd * ATTEMPTS_MAX > held)
    assert books.booked <= sum(books.held) + above, (books, heard, told)
    if len(sent) == 1 and len(books.held) == 1 and sent[0].tool != "set" and sent[0].heard and sent[0].usd is not None:
        read_given_up = state is ActionState.FAILED and told[0]["effect"] == "read"
        given_up = read_given_up or state is ActionState.ABANDONED or "done" in books.by_verdict
        assert books.booked == (max(held, heard[0]) if given_up else heard[0]), (books, heard, told)
