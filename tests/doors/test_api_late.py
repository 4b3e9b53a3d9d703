"""Who is out by the time at which the rest of a request comes has no say any more."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from asked_over import Over

from cards import DAY, door_of, issued
from interlock.contract.ir import Approvals, Undo
from interlock.core.credential import Credential, CredentialKind, Held, Issuer, Right
from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import ActionId, Instant, Micros, PersonId, Role, ToolName
from interlock.door.asgi import Scope
from interlock.door.entrance import Entrance
from interlock.door.http.server import server_behind
from interlock.door.http.visit import Visit
from interlock.gateway import access
from interlock.identity.bearer import Bearer, BearerKind
from interlock.identity.token import Drawn
from interlock.policy.rule import AsUndo
from world import ALLOW, KIM, NOON, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("door")]

NOWHERE: dict[str, Any] = {"workflow": None, "environment": None}
LOGIN = PersonId("u1@corp")
CORP = Issuer(name="corp", url="https://login.example.com", audience="interlock", by=KIM.person)
AS_UNDO = a_rule("allow.unsend", "permit", "mail.unsend", when=AsUndo())
UNDO = Undo(tool=ToolName("mail.unsend"), args={"id": "$.result.id"}, within=Micros(DAY))

Meanwhile = Callable[[], Awaitable[object]]


async def said_late(over: Over, path: str, said: Any, meanwhile: Meanwhile) -> tuple[int, Any]:
    """Send the head of a request, and the body once something else has happened."""
    heard: list[Any] = []

    async def receive() -> Any:
        if heard:
            return {"type": "http.disconnect"}
        await meanwhile()
        heard.append(None)
        return {"type": "http.request", "body": json.dumps(said).encode()}

    async def send(message: Any) -> None:
        heard.append(message)

    headers = {"host": "localhost", "authorization": f"Bearer {over.token}", "content-type": "application/json"}
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    await over.server(scope, receive, send)
    return heard[1]["status"], json.loads(heard[2]["body"])


@pytest.mark.parametrize("by_its_write", [False, True])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/switches", {"kind": "stop"}),
        ("/v1/budgets/raise", {"budget": "support:prod/usd/day:2026-01-01", "by": "5"}),
        ("/v1/actions/ID/resolve", {"verdict": "did_not_happen"}),
        ("/v1/actions/ID/resolve", {"verdict": "abandon"}),
    ],
)
async def test_a_token_that_is_revoked_before_the_rest_of_a_request_comes_changes_nothing(
    world: World, path: str, said: Any, by_its_write: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_its_write:
        monkeypatch.setattr(Visit, "still_let_in", _looks_away)
    await world.publish(budgets=[a_budget(10)])
    drawn, card = await an_operator(world)
    world.tool.breaks.append(UpstreamSilent("nobody knows", fix="look"))
    id = (await world.call()).action
    before, over = await world.entries(), (await Over.to(world)).by(drawn)
    status, told = await said_late(over, path.replace("ID", id), said, lambda: access.revoke(world.store, card.id, KIM))
    assert (status, told["type"]) == (401, "/v1/problems/not-known")
    assert [entry["kind"] for entry in (await world.entries())[len(before) + 1 :]] == ["credential"]


async def _looks_away(visit: object) -> None:
    pass


async def test_a_person_agrees_to_nothing_once_the_word_of_their_issuer_counts_no_more(world: World) -> None:
    people = Approvals(people={Role("lead"): frozenset({LOGIN})})
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=people)
    await access.add_issuer(world.store, CORP, KIM)
    id = (await world.call()).action
    over, seen = await as_person(world, Held.read("approver")), (await world.row(id)).seen
    path = f"/v1/actions/{id}".replace("actions", "approvals")
    for word in ("approve", "deny"):
        status, _ = await said_late(
            over, f"{path}/{word}", {"seen": seen}, lambda: access.remove_issuer(world.store, "corp", KIM)
        )
        assert status == 401, word
    assert [entry["kind"] for entry in await world.entries()][-1] == "issuer"


async def test_a_person_undoes_nothing_once_their_role_is_taken_back(world: World) -> None:
    id = await what_can_be_undone(world)
    await access.add_issuer(world.store, CORP, KIM)
    right = Right(id="h1", person=LOGIN, held=Held.read("operator"), by=KIM.person, at=NOON, until=Instant(NOON + DAY))
    given = await access.give(world.store, right, KIM)
    over = await as_person(world, given.held, rights=(given,))
    path = f"/v1/actions/{id}/undo"
    assert (await said_late(over, path, {}, lambda: access.take(world.store, "h1", KIM)))[0] == 401
    assert (await world.row(id)).undone_by is None


@pytest.mark.promise("undo")
async def test_a_service_undoes_what_its_role_is_for_and_nothing_else(world: World) -> None:
    id = await what_can_be_undone(world)
    over = await Over.to(world)
    for role, status in (("operator@billing", 404), ("auditor", 403), ("operator@support", 200)):
        drawn, _ = await an_operator(world, role)
        heard = await over.by(drawn).http("POST", f"/v1/actions/{id}/undo", b"{}", {"content-type": "application/json"})
        assert heard.status == status, (role, heard.body)
    assert (await world.row(id)).undone_by is not None


async def test_a_service_does_again_what_nobody_knows_the_end_of(world: World) -> None:
    await world.publish()
    world.tool.breaks.append(UpstreamSilent("nobody knows", fix="look"))
    id = (await world.call()).action
    drawn, _ = await an_operator(world, "operator@support")
    over = (await Over.to(replace(world, gateway=world.another().gateway))).by(drawn)
    said = json.dumps({"verdict": "retry", "first_may_still_happen": True}).encode()
    heard = await over.http("POST", f"/v1/actions/{id}/resolve", said, {"content-type": "application/json"})
    assert (heard.status, heard.json["retried"]["outcome"]) == (200, "done"), heard.body


async def what_can_be_undone(world: World) -> ActionId:
    world.tool.result = {"id": 7}
    world.others["mail.unsend"] = ScriptedTool()
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True)
    await world.publish(ALLOW, AS_UNDO, tools=[a_tool(undo=UNDO), back])
    return (await world.call()).action


async def an_operator(world: World, role: str = "operator") -> tuple[Drawn, Credential]:
    return await issued(world, kind=CredentialKind.SERVICE, roles=(Held.read(role),), **NOWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePerson(Entrance):
    """An entrance that lets one person in, whom an issuer vouches for."""

    person: Bearer

    async def bearer(self, scope: Scope, *, fresh: bool) -> Bearer:
        return self.person


async def as_person(world: World, held: Held, rights: tuple[Right, ...] = ()) -> Over:
    issuer = (await door_of(world)).issuers["corp"]
    person = Bearer(
        tenant=world.tenant,
        kind=BearerKind.PERSON,
        known_by=issuer.known_by,
        roles=(held,),
        rights=rights,
        person=LOGIN,
        issuer=issuer,
        ends_at=Instant(NOON + DAY),
    )
    over = await Over.to(world)
    return replace(over, server=server_behind(OnePerson(gateway=world.gateway, person=person)))
