"""The ledger over HTTP: entries, proofs, the export, and events that resume where they broke off."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from served import Served

from interlock.gateway import access
from interlock.gateway.history import signer_of
from interlock.identity.token import Drawn
from interlock.ledger import export
from interlock.ledger.audit import audit
from interlock.ledger.note import opened_by
from interlock.ledger.proof import check_consistency
from interlock.ledger.rotation import Chain
from interlock.ledger.tree import Head
from world import KIM

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_entries_are_those_of_the_ledger_and_their_proofs_hold_by_the_public_key_alone(served: Served) -> None:
    await served.propose(await served.agent())
    auditor = await served.service("auditor")
    page = (await served.ask("GET", "/v1/ledger/entries?after=1&limit=2", auditor)).data
    whole = await served.world.entries()
    assert [(each["index"], each["entry"]) for each in page["entries"]] == [(1, whole[1]), (2, whole[2])]
    assert page["size"] == len(whole)
    signer = await signer_of(served.world.store, served.world.gateway.secrets)
    assert (await served.ask("GET", "/v1/ledger/key", auditor)).data == {"key": str(signer)}
    text = (await served.ask("GET", "/v1/ledger/proof/2", auditor)).text
    assert export.proves(export.read_proof(text), Chain.begun(signer))
    for wrong in ("999", "-1", "x", "9" * 17):
        assert (await served.ask("GET", f"/v1/ledger/proof/{wrong}", auditor)).status == 404


async def test_the_ledger_goes_on_from_a_head_that_was_kept_and_from_no_other(served: Served) -> None:
    auditor = await served.service("auditor")
    signer = await signer_of(served.world.store, served.world.gateway.secrets)
    note = (await served.ask("GET", "/v1/ledger/checkpoint", auditor)).text
    _, old = opened_by(note, [signer])
    await served.propose(await served.agent())
    found = await served.ask("GET", f"/v1/ledger/consistency?from={old.size}&root={old.root.hex()}", auditor)
    _, new = opened_by(found.data["head"], [signer])
    assert check_consistency(Head(size=old.size, root=old.root), new, tuple(map(bytes.fromhex, found.data["path"])))
    forged = await served.ask("GET", f"/v1/ledger/consistency?from={old.size}&root={'0' * 64}", auditor)
    assert (forged.status, forged.data["type"]) == (409, "/v1/problems/not-now")


async def test_an_export_audits_as_sound(served: Served) -> None:
    for _ in range(3):
        await served.propose(await served.agent())
    text = (await served.ask("GET", "/v1/ledger/export", await served.service("auditor"))).text
    signer = await signer_of(served.world.store, served.world.gateway.secrets)
    report = audit(export.read(text.splitlines(keepends=True)), pinned=signer, heads=[], receipts=[])
    assert (report.findings, report.entries) == ((), len(await served.world.entries()))


@asynccontextmanager
async def following(served: Served, token: Drawn, path: str = "/v1/events", **headers: str) -> AsyncGenerator[Any]:
    said = {"Authorization": f"Bearer {token.text}", **{n.replace("_", "-"): v for n, v in headers.items()}}
    async with served.http.get(served.url + path, headers=said) as reply:
        assert (reply.status, reply.content_type) == (200, "text/event-stream")
        assert await reply.content.readuntil(b"\n\n") == b": ping\n\n"
        yield reply


async def next_event(reply: aiohttp.ClientResponse) -> tuple[int, str, Any]:
    async with asyncio.timeout(10):
        while (text := (await reply.content.readuntil(b"\n\n")).decode()).startswith(":"):
            pass
    id, name, data = text.rstrip("\n").split("\n")
    return int(id.removeprefix("id: ")), name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_events_come_as_they_are_written_and_go_on_behind_the_last_that_came(served: Served) -> None:
    agent, viewer = await served.agent(), await served.service("viewer")
    async with following(served, viewer) as reply:
        await served.propose(agent)
        first = await next_event(reply)
    await served.propose(agent)
    whole = await served.world.entries()
    assert (first[1], first[2]) == ("started", whole[first[0]])
    async with following(served, viewer, Last_Event_ID=str(first[0])) as reply:
        rest = [await next_event(reply) for _ in range(3)]
    assert [(index, data) for index, _, data in rest] == list(enumerate(whole))[first[0] + 1 :]


async def test_a_viewer_of_one_workflow_hears_of_its_actions_alone(served: Served) -> None:
    viewer, stranger = await served.service("viewer@support"), await served.service("viewer@billing")
    async with (
        following(served, viewer, "/v1/events?after=0") as one,
        following(served, stranger, "/v1/events?after=0") as other,
    ):
        await served.propose(await served.agent())
        assert (await next_event(one))[1] == "started"
        assert (await next_event(one))[1] == "ended"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await other.content.readuntil(b"\n\n")


async def test_a_stream_ends_with_the_token_that_opened_it(served: Served) -> None:
    viewer = await served.service("viewer")
    async with following(served, viewer) as reply:
        await access.revoke(served.world.store, viewer.id, KIM)
        async with asyncio.timeout(10):
            await reply.content.read()
        assert reply.content.at_eof()


async def test_a_stream_and_a_long_poll_end_as_the_server_ends(served: Served) -> None:
    tool, agent = served.world.tool, await served.agent()
    tool.may_answer = asyncio.Event()
    call = asyncio.create_task(served.propose(agent))
    await tool.begun.wait()
    (row,) = (await served.ask("GET", "/v1/actions", agent)).data["actions"]
    waiting = asyncio.create_task(served.ask("GET", f"/v1/actions/{row['id']}?wait=30", agent))
    async with following(served, await served.service("viewer")) as reply, asyncio.timeout(10):
        while served.app.api.watches.lookers() < 2:
            await asyncio.sleep(0)
        served.app.stop.set()
        await reply.content.read()
        assert (await waiting).data["state"] == "started"
    refused = await served.ask("GET", "/v1/events", await served.service("viewer"))
    assert (refused.status, refused.data["type"]) == (503, "/v1/problems/later")
    tool.may_answer.set()
    assert (await call).status == 200
