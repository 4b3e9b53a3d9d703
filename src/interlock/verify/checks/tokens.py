"""A token opens what it was issued for and nothing else, and whoever edits the database cannot make it open more."""

import json
from collections.abc import Mapping
from typing import Any, cast

from interlock.core.action import Caller
from interlock.core.credential import Credential, CredentialKind
from interlock.core.errors import StoreTampered
from interlock.core.ids import AgentId, Environment, Instant, PersonId, PrincipalId, WorkflowId
from interlock.core.outcome import Done, Refused
from interlock.core.value import replace
from interlock.gateway import access
from interlock.identity.bearer import Bearer, NotKnown, bearer_of, caller_of
from interlock.identity.token import Drawn, draw
from interlock.ports import Needs
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab, Row
from interlock.verify.world import KIM, NOON, PROD, World

_HOUR = 3_600 * 1_000_000
_STAGING = Environment("staging")


@check("door", "a token is for one workflow in one environment, and for the agent and the principal that it names")
async def token_for_one_place(lab: Lab) -> str:
    world = lab.world()
    await world.publish()
    prod, staging = await _issued(world, PROD), await _issued(world, _STAGING)
    caller = await _caller(world, prod)
    assert isinstance(caller, Caller), "it is named as it was issued"
    ended(await world.call({"n": 0}, caller=caller), Done, "what the token is for")
    others: tuple[tuple[Drawn, Mapping[str, Any]], ...] = (
        (staging, {"environment": PROD}),
        (prod, {"environment": _STAGING}),
        (prod, {"workflow": WorkflowId("payroll")}),
        (prod, {"agent": AgentId("other")}),
        (prod, {"principal": PrincipalId("eve")}),
    )
    for drawn, said in others:
        must(isinstance(await _caller(world, drawn, **said), NotKnown), f"a token was let in for {said}")
    # Whatever a door believed, the transaction that starts an action looks again.
    for known_by, said in ((f"token:{staging.id}", {}), (caller.known_by, {"agent": AgentId("other")})):
        stranger = replace(caller, known_by=known_by, **said)
        ended(await world.call({"n": 1}, caller=stranger), Refused, f"{stranger}, known by `{known_by}`")
    world.clock.forward(minutes=61)
    ended(await world.call({"n": 2}, caller=caller), Refused, "a call with a token that has expired")
    must(len(world.tool.performed) == 1, f"the tool was called {len(world.tool.performed)} times")
    return "5 others not let in, 3 calls refused, 1 carried out"


@check("ledger", "a token that somebody with the database lengthens, widens, brings back or writes there opens nothing")
async def token_edited(lab: Lab) -> str:
    world = lab.world()
    await world.publish()
    drawn = await _issued(world, _STAGING)
    await access.revoke(world.store, drawn.id, KIM)
    edits: tuple[Mapping[str, Any], ...] = (
        {"expires_at": NOON + 1_000 * _HOUR},
        {"environment": "prod"},
        {"workflow": "payroll"},
        {"agents": []},
        {"principal": "*"},
        {"roles": [["admin", None]]},
        {"kind": "service"},
        {"rate": 0},
        {"key": ""},
        {"revoked_at": 0},
        {"hash": draw(world.tenant).hash},
    )
    (row,) = lab.rows("door", world)
    for edit in edits:
        lab.put_back("door", world, [_with(lab, row, drawn, edit)])
        ended(await world.call(), Refused, f"a call behind a door with an edited token ({edit})")
        other = lab.world(beside=world)
        try:
            broken(f"a token that was edited ({edit}) was believed: {await _shown(other, drawn)}")
        except StoreTampered:
            other.opened.close()
    must(not world.tool.performed, "the tool was called all the same")
    lab.put_back("door", world, [row])
    return f"{len(edits)} edits, 0 believed"


@check("ledger", "a token that was revoked stays so where the row of the time before is put back")
async def token_brought_back(lab: Lab) -> str:
    world = lab.world()
    await world.publish()
    drawn = await _issued(world, PROD)
    caller = await _caller(world, drawn)
    assert isinstance(caller, Caller), "it is named as it was issued"
    before = lab.rows("door", world)
    await access.revoke(world.store, drawn.id, KIM)
    ended(await world.call({"n": 1}, caller=caller), Refused, "a call with a token that was revoked")
    after = lab.rows("door", world)
    lab.put_back("door", world, before)
    for each in (world, lab.world(beside=world)):
        ended(await each.call({"n": 2}, caller=caller), Refused, "a call with the row of before")
    must(not world.tool.performed, "the tool was called all the same")
    lab.put_back("door", world, after)
    return "3 calls refused"


async def _issued(world: World, environment: Environment) -> Drawn:
    drawn = draw(world.tenant)
    new = Credential(
        id=drawn.id,
        hash=drawn.hash,
        name="verify",
        kind=CredentialKind.AGENT,
        workflow=WorkflowId("support"),
        environment=environment,
        agents=(AgentId("bot"),),
        principal=PrincipalId("sam"),
        rate=600,
        key="",
        by=PersonId("kim"),
        expires_at=Instant(world.clock.now() + _HOUR),
    )
    await access.issue(world.store, new, KIM)
    return drawn


async def _shown(world: World, drawn: Drawn) -> Bearer | NotKnown:
    rows = await world.store.read(Needs())
    return bearer_of(rows.door, rows.now, drawn.text)


async def _caller(world: World, drawn: Drawn, **said: Any) -> Caller | NotKnown:  # noqa: ANN401  what a caller names
    bearer = await _shown(world, drawn)
    return bearer if isinstance(bearer, NotKnown) else caller_of(bearer, **said)


def _with(lab: Lab, row: Row, drawn: Drawn, edit: Mapping[str, Any]) -> Row:
    """Return the row of a door with another word about a token."""
    at = lab.tables()["door"].index("body")
    door = cast("dict[str, Any]", json.loads(bytes(row[at])))
    door["credentials"][drawn.id] |= edit
    body = json.dumps(door, separators=(",", ":"), sort_keys=True).encode()
    must(body != bytes(row[at]), f"nothing was edited by {edit}")
    return (*row[:at], body, *row[at + 1 :])


CHECKS = (token_for_one_place, token_edited, token_brought_back)
