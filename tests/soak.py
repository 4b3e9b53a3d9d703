"""One server for a long time, among clients of every kind and bad manners: what it keeps of them when they are gone.

`python tests/soak.py --minutes 30` prints a line for each part of that time and ends with 1 if anything is left over.
In front of it: sessions and stateless clients of MCP, callers of the HTTP API, listeners, clients that vanish in the
middle. Behind it: a real MCP server that is killed again and again. Beside it: publishing, tokens that come and go.
"""

import argparse
import asyncio
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

sys.path[:0] = [str(Path(__file__).parent.parent / "src")]

from interlock.door.mcp.listening import LOOK_SECONDS  # noqa: E402

ROOT = Path(__file__).parent.parent
OLD, NEW = "2025-11-25", "2026-07-28"
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST = ("list_invoices", {"customer_id": "C439563"})
BIG = {"customer_id": "C439563", "invoice_id": "INV-4882", "amount_usd": 80, "reason": "late"}
KILLED_EVERY_SECONDS = 40  # one that dies more often is let alone for longer and longer, and most calls would fail
GONE = (aiohttp.ClientError, ConnectionError, TimeoutError, asyncio.IncompleteReadError)

Message = dict[str, Any]


@dataclass(kw_only=True)
class Soaked:
    """A server, and what its clients saw of it."""

    folder: Path
    process: "subprocess.Popen[str]"
    url: str
    token: str
    http: aiohttp.ClientSession
    seen: Counter[str] = field(default_factory=Counter[str])
    strange: list[str] = field(default_factory=list[str])
    over: bool = False
    killed_at: float = -math.inf
    """When the server behind was killed last."""

    def note(self, what: str, status: int, text: str) -> None:
        """Count an answer. While the server behind is away a read fails, or is told to come again; more is strange."""
        self.seen[what if status < 400 else f"{what}: {status}"] += 1
        if status not in (200, 202, 424, 503) or "-32603" in text:
            self.strange.append(f"{what}: {status} {text[:300]}")

    async def post(self, path: str, body: Message, headers: Mapping[str, str], what: str) -> aiohttp.ClientResponse:
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "application/json, text/event-stream", **headers}
        async with self.http.post(f"{self.url}{path}", json=body, headers=sent) as reply:
            self.note(what, reply.status, await reply.text())
            return reply


def environment() -> dict[str, str]:
    found = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parent)])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PYTHONPATH": found, "PATH": path}


def typed(folder: Path, *words: str) -> str:
    """Type a command beside the server."""
    line = [sys.executable, "-m", "interlock", *words]
    done = subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout.strip()


def prepared(folder: Path) -> str:
    """Publish the contract of the example, with room for many calls; return a token."""
    for name in ("contract.yaml", "contract.yaml.tools.lock"):
        text = (ROOT / "examples" / "mcp" / name).read_text(encoding="utf-8")
        text = text.replace("tool_calls: 100 }", "tool_calls: 100000000 }").replace(
            "usd_of_args: 1000,", "usd_of_args: 900000000,"
        )
        (folder / name).write_text(text.replace("expires: 24h", "expires: 5s"), encoding="utf-8")
    typed(folder, "contract", "publish", "contract.yaml", "--env", "dev")
    return typed(
        folder, "token", "new", "bot", "--workflow", "refunds", "--env", "dev", "--for", "sam", "--expires", "1d"
    )


