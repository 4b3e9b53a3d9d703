"""Whose yes counts: roles as held today, keys and logins of one person, authors, who asked, what it was bound to."""

from pathlib import Path
from typing import Any

import pytest

from interlock.contract.ir import Approvals
from interlock.core.action import ActionState
from interlock.core.errors import NotPermitted, UpstreamSilent
from interlock.core.ids import ActionId, Instant, PersonId, ProcessId
from interlock.core.outcome import Done, Parked
from interlock.gateway.consent import agree, deny, edit
from interlock.gateway.doors import Operator
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.identity.key_file import consent_text, make_key, sign
from interlock.policy.rule import Before
from test_consent import ASK, LEAD, park, person, publish, yes
from world import ALLOW, World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("consent")]


def with_key(world: World, key: Path, *, about: bytes) -> Operator:
    signature = sign(key, about)
    proof = f"{signature.public_key.hex()}:{signature.signature.hex()}"
    who = signature.known_by
    return Operator(person=PersonId(who), known_by=who, process=ProcessId("ptest"), signature=proof)


async def signed_yes(world: World, id: ActionId, key: Path) -> bool:
    row = await world.row(id)
    by = with_key(world, key, about=consent_text(id, row.action.digest, row.seen))
    return (await agree(world.gateway, world.store, id, by, seen=row.seen)).complete


@pytest.mark.parametrize("changed", ["price", "pin", "description"])
async def test_a_yes_to_a_tool_that_is_another_one_by_now_opens_nothing_and_can_be_given_again(
    world: World, changed: str
) -> None:
    await publish(world)
    parked = await park(world)
    assert await yes(world, parked.action)
    new = {"price": 11, "pin": "p2", "description": "mail, to everybody"}
    fields: dict[str, Any] = {"price": 10, changed: new[changed]}
    await publish(world, tools=(a_tool(**fields),))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert world.tool.performed == []
    assert await yes(world, parked.action)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)


async def test_rules_that_changed_ask_again_even_where_they_ask_for_the_same(world: World) -> None:
    await publish(world)
    parked = await park(world)
    assert await yes(world, parked.action)
    await publish(world, ALLOW, ASK, a_rule("no.early", "deny", when=Before(instant=Instant(1))))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert await yes(world, parked.action)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)


async def test_who_has_lost_the_role_since_has_not_agreed(world: World) -> None:
    await publish(world)
    parked = await park(world)
    assert await yes(world, parked.action, "ben")
    await publish(world, approvals=Approvals(people={LEAD: frozenset({PersonId("ann")})}))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert await yes(world, parked.action, "ann")
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)


async def test_whose_words_stand_there_has_not_agreed_to_them_whenever_they_said_yes(world: World) -> None:
    await publish(world)
    parked = await park(world)
    assert await yes(world, parked.action, "ann")
    await edit(world.gateway, world.store, parked.action, '{"to":"tom"}', person("ben"))
    await edit(world.gateway, world.store, parked.action, '{"to":"sam"}', person("ann"))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert world.tool.performed == []


async def test_neither_who_retries_nor_whoever_it_was_for_agrees_to_a_retry(world: World) -> None:
    everybody = Approvals(people={LEAD: frozenset(PersonId(name) for name in ("sam", "ann", "ben"))})
    await publish(world, approvals=everybody)
    world.tool.breaks = [UpstreamSilent("silence", fix="wait")]
    first = await park(world)
    await yes(world, first.action, "ann")
    await resume(world.gateway, world.store, first.action)
    another = world.another()
    again = await resolve(another.gateway, world.store, first.action, "retry", person("ben"), may_still_happen=True)
    assert isinstance(again.retried, Parked)
    for who in ("ben", "sam"):
        with pytest.raises(NotPermitted, match="asked for this action"):
            await yes(world, again.retried.action, who)
    assert await yes(world, again.retried.action, "ann")


async def test_one_person_with_a_login_and_a_key_is_one_person(world: World, tmp_path: Path) -> None:
    key = tmp_path / "ann.pem"
    known_by = make_key(key)
    people = {LEAD: frozenset({PersonId("ann"), PersonId(known_by), PersonId("ben")})}
    approvals = Approvals(people=people, keys={PersonId("ann"): frozenset({known_by})})
    await publish(world, ALLOW, a_rule("ask.mail", "ask", quorum=2), approvals=approvals)
    parked = await park(world)
    assert not await yes(world, parked.action, "ann")
    assert not await signed_yes(world, parked.action, key)
    assert await yes(world, parked.action, "ben")
    mine = await world.call({"to": "eve"}, caller=world.caller(principal="ann"))
    with pytest.raises(NotPermitted, match="`ann` asked for this action"):
        await signed_yes(world, mine.action, key)


async def test_where_a_rule_asks_for_a_step_up_only_a_signature_about_this_agrees(world: World, tmp_path: Path) -> None:
    key = tmp_path / "ann.pem"
    approvals = Approvals(people={LEAD: frozenset({PersonId("ann"), PersonId(make_key(key))})})
    await publish(world, ALLOW, a_rule("ask.mail", "ask", step_up=True), approvals=approvals)
    parked, other = await park(world), await park(world, arguments={"to": "eve"})
    with pytest.raises(NotPermitted, match="proves who they are") as no:
        await yes(world, parked.action, "ann")
    assert "--sign-with" in no.value.fix
    assert await signed_yes(world, parked.action, key)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)
    # A no needs no proof: who may say yes may always say no.
    await deny(world.gateway, world.store, other.action, person("ann"))
    assert (await world.row(other.action)).state is ActionState.REFUSED
