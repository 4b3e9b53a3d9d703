"""The page about the HTTP API: its code runs, and it names every kind of problem and every route."""

import asyncio
import importlib.util
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from served import Served

from interlock.contract.ir import Approvals
from interlock.core.ids import ActionId, PersonId, Role
from interlock.core.reason import Reason
from interlock.door.http.problem import KINDS
from interlock.door.http.routes import ROUTES
from interlock.gateway.consent import agree
from loopback import answering, http
from world import ALLOW, KIM, a_rule

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")


def program() -> Any:
    spec = importlib.util.spec_from_file_location("ask", ROOT / "docs_src" / "http_api" / "ask.py")
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_code_of_the_page_is_a_piece_of_the_file() -> None:
    (file, code) = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```\n", PAGE, re.DOTALL)[0]
    assert code in (ROOT / file).read_text(encoding="utf-8")
    assert PAGE.count("```python") == 1


def test_the_page_names_every_kind_of_problem_with_its_status() -> None:
    told = dict(re.findall(r"^\| `([a-z-]+)` \| ([0-9]{3})", PAGE, re.MULTILINE))
    assert told == {name: str(kind.status) for name, kind in KINDS.items()}


def test_the_page_names_every_reason() -> None:
    table = PAGE.partition("| reason |")[2].partition("\n\n")[0]
    told = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)))
    assert sorted(told) == sorted(reason.value for reason in Reason)


def test_the_page_names_every_route() -> None:
    for route in ROUTES:
        last = route.path.removeprefix("/v1/").partition("{")[0].rstrip("/").rpartition("/")[2]
        word = route.path.rpartition("/")[2] if not route.path.endswith("}") else last
        assert word in PAGE, route.path


@pytest.mark.anyio
async def test_the_program_of_the_page_asks_and_follows(served: Served) -> None:
    people = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
    await served.world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=people)
    token, code = await served.agent(), program()
    headers = {"Authorization": f"Bearer {token.text}"}
    async with aiohttp.ClientSession(served.url, headers=headers) as http:
        asked = await code.ask(http, "k1", "mail.send", to="sam")
        assert asked["outcome"] == "parked"
        following = asyncio.create_task(code.follow(http, asked["action"]))
        row = await served.world.row(ActionId(asked["action"]))
        await agree(served.world.gateway, served.world.store, row.action.id, KIM, seen=row.seen)
        async with asyncio.timeout(20):
            ended = await following
        assert (ended["outcome"], ended["result"]) == ("done", "sent")
        assert (await code.ask(http, "k1", "mail.send", to="sam"))["recalled"] is True


@pytest.mark.anyio
async def test_the_program_of_the_page_takes_no_server_that_ends_for_an_answer() -> None:
    def ok(body: bytes) -> bytes:
        return http("200 OK", body, "application/json")

    keys: list[bytes] = []
    done = b'{"outcome":"done","action":"a1","result":"sent"}'
    told = {
        b"POST": [http("504 Gateway Timeout", b"{}", "application/problem+json"), ok(done)],
        b"GET": [http("502 Bad Gateway", b"?", "text/html"), ok(b'{"state":"done","outcome":%s}' % done)],
    }

    def answer(question: bytes) -> bytes:
        keys.extend(re.findall(rb"(?i)idempotency-key: (\S+)", question))
        return told[question.partition(b" ")[0]].pop(0)

    code = program()
    with answering(answer) as port:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            assert (await code.ask(session, "k1", "mail.send", to="sam"))["outcome"] == "done"
            assert (await code.follow(session, "a1"))["result"] == "sent"
    assert keys == [b"k1", b"k1"]
