"""Two servers on one Postgres behave as one, also when one is killed under load. `tests/pair.py` has the long form."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
import pytest

from pair import Pair, one_round
from postgres import Server

pytestmark = pytest.mark.slow


@pytest.mark.promise("once")
@pytest.mark.promise("budget")
def test_a_server_that_is_killed_under_load_does_nothing_twice_and_loses_nothing(
    postgres_server: Server, tmp_path: Path
) -> None:
    where = postgres_server.a_database(f"pair_{token_hex(4)}")
    found = one_round(where, tmp_path, calls=300, callers=16)
    assert found["done twice"] == found["said to be done and not there"] == found["strange"] == []
    assert (found["unanswered"], found["refused and there all the same"]) == (0, [])
    assert found["done"] + found["refused, for want of budget"] + found["nobody knows"] == 300
    assert found["refused, for want of budget"] > 0 and not found["over the budget"]
    assert (found["agreed to"], found["ledger sound"]) == ({"done": 3}, True)
    assert found["nobody agreed to"] == {"refused": 3}
    assert found["tried again"], "nobody noticed that a server was killed"


@dataclass(kw_only=True)
class Agent:
    """A client of MCP that says at each request which server it speaks to."""

    pair: Pair
    http: aiohttp.ClientSession
    session: dict[str, str] = field(default_factory=dict[str, str])
    ids: "count[int]" = field(default_factory=count)

    async def ask(self, server: int, method: str, **params: Any) -> tuple[int, Any]:
        said = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params}
        async with self.http.post(f"{self.pair.servers[server][1]}/mcp", json=said, headers=self.session) as answer:
            self.session |= {name: answer.headers[name] for name in ("Mcp-Session-Id",) if name in answer.headers}
            return answer.status, await answer.json()

    async def begin(self, server: int) -> None:
        about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        assert (await self.ask(server, "initialize", **about))[0] == 200

    async def result(self, server: int, method: str, **params: Any) -> Any:
        status, data = await self.ask(server, method, **params)
        assert status == 200 and "result" in data, (status, data)
        return data["result"]


@asynccontextmanager
async def an_agent(pair: Pair, *words: str) -> AsyncGenerator[Agent]:
    """Issue a token, and speak with it."""
    about = ("--workflow", "pair", "--env", "prod", "--agent", "bot", "--for", "sam", "--expires", "1d")
    token = await asyncio.to_thread(pair.run, "token", "new", "bot", *about, *words)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as http:
        yield Agent(pair=pair, http=http)


async def a_session_goes_to_either_until_it_is_ended(pair: Pair) -> None:
    async with an_agent(pair) as agent:
        await agent.begin(0)
        for server in (0, 1):
            done = await agent.result(server, "tools/call", name="note", arguments={"line": f"s{server}"})
            assert done["content"] == [{"type": "text", "text": f"s{server}"}]
        async with agent.http.delete(f"{pair.servers[1][1]}/mcp", headers=agent.session) as ended:
            assert ended.status == 204
        for server in (0, 1):
            for method, params in (("ping", {}), ("tools/call", {"name": "note", "arguments": {"line": "late"}})):
                assert (await agent.ask(server, method, **params))[0] == 404
    assert "late" not in pair.notes.read_text(encoding="utf-8")


async def a_token_is_let_in_so_often_by_both_together(pair: Pair, rate: int) -> None:
    async with an_agent(pair, "--rate", str(rate)) as agent:
        begun = time.monotonic()
        await agent.begin(0)
        asked = [agent.ask(n % 2, "ping") for n in range(3 * rate)]
        statuses = [status for status, _ in await asyncio.gather(*asked)]
        most = rate * (1 + (time.monotonic() - begun) / 60)
    assert set(statuses) == {200, 429}
    assert 0.8 * rate <= 1 + statuses.count(200) <= most


async def a_task_is_told_of_by_the_other_also_when_its_server_has_died(pair: Pair) -> None:
    async with an_agent(pair) as agent:
        await agent.begin(1)
        call: dict[str, Any] = {"name": "note_late", "arguments": {"line": "t0"}, "task": {}}
        task = (await agent.result(0, "tools/call", **call))["task"]["taskId"]
        assert (await agent.result(1, "tasks/get", taskId=task))["statusMessage"] == "it is under way"
        one, other = [await agent.result(server, "tasks/result", taskId=task) for server in (1, 0)]
        assert one["content"] == other["content"] == [{"type": "text", "text": "t0"}]
        call["arguments"] = {"line": "t1"}
        task = (await agent.result(0, "tools/call", **call))["task"]["taskId"]
        await asyncio.to_thread(pair.kill)
        assert (await agent.result(0, "tasks/get", taskId=task))["statusMessage"] == "it is under way"
        told = (await agent.result(0, "tasks/result", taskId=task))["_meta"]["interlock/outcome"]
        again = await agent.result(0, "tools/call", name="note_late", arguments={"line": "t1"})
        about = {"outcome": "uncertain", "action": told["action"], "recalled": True}
        assert (told["outcome"], again["_meta"]["interlock/outcome"]) == ("uncertain", about)
    assert pair.notes.read_text(encoding="utf-8").split().count("t1") == 1


def test_a_client_of_mcp_finds_either_server_as_it_left_the_other(postgres_server: Server, tmp_path: Path) -> None:
    pair = Pair(where=postgres_server.a_database(f"pair_{token_hex(4)}"), folder=tmp_path)

    async def all_of_it() -> None:
        await a_session_goes_to_either_until_it_is_ended(pair)
        await a_token_is_let_in_so_often_by_both_together(pair, rate=40)
        await a_task_is_told_of_by_the_other_also_when_its_server_has_died(pair)

    try:
        pair.begin(limit_cents=1_000)
        asyncio.run(all_of_it())
    finally:
        pair.end()
