"""Tokens for tests."""

import asyncio
from typing import Any

from interlock.core.action import Caller
from interlock.core.credential import Credential, CredentialKind
from interlock.core.door import Door
from interlock.core.ids import CredentialId, Environment, Instant, PersonId, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.gateway import access
from interlock.identity.bearer import Bearer, bearer_of, caller_of
from interlock.identity.token import Drawn, draw
from interlock.ports import Needs
from world import KIM, NOON, World

DAY = 86_400 * 1_000_000


def a_card(drawn: Drawn, **fields: Any) -> Credential:
    """What is kept of a token: of an agent of `support` in `prod`, good for ninety days."""
    given: dict[str, Any] = {
        "name": "bot",
        "kind": CredentialKind.AGENT,
        "workflow": WorkflowId("support"),
        "environment": Environment("prod"),
        "by": PersonId("kim"),
        "expires_at": Instant(NOON + 90 * DAY),
        **fields,
    }
    return Credential(id=drawn.id, hash=drawn.hash, **given)


def a_door(*cards: Credential) -> Door:
    return Door(credentials={card.id: card for card in cards})


async def issued(world: World, **fields: Any) -> tuple[Drawn, Credential]:
    """Issue a token in a world."""
    drawn = draw(world.tenant)
    return drawn, await access.issue(world.store, a_card(drawn, **fields), KIM)


async def door_of(world: World) -> Door:
    return (await world.store.read(Needs())).door


async def shown(world: World, drawn: Drawn) -> Bearer:
    """Let the holder of a token in."""
    bearer = bearer_of(await door_of(world), world.clock.now(), drawn.text)
    assert isinstance(bearer, Bearer), bearer
    return bearer


async def with_token(world: World, drawn: Drawn) -> Caller:
    """Ask as the usual agent, known by a token."""
    plain = world.caller()
    caller = caller_of(await shown(world, drawn), agent=plain.agent, principal=plain.principal)
    assert isinstance(caller, Caller), caller
    return caller


def ends_otherwise(text: str) -> str:
    """Return a text with another end, whichever it had."""
    return text[:-2] + ("BB" if text.endswith("AA") else "AA")


def another_tenant(drawn: Drawn, tenant: str) -> Drawn:
    """A token that is right in all but its tenant."""
    other = draw(TenantId(tenant))
    return replace(other, id=CredentialId(drawn.id))


async def fill(world: World, count: int) -> None:
    """Issue tokens, many in each batch."""
    drawn = [draw(world.tenant) for _ in range(count)]
    for n in range(0, count, 64):
        await asyncio.gather(*(access.issue(world.store, a_card(each), KIM) for each in drawn[n : n + 64]))
