"""The table of routes: nothing answers that is not in it, each line names who may, and nobody else gets in."""

import re
from collections.abc import Iterator
from itertools import product
from secrets import token_hex
from typing import Any

import msgspec
import pytest
from served import Served

from cards import another_tenant
from interlock.core.credential import AccessRole
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.door.http.openapi import document, kinds_of
from interlock.door.http.problem import KINDS
from interlock.door.http.route import Route
from interlock.door.http.routes import ROUTES

pytestmark = pytest.mark.slow

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CLOSED = [route for route in ROUTES if not route.needs.anybody]


def path_of(path: str, **parts: str) -> str:
    found = path
    for name in ("id", "kind", "workflow", "environment", "index"):
        found = found.replace(f"{{{name}}}", parts.get(name, "7"))
    return found


def body_of(route: Route) -> Any:
    """Return a body that is well formed, so that nothing but the permission is in the way."""
    return BODIES.get(route.name, {}) if route.body is not None else None


BODIES: dict[str, Any] = {
    "propose": {"tool": "mail.send", "arguments": {"to": "sam"}},
    "resolve_action": {"verdict": "abandon"},
    "approve": {"seen": "x"},
    "deny": {"seen": "x"},
    "edit": {"seen": "x", "arguments": {}},
    "raise_budget": {"budget": "support:prod/usd/day:2026-01-01", "by": "1"},
    "throw_switch": {"kind": "stop", "workflow": "support"},
}


def test_every_route_names_who_may_take_it_and_what_it_says() -> None:
    for route in ROUTES:
        needs = route.needs
        assert needs.anybody or needs.agents or needs.roles, f"{route.path}: nobody may"
        assert not (needs.anybody and (needs.agents or needs.roles)), route.path
        assert needs.says and route.says.endswith("."), route.path
        assert route.path.startswith("/v1/"), route.path
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert len({route.name for route in ROUTES}) == len(ROUTES)


def test_what_anybody_may_is_named_here() -> None:
    assert sorted(route.path for route in ROUTES if route.needs.anybody) == ["/v1/openapi.json", "/v1/problems/{kind}"]


def test_the_document_has_every_route_and_no_other_and_resolves() -> None:
    whole = msgspec.to_builtins(document(ROUTES))
    told = {(method.upper(), path) for path, each in whole["paths"].items() for method in each}
    assert told == {(route.method, route.path) for route in ROUTES}
    for route in ROUTES:
        operation = whole["paths"][route.path][route.method.lower()]
        assert operation["x-interlock-permission"] == route.needs.says
        assert {str(KINDS[kind].status) for kind in kinds_of(route)} <= operation["responses"].keys()
    for ref in _refs(whole):
        assert ref.removeprefix("#/components/schemas/") in whole["components"]["schemas"], ref


def _refs(value: Any) -> Iterator[str]:
    text = msgspec.json.encode(value).decode()
    return (each[1] for each in re.finditer(r'"\$ref":"([^"]+)"', text))


@pytest.mark.anyio
async def test_the_document_is_served_and_every_kind_of_problem_has_a_page(served: Served) -> None:
    found = await served.ask("GET", "/v1/openapi.json")
    assert (found.status, found.data["openapi"]) == (200, "3.1.0")
    for kind in KINDS:
        assert (await served.ask("GET", f"/v1/problems/{kind}")).data["status"] == KINDS[kind].status
    assert (await served.ask("GET", "/v1/problems/none")).status == 404


@pytest.mark.anyio
async def test_what_is_not_in_the_table_does_not_answer(served: Served) -> None:
    token = await served.service(*(role.value for role in AccessRole))
    for path, method in product({route.path for route in ROUTES}, METHODS):
        there = {route.method for route in ROUTES if route.path == path}
        if method not in there:
            reply = await served.ask(method, path_of(path), token, {} if method != "GET" else None)
            assert (reply.status, reply.headers["Allow"]) == (405, ", ".join(sorted(there))), (method, path)
    for path in ("/v1/", "/v1", "/v1/nothing", "/v2/actions", "/v1/actions/", "/v1/actions/a/b/c", "/v1//actions"):
        assert (await served.ask("GET", path, token)).status == 404, path


