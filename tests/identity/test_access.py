"""Tokens are issued, rotated and revoked, and whoever was let in by one is out from the next transaction on."""

import asyncio
from collections.abc import Callable

import pytest

from cards import DAY, door_of, fill, issued, shown, with_token
from interlock.app import Opened
from interlock.contract.ir import Approvals, Undo
from interlock.core.door import Door
from interlock.core.effect import EffectClass
from interlock.core.errors import NotPermitted
from interlock.core.ids import (
    AgentId,
    CredentialId,
    Environment,
    Instant,
    Micros,
    PersonId,
    PrincipalId,
    Role,
    ToolName,
)
from interlock.core.limits import CREDENTIALS_MAX
from interlock.core.outcome import Done, Outcome, Parked, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway import access
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.identity.bearer import NotKnown, bearer_of
from interlock.identity.token import draw
from interlock.rows import Wanted
from world import ALLOW, KIM, HandClock, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

ASK = a_rule("ask.mail", "ask")
PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})


def turned_away(outcome: Outcome) -> str:
    """Say why a call was refused for who makes it."""
    assert isinstance(outcome, Refused), outcome
    assert outcome.reason is Reason.TOOL_NOT_ALLOWED
    assert outcome.fix
    return outcome.why


async def test_a_token_lets_in_and_the_ledger_says_how_the_agent_was_known(world: World) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    assert isinstance(await world.call(caller=await with_token(world, drawn)), Done)
    told = [entry for entry in await world.entries() if "action" in entry]
    assert {entry["known_by"] for entry in told} == {f"token:{drawn.id}"}
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_neither_a_token_nor_its_secret_is_in_the_ledger_or_in_a_row(world: World) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    await world.call(caller=await with_token(world, drawn))
    secret = drawn.text[-49:]
    lines = b"".join(await world.store.entries())
    rows = str(await world.store.actions(Wanted())) + str(await door_of(world))
    assert secret not in lines.decode() + rows
    assert drawn.text not in lines.decode() + rows


@pytest.mark.promise("stop", "door")
async def test_who_was_let_in_is_out_once_the_revocation_has_committed(world: World) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    assert isinstance(await world.call({"n": 1}, caller=caller), Done)
    await access.revoke(world.store, drawn.id, KIM)
    assert "was revoked" in turned_away(await world.call({"n": 2}, caller=caller))
    assert len(world.tool.performed) == 1
    assert (await world.history())[-1].startswith("refused refused: tool_not_allowed")
    assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.promise("stop")
async def test_a_revocation_by_another_process_in_the_middle_of_a_call_wins(
    world: World, opens: Callable[[HandClock], Opened]
) -> None:
    """Every call that is under way while somebody revokes its token either has started by then or never does."""
    other = World.on(opens(world.clock), world.clock, world.tenant)
    await world.publish()
    for n in range(10):
        drawn, _ = await issued(world)
        caller = await with_token(world, drawn)
        calls = [asyncio.create_task(world.call({"round": n, "which": w}, caller=caller)) for w in range(4)]
        await asyncio.sleep(0)
        await access.revoke(other.store, drawn.id, KIM)
        await asyncio.gather(*calls)
    wrong, revoked = list[object](), set[str]()
    for entry in await world.entries():
        if entry["kind"] == "credential" and entry["detail"]["to"] == "revoked":
            revoked.add(f"token:{entry['detail']['credential']}")
        elif entry["kind"] == "started" and entry["known_by"] in revoked:
            wrong.append(entry)
    assert (wrong, len(revoked)) == ([], 10)


async def test_a_token_whose_days_are_over_starts_nothing(world: World) -> None:
    await world.publish()
    drawn, _ = await issued(world, expires_at=Instant(world.clock.now() + DAY))
    caller = await with_token(world, drawn)
    world.clock.forward(days=1)
    assert "has expired" in turned_away(await world.call(caller=caller))
    assert isinstance(bearer_of(await door_of(world), world.clock.now(), drawn.text), NotKnown)


@pytest.mark.promise("tenant")
async def test_what_is_recorded_is_not_told_to_who_is_out(world: World) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    assert isinstance(await world.call(key="k", caller=caller), Done)
    again = await world.call(key="k", caller=caller)
    assert isinstance(again, Done)
    assert again.recalled
    await access.revoke(world.store, drawn.id, KIM)
    turned_away(await world.call(key="k", caller=caller))


async def test_a_read_that_is_remembered_is_not_told_to_who_is_out(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.READ, cache_ttl=Micros(3_600_000_000))])
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    await world.call(caller=caller)
    await access.revoke(world.store, drawn.id, KIM)
    turned_away(await world.call(caller=caller))


async def test_who_is_out_pays_for_calls_and_for_nothing_else(world: World) -> None:
    await world.publish(ALLOW, tools=[a_tool(price=10)], budgets=[a_budget(100)])
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    await access.revoke(world.store, drawn.id, KIM)
    turned_away(await world.call(caller=caller))
    assert (await world.balance()).spent == 0


