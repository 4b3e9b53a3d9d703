"""What somebody still needs, or has asked to keep, is not pruned; and nothing of what goes is left behind."""

from itertools import permutations
from typing import Any

import pytest

from interlock.contract.ir import Approvals, Unique
from interlock.core.action import ActionState
from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import ActionId, Micros, PersonId, Role, SubjectId
from interlock.core.outcome import Done, Parked, Uncertain
from interlock.core.value import replace
from interlock.gateway.consent import agree, edit
from interlock.gateway.erase import hold_for_law, release
from interlock.gateway.expire import HELD
from interlock.gateway.recover import attend, reap
from interlock.gateway.remains import Remains, remains_of
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from tamper import Intruder
from test_late import Owners, with_owners
from test_prune import called, is_left, pruned, sound
from test_uncertain import ELSEWHERE
from test_undo import AS_UNDO, UNDO
from world import ALLOW, KIM, ScriptedTool, World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget")]

DAY = Micros(86_400_000_000)
ANN, BEN = (replace(KIM, person=PersonId(name)) for name in ("ann", "ben"))
LEADS = Approvals(people={Role("lead"): frozenset({ANN.person, BEN.person})})


async def undoable(world: World, *rules: Any, **fields: Any) -> None:
    """A mail that can be called back for a day, and of which the ledger tells for as long."""
    mail = a_tool(undo=UNDO, subject="$.args.to", unique=Unique(on=("args.to",), within=Micros(90 * DAY)))
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True, **fields)
    world.tool.result = {"id": 7}
    world.others["mail.unsend"] = ScriptedTool()
    await world.publish(ALLOW, AS_UNDO, *rules, tools=[mail, back], ledger_days=1, approvals=LEADS)


async def test_an_effect_stays_while_nobody_knows_whether_it_was_undone(world: World) -> None:
    await undoable(world)
    first = await called(world)
    world.others["mail.unsend"].breaks = [UpstreamSilent("", fix="")]
    tried = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(tried, Uncertain)
    world.clock.forward(days=3)
    assert dict((await pruned(world)).kept) == {"its undo has not ended": 1, "has not ended": 1}
    await resolve(world.gateway, world.store, tried.action, "happened", KIM)
    assert (await world.row(first.action)).undone_by == tried.action
    assert isinstance(await world.call({"to": "zoe"}, run="another"), Done)
    await sound(world)
    world.clock.forward(days=3)
    assert (await pruned(world)).actions == 3
    assert (await world.row(first.action)).undone_by == tried.action
    await sound(world)


async def test_an_undo_that_waits_too_long_ends_all_the_same(world: World) -> None:
    await undoable(world, a_rule("ask.unsend", "ask", "mail.unsend"))
    first = await called(world)
    waits = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(waits, Parked)
    world.clock.forward(days=3)
    assert dict((await pruned(world)).kept) == {"its undo has not ended": 1, "has not ended": 1}
    await attend(world.gateway, world.store)
    assert (await world.row(waits.action)).state is ActionState.REFUSED
    assert await is_left(world, first.action)
    world.clock.forward(days=1)
    assert (await pruned(world)).actions == 1
    await sound(world)


async def edited(world: World) -> ActionId:
    """A mail to Zoe that a person turned into one to Tom."""
    rules = [ALLOW, a_rule("ask.mail", "ask")]
    await world.publish(*rules, tools=[a_tool(subject="$.args.to")], ledger_days=30, approvals=LEADS)
    parked = await world.call({"to": "zoe"})
    await edit(world.gateway, world.store, parked.action, '{"to":"tom"}', ANN)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    await agree(world.gateway, world.store, parked.action, BEN, seen=(await world.row(parked.action)).seen)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)
    return parked.action


async def test_whoever_was_named_before_an_edit_is_held_for_law_as_well(world: World) -> None:
    id = await edited(world)
    await hold_for_law(world.store, world.opened.secrets, SubjectId("subject:zoe"), KIM, why="case-1")
    world.clock.forward(days=31)
    assert dict((await pruned(world)).kept) == {HELD: 1}
    await release(world.store, world.opened.secrets, SubjectId("subject:zoe"), KIM)
    assert (await pruned(world)).actions == 1
    assert await is_left(world, id)


def payloads_in(where: str, world: World) -> int:
    intruder = Intruder(where, world.tenant)
    found = intruder.rows("payload")
    intruder.close()
    return len(found)


async def test_what_was_asked_for_before_an_edit_goes_as_well(world: World, where: str) -> None:
    await edited(world)
    world.clock.forward(days=31)
    assert (await pruned(world)).actions == 1
    assert payloads_in(where, world) == 0
    await sound(world)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("verdict", ["abandon", "did_not_happen"])
async def test_what_was_said_too_late_goes_as_well(
    world: World, where: str, verdict: Any, order: tuple[int, ...]
) -> None:
    tool = Owners()
    id, tasks = await with_owners(world, tool, 2, ledger_days=30)
    world.clock.forward(minutes=5)
    assert await reap(world.store, ELSEWHERE) == (id,)
    await resolve(world.another().gateway, world.store, id, verdict, KIM)
    for owner in order:
        tool.answers[owner].set_result(3)
        await tasks[owner]
    world.clock.forward(days=31)
    assert (await pruned(world)).actions == 1
    assert payloads_in(where, world) == 0
    await sound(world)


async def test_of_what_is_said_after_it_was_pruned_nothing_but_a_commitment_is_kept(world: World, where: str) -> None:
    tool = Owners()
    id, tasks = await with_owners(world, tool, 1, ledger_days=30)
    world.clock.forward(minutes=5)
    assert await reap(world.store, ELSEWHERE) == (id,)
    await resolve(world.another().gateway, world.store, id, "abandon", KIM)
    world.clock.forward(days=31)
    assert (await pruned(world)).actions == 1
    tool.answers[0].set_result(3)
    await tasks[0]
    assert payloads_in(where, world) == 0
    await sound(world)


async def test_what_is_left_is_hashed_alike_in_whatever_order_a_database_sorts(world: World) -> None:
    await world.publish()
    rows = [remains_of(await world.row((await world.call({"to": who})).action), entry=9, booked={}) for who in "abc"]
    hashes = set[str]()
    for order in permutations(rows):
        remains = Remains()
        for row in order:
            remains.add(row, [1, 2])
        hashes.add(remains.rows())
    assert len(hashes) == 1