@pytest.mark.anyio
async def test_nobody_gets_in_without_a_token_that_opens_something(served: Served) -> None:
    real = await served.agent()
    forged = another_tenant(real, served.world.tenant)
    for route, token in product(CLOSED, (None, "", "ilk_x", real.text[:-1], forged.text)):
        reply = await served.ask(route.method, path_of(route.path), token, body_of(route))
        assert (reply.status, reply.data["type"]) == (401, "/v1/problems/not-known"), (route.path, token, reply.text)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert served.world.tenant not in reply.text


@pytest.mark.anyio
async def test_a_token_without_the_role_opens_nothing(served: Served) -> None:
    agent = await served.agent()
    for route in CLOSED:
        wrong = [role.value for role in AccessRole if role not in route.needs.roles]
        tokens = [await served.service(*wrong)] if wrong else []
        tokens += [] if route.needs.agents else [agent]
        if route.needs.person or route.needs.tenant:
            # A service is no person, and a role of one workflow is none of the whole tenant.
            suffix = "@support" if route.needs.tenant else ""
            tokens.append(await served.service(*(f"{role.value}{suffix}" for role in route.needs.roles)))
        for token in tokens:
            reply = await served.ask(route.method, path_of(route.path), token, body_of(route))
            assert (reply.status, reply.data["type"]) == (403, "/v1/problems/not-permitted"), (route.path, reply.text)


SECRET = "zebra-7000042"


@pytest.mark.anyio
async def test_a_token_of_another_workflow_finds_nothing_of_this_one(served: Served) -> None:
    id = await something_done(served)
    for route in CLOSED:
        if route.needs.tenant or route.name == "follow_events":
            continue  # those have tests of their own
        roles = [f"{role.value}@billing" for role in route.needs.roles]
        foreign: list[Any] = [served.person("eve", *roles), await served.service(*roles)] if roles else []
        if route.needs.agents:
            foreign.append(await served.agent(workflow=WorkflowId("billing"), environment=Environment("dev")))
        for token in foreign[:1] if route.needs.person else foreign:
            await finds_nothing(served, route, id, token)
    assert len(served.world.tool.performed) == 1


@pytest.mark.anyio
async def test_a_token_of_another_tenant_finds_nothing_of_this_one(served: Served) -> None:
    id = await something_done(served)
    tenant = TenantId(f"other-{token_hex(4)}")
    other = replace(served.world, tenant=tenant, store=served.world.opened.store.for_tenant(tenant))
    there = replace(served, world=other)
    await other.publish()
    agent, service = await there.agent(), await there.service(*(role.value for role in AccessRole))
    for route in CLOSED:
        if route.name not in ("follow_events", "propose", "throw_switch"):
            await finds_nothing(there, route, id, agent if route.needs.agents else service)


@pytest.mark.anyio
async def test_whoever_names_another_tenant_than_that_of_the_token_gets_nowhere(served: Served) -> None:
    every = await served.service(*(role.value for role in AccessRole))
    eve, agent = served.person("eve", *(role.value for role in AccessRole)), await served.agent()
    for route in CLOSED:
        token = eve if route.needs.person else every if route.needs.roles else agent
        path, body = path_of(route.path), body_of(route)
        named = await served.ask(route.method, f"{path}?tenant=other", token, body)
        headed = await served.ask(route.method, path, token, body, headers={"Interlock-Tenant": "other"})
        assert (named.status, headed.status) == (403, 403), (route.path, named.text, headed.text)
    mine = await served.ask("GET", f"/v1/actions?tenant={served.world.tenant}", agent)
    assert mine.status == 200


async def something_done(served: Served) -> str:
    done = await served.propose(await served.agent(), run="r1", arguments={"to": SECRET})
    return done.data["action"]


async def finds_nothing(served: Served, route: Route, id: str, token: Any) -> None:
    """Take a route as somebody for whom none of it is."""
    path = path_of(route.path, id="r1" if "runs" in route.path else id, workflow="support", environment="prod")
    reply = await served.ask(route.method, path, token, body_of(route))
    assert SECRET not in reply.text and id not in reply.text, (route.path, reply.text)
    assert reply.status < 500, (route.path, reply.text)
    if "{id}" in route.path:
        assert reply.status in (403, 404), (route.path, reply.text)