def served(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """Start the server, and return it with its address."""
    line = [sys.executable, "-m", "interlock", "--json", "serve", "--port", "0"]
    with (folder / "serve.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(line, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    said = ""
    while not said.rstrip().endswith("}"):
        part = process.stdout.readline()
        assert part, (folder / "serve.log").read_text(encoding="utf-8")
        said += part
    return process, json.loads(said)["url"]


async def session(soaked: Soaked) -> None:
    """Be a client of the handshake era that listens, calls, and takes its leave or vanishes."""
    about = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}
    begun = await soaked.post("/mcp", message("initialize", about), {}, "initialize")
    headers = {"Mcp-Session-Id": begun.headers["Mcp-Session-Id"], "MCP-Protocol-Version": OLD}
    await soaked.post("/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers, "initialized")
    listening = asyncio.create_task(listen(soaked, "GET", None, headers))
    await soaked.post("/mcp", message("tools/list", {}), headers, "tools/list")
    for n in range(4):
        name, arguments = LIST if n else ("create_refund", {**BIG, "reason": f"late {random.random()}"})
        call = message("tools/call", {"name": name, "arguments": arguments})
        await soaked.post("/mcp", call, headers, "call in a session")
    listening.cancel()
    if random.random() < 0.5:
        sent = {"Authorization": f"Bearer {soaked.token}", **headers}
        async with soaked.http.delete(f"{soaked.url}/mcp", headers=sent) as reply:
            soaked.seen[f"session ended: {reply.status}"] += 1


async def stateless(soaked: Soaked) -> None:
    """Be a client of the stateless era that calls and listens for a moment."""
    asked: list[tuple[str, Message]] = [
        ("server/discover", {}),
        ("tools/list", {}),
        ("tools/call", {"name": LIST[0], "arguments": LIST[1]}),
    ]
    for method, params in asked:
        named = {"Mcp-Name": LIST[0]} if params else {}
        headers = {"MCP-Protocol-Version": NEW, "Mcp-Method": method, **named}
        await soaked.post("/mcp", message(method, {**params, "_meta": META}), headers, f"stateless {method}")
    method = "subscriptions/listen"
    wanted = message(method, {"notifications": {"toolsListChanged": True}, "_meta": META})
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await listen(soaked, "POST", wanted, {"MCP-Protocol-Version": NEW, "Mcp-Method": method})


async def listen(soaked: Soaked, method: str, body: Message | None, headers: Mapping[str, str]) -> None:
    """Read a stream until somebody breaks it off."""
    sent = {"Authorization": f"Bearer {soaked.token}", "Accept": "application/json, text/event-stream", **headers}
    async with soaked.http.request(method, f"{soaked.url}/mcp", json=body, headers=sent) as reply:
        soaked.note("listening", reply.status, "")
        async for _ in reply.content:
            pass


async def caller(soaked: Soaked) -> None:
    """Be a caller of the HTTP API: the same call twice, a look at it, the list, the events."""
    key = {"Idempotency-Key": f"k{random.random()}"}
    body = {"tool": LIST[0], "arguments": LIST[1]}
    for what in ("asked for", "asked for again"):
        await soaked.post("/v1/actions", body, key, what)
    headers = {"Authorization": f"Bearer {soaked.token}"}
    async with soaked.http.get(f"{soaked.url}/v1/actions?limit=5", headers=headers) as reply:
        soaked.note("listed", reply.status, await reply.text())


async def rude(soaked: Soaked) -> None:
    """Be one that leaves in the middle: of a head, of a body, of an answer."""
    host, _, port = soaked.url.removeprefix("http://").partition(":")
    body = json.dumps({"tool": LIST[0], "arguments": LIST[1]}).encode()
    head = f"POST /v1/actions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {soaked.token}\r\n".encode()
    whole = head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(whole[: random.choice((20, len(head), len(whole) - 5, len(whole)))])
    await writer.drain()
    await asyncio.sleep(random.random() / 20)
    writer.transport.abort()
    soaked.seen["left in the middle"] += 1


async def beside(soaked: Soaked) -> None:
    """Kill the server behind it, publish the contract anew, issue a token and take it back."""
    if time.monotonic() - soaked.killed_at > KILLED_EVERY_SECONDS:
        for child in psutil.Process(soaked.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "interlock_demo.serve" in child.cmdline():
                    child.kill()
                    soaked.killed_at = time.monotonic()
                    soaked.seen["server behind killed"] += 1
    await asyncio.sleep(2)
    contract = soaked.folder / "contract.yaml"
    text = re.sub(
        r"tool_calls: 1\d{8} ", f"tool_calls: {100_000_000 + random.randrange(10_000)} ", contract.read_text("utf-8")
    )
    contract.write_text(text, "utf-8")
    await asyncio.to_thread(typed, soaked.folder, "contract", "publish", "contract.yaml", "--env", "dev")
    line = ("token", "new", "other", "--workflow", "refunds", "--env", "dev", "--for", "sam", "--expires", "1d")
    told = await asyncio.to_thread(typed, soaked.folder, "--json", *line)
    await asyncio.to_thread(typed, soaked.folder, "token", "revoke", json.loads(told)["id"])
    soaked.seen["published"] += 1
    await asyncio.sleep(3)


def message(method: str, params: Message) -> Message:
    return {"jsonrpc": "2.0", "id": random.randrange(1, 1_000_000), "method": method, "params": params}


async def again(soaked: Soaked, be: Callable[[Soaked], Awaitable[None]]) -> None:
    """Be such a client again and again, until it is over."""
    while not soaked.over:
        try:
            await be(soaked)
        except GONE as error:
            soaked.seen[f"{be.__name__} lost: {type(error).__name__}"] += 1


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a server has of the machine."""

    megabytes: float
    files: int
    threads: int
    children: int

    @classmethod
    def by(cls, process: psutil.Process) -> "Kept":
        children = [each for each in process.children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
        return cls(
            megabytes=process.memory_info().rss / 2**20,
            files=process.num_fds(),
            threads=process.num_threads(),
            children=len(children),
        )


async def a_part(soaked: Soaked, first: Kept | None, *, seconds: float, clients: int) -> Kept:
    """Load the server for so long, wait until the clients have gone, and say what it still has."""
    soaked.over = False
    kinds = [session, stateless, caller, caller, rude]
    tasks = [asyncio.create_task(again(soaked, kinds[n % len(kinds)])) for n in range(clients)]
    tasks.append(asyncio.create_task(again(soaked, beside)))
    await asyncio.sleep(seconds)
    soaked.over = True
    await asyncio.gather(*tasks)
    async with soaked.http.get(f"{soaked.url}/readyz") as reply:
        soaked.note("ready", reply.status, await reply.text())
    process, until = psutil.Process(soaked.process.pid), time.monotonic() + 3 * LOOK_SECONDS
    await asyncio.sleep(LOOK_SECONDS if first is None else 0)
    while first is not None and left_over(first, Kept.by(process)) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return Kept.by(process)


async def soak(folder: Path, *, parts: int, seconds: float, clients: int, say: Callable[[str], None]) -> list[str]:
    """Load a server in parts; return what is wrong."""
    token = prepared(folder)
    process, url = served(folder)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
            soaked = Soaked(folder=folder, process=process, url=url, token=token, http=http)
            kept = list[Kept]()
            for part in range(parts):
                begun = time.monotonic()
                kept.append(await a_part(soaked, kept[0] if kept else None, seconds=seconds, clients=clients))
                now, answers = kept[-1], sum(soaked.seen.values())
                say(
                    f"part {part + 1} of {parts}, {time.monotonic() - begun:.0f} s: {answers:,} answers; "
                    f"{now.megabytes:.0f} MB, {now.files} files, {now.threads} threads, {now.children} children"
                )
            say(json.dumps(dict(sorted(soaked.seen.items())), indent=2))
    finally:
        process.terminate()
        process.communicate(timeout=60)
    return [*soaked.strange[:20], *left_over(kept[0], kept[-1]), *after(folder)]


def left_over(first: Kept, last: Kept) -> list[str]:
    """Say what the server has more of after the last part than after the first one."""
    wrong = list[str]()
    for name, more in (("files", 4), ("threads", 2), ("children", 1)):
        before, now = getattr(first, name), getattr(last, name)
        if now > before + more:
            wrong.append(f"{now} {name} after the last part, {before} after the first")
    return wrong


def after(folder: Path) -> list[str]:
    """Say what is wrong with what it has written."""
    verified = json.loads(typed(folder, "--json", "ledger", "verify", "--state"))
    log = (folder / "serve.log").read_text(encoding="utf-8")
    broken = ["the log has a traceback: " + log[log.index("Traceback") :][:2_000]] if "Traceback" in log else []
    return [*broken, *([] if verified["sound"] else ["the ledger is not sound"])]


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--minutes", type=float, default=30)
    given.add_argument("--clients", type=int, default=20)
    said = given.parse_args()
    parts = max(2, round(said.minutes))
    with tempfile.TemporaryDirectory(prefix="interlock-soak-") as name:
        work = soak(Path(name), parts=parts, seconds=said.minutes * 60 / parts, clients=said.clients, say=print)
        wrong = asyncio.run(work)
    print("\n".join(wrong) or "nothing is left over, the ledger is sound")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
