"""Whose yes counts: roles as held today, keys and logins of one person, authors, who asked, what it was bound to."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from interlock.contract.ir import Approvals
from interlock.core.action import ActionState
from interlock.core.canonical import line_bytes
from interlock.core.errors import NotPermitted, UpstreamSilent
from interlock.core.ids import ActionId, Instant, PersonId, ProcessId
from interlock.core.outcome import Done, Parked
from interlock.gateway.consent import agree, deny, edit
from interlock.gateway.doors import Operator
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.identity.key_file import make_key, sign
from interlock.ledger.audit import audit
from interlock.ledger.consent import consent_text
from interlock.ledger.export import read, write
from interlock.ledger.note import Verifier, signed
from interlock.ledger.tree import Tree
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


@pytest.mark.promise("consent", "ledger")
async def test_whoever_keeps_the_ledger_and_its_key_cannot_write_a_yes_that_nobody_signed(
    world: World, tmp_path: Path
) -> None:
    key = tmp_path / "ann.pem"
    approvals = Approvals(people={LEAD: frozenset({PersonId("ben"), PersonId(make_key(key))})})
    await publish(world, approvals=approvals)
    parked, other = await park(world), await park(world, arguments={"to": "eve"})
    await signed_yes(world, parked.action, key)
    await yes(world, other.action, "ben")
    for each in (parked, other):
        assert isinstance(await resume(world.gateway, world.store, each.action), Done)
    lines = await world.store.entries()
    assert await findings(world, lines) == []
    (signed_one,) = [n for n, line in enumerate(lines) if b'"signature"' in line]
    assert json.loads(lines[signed_one])["kind"] == "granted"

    def forged(at: int, change: Callable[[dict[str, Any]], object]) -> tuple[bytes, ...]:
        entry = json.loads(lines[at])
        change(entry)
        return (*lines[:at], line_bytes(entry), *lines[at + 1 :])

    def other_digest(entry: dict[str, Any]) -> None:
        entry["detail"]["digest"] = "0" * 64

    def no_signature(entry: dict[str, Any]) -> None:
        del entry["detail"]["signature"]

    def of_another_action(entry: dict[str, Any]) -> None:
        entry["action"] = other.action

    def by_somebody_else(entry: dict[str, Any]) -> None:
        entry["grants"][0]["known_by"] = "key:SHA256:" + "A" * 43

    for change in (other_digest, no_signature, of_another_action, by_somebody_else):
        found = await findings(world, forged(signed_one, change))
        assert any("is not signed by the key that it names" in what for what in found), change
    gone = (*lines[:signed_one], *lines[signed_one + 1 :])
    assert any("that no entry before it tells of" in what for what in await findings(world, gone))


async def findings(world: World, lines: tuple[bytes, ...]) -> list[str]:
    """Audit a history that is signed with the real key of the ledger, whatever it says."""
    signer = Verifier.of(world.tenant, world.opened.secrets.public_key(world.tenant, generation=1))
    tree = Tree()
    for line in lines:
        tree = tree.add(line)
    note = signed(signer, tree.head(), partial(world.opened.secrets.sign, world.tenant, generation=1))
    report = audit(read(write(signer, lines, size=len(lines), head=note)), pinned=signer)
    return [finding.what for finding in report.findings]
