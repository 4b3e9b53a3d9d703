"""Consent under borrowed names: who edited, who asked, whose a key is, and words that were said before a rule was."""

from pathlib import Path

import pytest

from interlock.contract.ir import Approvals
from interlock.core.effect import Tier
from interlock.core.errors import NotPermitted
from interlock.core.ids import PersonId, Role
from interlock.core.outcome import Parked, Suggested
from interlock.core.value import replace
from interlock.gateway.consent import agree, edit
from interlock.gateway.draft import start_draft
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.identity.key_file import make_key
from test_hostile import ASK, PEOPLE, SILENT, who, yes
from test_undo import AS_UNDO, UNDO
from test_who_agrees import signed_yes
from world import ALLOW, KIM, World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("consent")]


async def test_who_edited_does_not_approve_a_retry_either(world: World) -> None:
    await world.publish(ALLOW, ASK, approvals=PEOPLE)
    parked = await world.call({"to": "bob"}, run="r1")
    await edit(world.gateway, world.store, parked.action, '{"to":"mallory"}', who("eve"))
    await resume(world.gateway, world.store, parked.action)
    assert await yes(world, parked.action, "ann")
    world.tool.breaks = [SILENT]
    await resume(world.gateway, world.store, parked.action)
    again = await resolve(world.another().gateway, world.store, parked.action, "retry", KIM, may_still_happen=True)
    assert isinstance(again.retried, Parked)
    with pytest.raises(NotPermitted, match="wrote these arguments"):
        await yes(world, again.retried.action, "eve")


async def test_whoever_a_draft_was_for_does_not_approve_it(world: World) -> None:
    await world.publish(approvals=PEOPLE, tools=[a_tool(tier=Tier.RED)])
    drafted = await world.call(run="r1")
    draft = await start_draft(world.gateway, world.store, drafted.action, KIM)
    with pytest.raises(NotPermitted, match="asked for this action"):
        await yes(world, draft.action, "sam")


@pytest.mark.promise("tenant")
async def test_an_agent_that_speaks_for_a_person_has_no_key_of_theirs(world: World) -> None:
    """The key of a draft that is started can be guessed, and a token may let an agent name any principal."""
    await world.publish(approvals=PEOPLE, tools=[a_tool(tier=Tier.RED)])
    as_kim, one, other = world.caller(principal=KIM.person), await world.call({"n": 1}), await world.call({"n": 2})
    before = await world.call({"n": 1}, caller=as_kim, key=f"draft:{one.action}")
    draft = await start_draft(world.gateway, world.store, one.action, KIM)
    assert isinstance(draft, Parked) and draft.action != before.action
    draft = await start_draft(world.gateway, world.store, other.action, KIM)
    after = await world.call({"n": 2}, caller=as_kim, key=f"draft:{other.action}")
    assert isinstance(after, Suggested) and after.action != draft.action
    again = await start_draft(world.gateway, world.store, other.action, KIM)
    assert (again.action, again.recalled) == (draft.action, True)


async def test_a_key_that_was_taken_from_a_person_has_not_agreed_for_them(world: World, tmp_path: Path) -> None:
    key = tmp_path / "ann.pem"
    keys = {PersonId("ann"): frozenset({make_key(key)})}
    approvals = Approvals(people={Role("lead"): frozenset({PersonId("ann")})}, keys=keys)
    await world.publish(ALLOW, ASK, approvals=approvals)
    parked = await world.call()
    assert await signed_yes(world, parked.action, key)
    await world.publish(ALLOW, ASK, approvals=replace(approvals, keys={}))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)


async def test_two_names_that_turn_out_to_be_one_person_are_one_yes(world: World, tmp_path: Path) -> None:
    key = tmp_path / "ann.pem"
    known_by = make_key(key)
    two = a_rule("ask.mail", "ask", quorum=2)
    approvals = Approvals(people={Role("lead"): frozenset({PersonId("ann"), PersonId(known_by)})})
    await world.publish(ALLOW, two, approvals=approvals)
    parked = await world.call()
    await yes(world, parked.action, "ann")
    assert await signed_yes(world, parked.action, key)
    await world.publish(ALLOW, two, approvals=replace(approvals, keys={PersonId("ann"): frozenset({known_by})}))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)


async def test_separation_of_duties_holds_for_words_that_were_said_before_it(world: World) -> None:
    loose = replace(PEOPLE, separation_of_duties=False)
    await world.publish(ALLOW, ASK, approvals=loose)
    parked = await world.call()
    assert await yes(world, parked.action, "sam")
    await world.publish(ALLOW, ASK, approvals=PEOPLE)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)


@pytest.mark.parametrize("signature", ["forged", "00:00", ":"])
async def test_a_signature_that_does_not_fit_is_no_step_up(world: World, signature: str) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask", step_up=True), approvals=PEOPLE)
    parked = await world.call()
    seen = (await world.row(parked.action)).seen
    with pytest.raises(NotPermitted, match="not about what it says"):
        await agree(world.gateway, world.store, parked.action, replace(who("ann"), signature=signature), seen=seen)


@pytest.mark.promise("undo")
async def test_what_an_undo_does_is_not_for_anyone_to_edit(world: World) -> None:

    undoing = a_tool("mail.unsend", price=0, only_as_undo=True)
    world.tool.result = {"id": 7}
    asks = a_rule("ask.unsend", "ask", "mail.unsend")
    await world.publish(ALLOW, AS_UNDO, asks, tools=[a_tool(undo=UNDO), undoing], approvals=PEOPLE)
    first = await world.call(run="r1")
    waits = await undo(world.gateway, world.store, first.action, KIM)
    with pytest.raises(NotPermitted, match="is an undo"):
        await edit(world.gateway, world.store, waits.action, '{"id":8,"to":"sam"}', who("ann"))
