"""One human with several logins is one person, whatever they come in by, and nobody else becomes that person."""

import pytest

from interlock.contract.ir import Approvals
from interlock.core.credential import Held, Issuer, Right
from interlock.core.errors import NotPermitted
from interlock.core.ids import Instant, PersonId, Role, WorkflowId
from interlock.core.outcome import Done, Parked
from interlock.core.value import replace
from interlock.gateway import access
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree, edit
from interlock.gateway.doors import Operator
from interlock.gateway.people import person_of
from interlock.gateway.resume import resume
from interlock.ports import Needs
from world import ALLOW, KIM, NOON, World, a_rule

pytestmark = [pytest.mark.anyio, pytest.mark.promise("consent")]

LEAD, SUPPORT = Role("lead"), WorkflowId("support")
CORP = Issuer(
    name="corp",
    url="https://login.example.com",
    audience="interlock",
    groups={"leads": (Held(LEAD, SUPPORT),)},
    by=PersonId("kim"),
)
ANN, LOGIN = PersonId("ann"), PersonId("u1@corp")
AS_ANN = replace(KIM, person=ANN, known_by="os:7")
BY_LOGIN = replace(KIM, person=LOGIN, known_by="oidc:corp", roles=(Held(LEAD, SUPPORT),))
BEN = replace(KIM, person=PersonId("ben"), known_by="os:8")
IS_ANN = Approvals(
    people={LEAD: frozenset({ANN, BEN.person})},
    keys={ANN: frozenset({LOGIN})},
)


async def begun(world: World, approvals: Approvals = IS_ANN, *, quorum: int = 2, for_whom: str = "sam") -> Parked:
    await publish(world, approvals, quorum=quorum)
    await access.add_issuer(world.store, CORP, KIM)
    outcome = await world.call({"n": 1}, caller=world.caller(principal=for_whom))
    assert isinstance(outcome, Parked)
    return outcome


async def publish(world: World, approvals: Approvals, *, quorum: int = 2) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask", quorum=quorum), approvals=approvals)


async def yes(world: World, asked: Parked, by: Operator) -> bool:
    seen = (await world.row(asked.action)).seen
    return (await agree(world.gateway, world.store, asked.action, by, seen=seen)).complete


async def test_a_yes_by_the_login_and_one_by_the_account_are_of_one_person(world: World) -> None:
    asked = await begun(world)
    assert not await yes(world, asked, AS_ANN)
    assert not await yes(world, asked, BY_LOGIN)
    assert isinstance(await resume(world.gateway, world.store, asked.action), Parked)
    assert await yes(world, asked, BEN)
    assert isinstance(await resume(world.gateway, world.store, asked.action), Done)
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_the_ledger_says_by_which_login_somebody_was_known(world: World) -> None:
    asked = await begun(world, quorum=1)
    assert await yes(world, asked, BY_LOGIN)
    grants = (await world.store.read(Needs(grants=frozenset({asked.action})))).grants[asked.action]
    assert [(grant.person, grant.known_by, grant.roles) for grant in grants] == [(LOGIN, "oidc:corp", {LEAD})]


async def test_it_is_the_contract_of_today_that_says_whose_a_login_is(world: World) -> None:
    asked = await begun(world)
    assert not await yes(world, asked, AS_ANN)
    assert not await yes(world, asked, BY_LOGIN)
    await publish(world, replace(IS_ANN, keys={}))
    assert isinstance(await resume(world.gateway, world.store, asked.action), Done)


async def test_who_asked_by_one_login_does_not_agree_by_another(world: World) -> None:
    for for_whom, by in (("u1@corp", AS_ANN), ("ann", BY_LOGIN)):
        asked = await begun(world, quorum=1, for_whom=for_whom)
        with pytest.raises(NotPermitted, match="`ann` asked for this action"):
            await yes(world, asked, by)


async def test_who_edited_by_one_login_does_not_agree_by_another_also_once_the_contract_forgets_whose_it_is(
    world: World,
) -> None:
    asked = await begun(world, quorum=1)
    await edit(world.gateway, world.store, asked.action, '{"n": 2}', BY_LOGIN)
    await resume(world.gateway, world.store, asked.action)
    with pytest.raises(NotPermitted, match="`ann` wrote these arguments"):
        await yes(world, asked, AS_ANN)
    await publish(world, replace(IS_ANN, keys={}), quorum=1)
    await resume(world.gateway, world.store, asked.action)
    with pytest.raises(NotPermitted, match="`u1@corp` wrote these arguments"):
        await yes(world, asked, BY_LOGIN)


@pytest.mark.parametrize("approvals", [IS_ANN, Approvals(people={LEAD: frozenset({LOGIN})})])
async def test_a_yes_of_a_login_that_the_contract_names_counts_no_more_once_its_issuer_does_not(
    world: World, approvals: Approvals
) -> None:
    asked = await begun(world, approvals, quorum=1)
    assert await yes(world, asked, BY_LOGIN)
    await access.remove_issuer(world.store, "corp", KIM)
    assert isinstance(await resume(world.gateway, world.store, asked.action), Parked)
    with pytest.raises(NotPermitted, match="holds none of the roles"):
        await yes(world, asked, BY_LOGIN)
    await access.add_issuer(world.store, CORP, KIM)
    assert isinstance(await resume(world.gateway, world.store, asked.action), Done)
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_what_the_login_holds_counts_for_the_person(world: World) -> None:
    asked = await begun(world, replace(IS_ANN, people={}), quorum=1)
    with pytest.raises(NotPermitted, match="holds none of the roles"):
        await yes(world, asked, AS_ANN)
    until = Instant(world.clock.now() + 3_600_000_000)
    right = Right(id="h1", person=LOGIN, held=Held(LEAD), by=KIM.person, at=NOON, until=until)
    await access.give(world.store, right, KIM)
    assert await yes(world, asked, AS_ANN)


async def test_who_asked_or_edited_does_not_agree_as_an_account_that_is_called_like_a_login(world: World) -> None:
    account = replace(KIM, person=LOGIN, known_by="os:9")
    either = replace(IS_ANN, people={LEAD: frozenset({LOGIN})})
    asked = await begun(world, either, quorum=1, for_whom="u1@corp")
    with pytest.raises(NotPermitted, match="`u1@corp` asked for this action"):
        await yes(world, asked, account)
    await publish(world, replace(either, separation_of_duties=False), quorum=1)
    await edit(world.gateway, world.store, asked.action, '{"n": 2}', account)
    await resume(world.gateway, world.store, asked.action)
    with pytest.raises(NotPermitted, match="`u1@corp` wrote these arguments"):
        await yes(world, asked, account)


@pytest.mark.parametrize(
    ("person", "known_by", "want"),
    [
        (LOGIN, "oidc:corp", ANN),
        (LOGIN, "", ANN),
        (LOGIN, "os:9", LOGIN),
        (LOGIN, "oidc:evil", LOGIN),
        (PersonId("u1@evil"), "oidc:evil", "u1@evil"),
        (PersonId("x@u1@corp"), "oidc:corp", "x@u1@corp"),
        (ANN, "os:7", ANN),
    ],
)
async def test_a_login_counts_by_the_word_of_its_issuer_alone(person: PersonId, known_by: str, want: str) -> None:
    assert person_of(IS_ANN, person, known_by) == want