@pytest.mark.promise("once")
async def test_rotation_changes_no_key_and_the_old_token_goes_on_for_a_while(world: World) -> None:
    await world.publish()
    old, card = await issued(world)
    first = await world.call(key="k", caller=await with_token(world, old))
    new = draw(world.tenant)
    until = Instant(world.clock.now() + DAY)
    await access.rotate(world.store, old.id, replace(card, id=new.id, hash=new.hash), KIM, until=until)
    again = await world.call(key="k", caller=await with_token(world, new))
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert (again.recalled, again.action) == (True, first.action)
    assert isinstance(await world.call({"n": 2}, caller=await with_token(world, old)), Done)
    world.clock.forward(days=1)
    assert isinstance(bearer_of(await door_of(world), world.clock.now(), old.text), NotKnown)
    assert isinstance(await world.call({"n": 3}, caller=await with_token(world, new)), Done)
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_what_waits_outlives_the_days_of_its_token_and_not_its_revocation(world: World) -> None:
    await world.publish(ALLOW, ASK, approvals=PEOPLE)
    drawn, _ = await issued(world, expires_at=Instant(world.clock.now() + DAY // 2))
    caller = await with_token(world, drawn)
    parked = [await world.call({"n": n}, caller=caller) for n in range(2)]
    world.clock.forward(days=0.6)
    ids = [each.action for each in parked if isinstance(each, Parked)]
    for id in ids:
        await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    assert isinstance(await resume(world.gateway, world.store, ids[0]), Done)
    await access.revoke(world.store, drawn.id, KIM)
    assert "was revoked" in turned_away(await resume(world.gateway, world.store, ids[1]))
    assert len(world.tool.performed) == 1


@pytest.mark.promise("undo")
async def test_what_an_agent_did_is_undone_although_it_is_out(world: World) -> None:
    back = Undo(tool=ToolName("mail.back"), args={}, within=Micros(DAY))
    tools = [a_tool(undo=back), a_tool("mail.back", only_as_undo=True)]
    await world.publish(ALLOW, a_rule("allow.back", "permit", "mail.back"), tools=tools)
    drawn, _ = await issued(world)
    done = await world.call(caller=await with_token(world, drawn))
    await access.revoke(world.store, drawn.id, KIM)
    undone = await undo(world.gateway, world.store, done.action, KIM)
    assert isinstance(undone, Done)
    assert (await world.row(undone.action)).action.caller.known_by == KIM.known_by


@pytest.mark.promise("tenant")
@pytest.mark.parametrize(
    "changed",
    [
        {"environment": Environment("staging")},
        {"agents": (AgentId("another"),)},
        {"principal": PrincipalId("another")},
    ],
)
async def test_the_spine_does_not_rely_on_the_door_for_what_a_token_is_for(
    world: World, changed: dict[str, object]
) -> None:
    await world.publish()
    drawn, _ = await issued(world, **changed)
    caller = replace(world.caller(), known_by=f"token:{drawn.id}")
    assert "is not for this" in turned_away(await world.call(caller=caller))
    assert "no token" in turned_away(await world.call(caller=replace(caller, known_by="token:t0000000000")))
    assert "does not count" in turned_away(await world.call(caller=replace(caller, known_by="oidc:nobody")))


async def test_a_token_expires_and_a_tenant_has_so_many(world: World) -> None:
    for days in (0, -1, 367):
        with pytest.raises(NotPermitted, match="expires within 366 days"):
            await issued(world, expires_at=Instant(world.clock.now() + days * DAY))
    await fill(world, CREDENTIALS_MAX)
    with pytest.raises(NotPermitted, match="at most 1,000 tokens"):
        await issued(world)
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_a_token_that_ended_long_ago_makes_room(world: World) -> None:
    short, _ = await issued(world, expires_at=Instant(world.clock.now() + DAY))
    world.clock.forward(days=30)
    await issued(world)
    assert short.id in (await door_of(world)).credentials
    world.clock.forward(days=1)
    await issued(world)
    assert short.id not in (await door_of(world)).credentials
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_what_is_not_there_or_has_ended_is_neither_revoked_nor_rotated(world: World) -> None:
    nobody = CredentialId("t0000000000")
    drawn, card = await issued(world)
    await access.revoke(world.store, drawn.id, KIM)
    for id, why in ((nobody, "there is no token"), (drawn.id, "was revoked")):
        with pytest.raises(NotPermitted, match=why):
            await access.revoke(world.store, id, KIM)
        with pytest.raises(NotPermitted, match=why):
            await access.rotate(world.store, id, card, KIM, until=world.clock.now())
    gone, card = await issued(world, expires_at=Instant(world.clock.now() + DAY))
    world.clock.forward(days=1)
    with pytest.raises(NotPermitted, match="has expired"):
        await access.rotate(world.store, gone.id, card, KIM, until=world.clock.now())


async def test_an_expired_token_is_shown_and_a_bearer_is_of_its_tenant(world: World) -> None:
    drawn, card = await issued(world)
    bearer = await shown(world, drawn)
    assert (bearer.tenant, bearer.ends_at) == (world.tenant, card.expires_at)
    assert isinstance(bearer_of(Door(), world.clock.now(), drawn.text), NotKnown)
