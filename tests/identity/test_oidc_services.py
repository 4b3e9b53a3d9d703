"""Services by the word of an issuer: what they ask for starts as long as the issuer vouches for one that may."""

import pytest

from interlock.core.credential import Client, CredentialKind, Held, Issuer
from interlock.core.ids import AgentId, Environment, PersonId, Role, WorkflowId
from interlock.core.outcome import Done, Parked, Refused
from interlock.core.value import replace
from interlock.gateway import access
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from world import ALLOW, KIM, World, a_rule

pytestmark = pytest.mark.anyio

SUPPORT = WorkflowId("support")
BOT = Client(kind=CredentialKind.AGENT, workflow=SUPPORT, environment=Environment("prod"))
CORP = Issuer(
    name="corp",
    url="https://login.example.com",
    audience="interlock",
    groups={"leads": (Held(Role("lead"), SUPPORT),)},
    clients={"bot": BOT},
    by=PersonId("kim"),
)
LEAD = replace(KIM, person=PersonId("u1@corp"), known_by="oidc:corp", roles=(Held(Role("lead"), SUPPORT),))


@pytest.mark.promise("stop")
async def test_a_service_is_out_once_its_issuer_is(world: World) -> None:
    await world.publish()
    await access.add_issuer(world.store, CORP, KIM)
    caller = replace(world.caller(), known_by="oidc:corp")
    assert isinstance(await world.call({"n": 1}, caller=caller), Done)
    await access.remove_issuer(world.store, "corp", KIM)
    assert isinstance(await world.call({"n": 2}, caller=caller), Refused)


@pytest.mark.promise("stop", "door")
async def test_what_a_service_asked_for_does_not_start_once_its_issuer_maps_none_to_that(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"))
    await access.add_issuer(world.store, CORP, KIM)
    caller = replace(world.caller(), known_by="oidc:corp")
    asked = await world.call({"n": 1}, caller=caller)
    assert isinstance(asked, Parked)
    await agree(world.gateway, world.store, asked.action, LEAD, seen=(await world.row(asked.action)).seen)
    for other in (
        replace(BOT, kind=CredentialKind.SERVICE),
        replace(BOT, workflow=WorkflowId("billing")),
        replace(BOT, environment=Environment("dev")),
        replace(BOT, agents=(AgentId("another"),)),
    ):
        await access.add_issuer(world.store, replace(CORP, clients={"bot": other}), KIM)
        assert isinstance(await world.call({"n": 2}, caller=caller), Refused), other
    await access.add_issuer(world.store, replace(CORP, clients={}), KIM)
    ended = await resume(world.gateway, world.store, asked.action)
    assert isinstance(ended, Refused) and "vouches for no service" in ended.why
