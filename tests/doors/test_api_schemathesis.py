"""Schemathesis reads the document that is served, and finds no answer that the document does not announce."""

import asyncio
import threading
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from served import serving

from interlock.app import open_store
from interlock.core.credential import AccessRole
from interlock.core.ids import TenantId
from interlock.door.http.openapi import document
from interlock.door.http.routes import ROUTES
from world import HandClock, World

# Its types are more than a type checker can follow.
SCHEMATHESIS: Any = import_module("schemathesis")
OPENAPI: Any = import_module("schemathesis.specs.openapi.checks")
CHECKS: list[Any] = [
    import_module("schemathesis.checks").not_a_server_error,
    OPENAPI.status_code_conformance,
    OPENAPI.content_type_conformance,
    OPENAPI.response_schema_conformance,
]
STREAMS = "/v1/events"
DOCUMENT = document(ROUTES)
schema: Any = SCHEMATHESIS.openapi.from_dict(DOCUMENT).exclude(path=STREAMS)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, list[str]]]:
    """A server in a thread of its own; its address, and the words of those who may most."""
    folder: Path = tmp_path_factory.mktemp("api")
    ready, stop, found = threading.Event(), threading.Event(), list[Any]()

    async def serve() -> None:
        clock = HandClock()
        opened = open_store(str(folder / "interlock.db"), folder / "keys", clock=clock, durable=False)
        world = World.on(opened, clock, TenantId(f"acme-{token_hex(4)}"))
        await world.publish()
        async with serving(world) as served:
            roles = [role.value for role in AccessRole]
            agent = await served.agent()
            for _ in range(3):
                await served.propose(agent)
            found.extend([served.url, [agent.text, (await served.service(*roles)).text, served.person("kim", *roles)]])
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)
        opened.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield found[0], found[1]
    stop.set()
    thread.join(30)


@pytest.mark.slow
@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
def test_no_answer_is_other_than_the_document_says(case: Any, running: tuple[str, list[str]]) -> None:
    url, words = running
    for word in words:
        sent: Any = case.headers or {}
        headers: dict[str, str] = {**sent, "Authorization": f"Bearer {word}"}
        response = case.call(base_url=url, headers=headers)
        case.validate_response(response, checks=CHECKS)
