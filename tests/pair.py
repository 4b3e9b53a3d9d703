"""Two servers on one Postgres under load, one of which is killed: what callers saw, and what was done.

`python tests/pair.py --calls 4000 --rounds 3` prints figures. Callers know both addresses, send each call under a key
of its own, and go to the other server with the same key wherever one does not answer.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent / "src"), str(Path(__file__).parent)]

import aiohttp  # noqa: E402

from interlock.door.cli.person import user_name  # noqa: E402

HERE = Path(__file__).parent
KIND = {200: "done", 202: "told later", 403: "refused"}
PRICE_CENTS = 1

Serving = tuple["subprocess.Popen[str]", str]
"""A server, and its address."""


@dataclass(kw_only=True)
class Pair:
    """Two servers, and what they share."""

    where: str
    folder: Path
    servers: list[Serving] = field(default_factory=list["Serving"])
    token: str = ""
    soon: str = ""
    """A token of a contract under which nothing waits for long."""

    @property
    def notes(self) -> Path:
        return self.folder / "notes.txt"

    def run(self, *words: str) -> str:
        """Type a command."""
        common = ["--store", self.where, "--keys", str(self.folder / "keys")]
        command = [sys.executable, "-m", "interlock", *common, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment(), timeout=120)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        found = os.pathsep.join([str(HERE.parent / "src"), str(HERE)])
        return {**os.environ, "PYTHONPATH": found, "PAIR_FILE": str(self.notes)}

    def begin(self, *, limit_cents: int) -> None:
        """Publish the contract, issue a token, and start both servers."""
        text = (HERE / "pair.yaml").read_text(encoding="utf-8")
        text = text.replace("OWNER", user_name()).replace("LIMIT", f"{limit_cents / 100:.2f}")
        self.token = self._published("pair", text)
        self.soon = self._published("soon", text.replace("workflow: pair", "workflow: soon").replace("1h", "2s"))
        self.start()
        self.start()

    def _published(self, name: str, text: str) -> str:
        """Publish a contract, and return a token for it."""
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        self.run("contract", "publish", str(self.folder / f"{name}.yaml"), "--env", "prod")
        agent = ("--agent", "bot", "--for", "sam", "--expires", "1d")
        return self.run("token", "new", "bot", "--workflow", name, "--env", "prod", *agent)

    def start(self) -> None:
        """Start one more server."""
        common = ["--store", self.where, "--keys", str(self.folder / "keys"), "--json"]
        command = [sys.executable, "-m", "interlock", *common, "serve", "--port", "0"]
        out = subprocess.PIPE
        with (self.folder / "serve.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(command, stdout=out, stderr=log, text=True, env=self._environment())
        assert process.stdout is not None
        said = ""
        while not said.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, "the server has ended"
            said += line
        self.servers.append((process, json.loads(said)["url"]))

    def kill(self) -> None:
        """End the first server without a word to anybody."""
        process, _ = self.servers.pop(0)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)

    def end(self) -> None:
        for process, _ in self.servers:
            process.terminate()
        for process, _ in self.servers:
            process.communicate(timeout=60)


@dataclass(kw_only=True)
class Seen:
    """What callers saw: how each call ended, and what they had to try again for."""

    ended: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict[str, "tuple[int, dict[str, Any]]"])
    again: Counter[str] = field(default_factory=Counter[str])
    strange: list[str] = field(default_factory=list[str])


async def call(
    pair: Pair, http: aiohttp.ClientSession, seen: Seen, line: str, tool: str = "note", token: str = ""
) -> None:
    """Make one call until it is answered, at whichever server answers."""
    headers = {"Authorization": f"Bearer {token or pair.token}", "Idempotency-Key": line}
    body = {"tool": tool, "arguments": {"line": line}}
    for turn in range(hash(line) % 2, 200):
        _, url = pair.servers[turn % len(pair.servers)]
        try:
            async with http.post(f"{url}/v1/actions", headers=headers, json=body) as reply:
                data = await reply.json(content_type=None)
                if reply.status == 503:
                    assert "Retry-After" in reply.headers
                    seen.again["503"] += 1
                    await asyncio.sleep(0.1)
                    continue
                if reply.status not in KIND:
                    seen.strange.append(f"{reply.status}: {data}")
                seen.ended[line] = reply.status, data
                return
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as broken:
            seen.again[type(broken).__name__] += 1
            await asyncio.sleep(0.05)
    seen.strange.append(f"{line} was never answered")


async def loaded(pair: Pair, *, calls: int, callers: int, round: int) -> Seen:
    """Load both servers, kill one in the middle, and have every call answered."""
    seen, lines = Seen(), [f"r{round}-{n}" for n in range(calls)]
    asked, killed = iter(lines), asyncio.Event()

    async def caller(http: aiohttp.ClientSession) -> None:
        for line in asked:
            await call(pair, http, seen, line)
            if len(seen.ended) >= calls // 2 and not killed.is_set():
                killed.set()
                pair.kill()

    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(caller(http) for _ in range(callers)))
    return seen


async def waiting(pair: Pair, lines: Sequence[str], token: str) -> dict[str, str]:
    """Ask for what a person has to agree to; return the id of each action."""
    seen = Seen()
    async with aiohttp.ClientSession() as http:
        for line in lines:
            await call(pair, http, seen, line, "note_if_agreed", token)
    assert all(status == 202 for status, _ in seen.ended.values()), seen
    return {line: data["action"] for line, (_, data) in seen.ended.items()}


async def ended(pair: Pair, ids: Sequence[str], token: str) -> Counter[str]:
    """Wait until none of these actions waits or is under way, and count how they stand."""
    states: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for id in ids:
            state = "parked"
            until = time.monotonic() + 60
            while state in ("parked", "started") and time.monotonic() < until:
                async with http.get(f"{pair.servers[0][1]}/v1/actions/{id}?wait=10") as reply:
                    state = (await reply.json())["state"]
            states[state] += 1
    return states


def one_round(where: str, folder: Path, *, calls: int, callers: int, number: int = 0) -> dict[str, Any]:
    """Carry out one round, hold what was done against what was said, and return the figures."""
    pair = Pair(where=where, folder=folder)
    # Not enough for all, so that both servers come to the end of one budget.
    limit = calls * PRICE_CENTS * 9 // 10
    try:
        pair.begin(limit_cents=limit)
        asked = asyncio.run(waiting(pair, [f"w{number}-{n}" for n in range(3)], pair.token))
        late = asyncio.run(waiting(pair, [f"e{number}-{n}" for n in range(3)], pair.soon))
        begun = time.perf_counter()
        seen = asyncio.run(loaded(pair, calls=calls, callers=callers, round=number))
        took = time.perf_counter() - begun
        for id in asked.values():
            shown = json.loads(pair.run("approvals", "show", id, "--json"))
            pair.run("approvals", "approve", id, "--seen", shown["seen"])
        agreed = asyncio.run(ended(pair, list(asked.values()), pair.token))
        expired = asyncio.run(ended(pair, list(late.values()), pair.soon))
        open_ones = [data["action"] for status, data in seen.ended.values() if status == 202]
        later = asyncio.run(ended(pair, open_ones, pair.token))
        verified = json.loads(pair.run("ledger", "verify", "--state", "--json"))
        (budget,) = [each for each in json.loads(pair.run("budget", "show", "--json")) if each["spent"] != "0"]
    finally:
        pair.end()
    told = figures(pair, seen, later, verified, budget, calls=calls, took=took, limit=limit)
    return {**told, "agreed to": dict(agreed), "nobody agreed to": dict(expired)}


def figures(
    pair: Pair,
    seen: Seen,
    later: Counter[str],
    verified: dict[str, Any],
    budget: dict[str, Any],
    *,
    calls: int,
    took: float,
    limit: int,
) -> dict[str, Any]:
    """Count what was done, and what is not as it was said."""
    notes = Counter(pair.notes.read_text(encoding="utf-8").split())
    done = {line for line, (status, _) in seen.ended.items() if status == 200}
    refused = {line for line, (status, _) in seen.ended.items() if status == 403}
    return {
        "calls": calls,
        "calls a second": round(calls / took),
        "done": len(done),
        "refused, for want of budget": len(refused),
        "nobody knows": later["uncertain"],
        "tried again": dict(seen.again),
        "strange": seen.strange,
        "unanswered": calls - len(seen.ended),
        "done twice": sorted(line for line, count in notes.items() if count > 1),
        "said to be done and not there": sorted(done - notes.keys()),
        "refused and there all the same": sorted(refused & notes.keys()),
        "budget": f"{float(budget['spent']):.2f} spent and {float(budget['held']):.2f} held of {limit / 100:.2f}",
        "over the budget": (float(budget["spent"]) + float(budget["held"])) * 100 > limit + 1e-6,
        "ledger sound": verified["sound"],
    }


def main() -> None:
    from postgres import Server

    given = argparse.ArgumentParser()
    given.add_argument("--calls", type=int, default=4_000)
    given.add_argument("--callers", type=int, default=32)
    given.add_argument("--rounds", type=int, default=3)
    said = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-pair-") as name:
        server = Server.start(Path(name) / "postgres")
        try:
            for number in range(said.rounds):
                folder = Path(name) / f"round{number}"
                folder.mkdir()
                where = server.a_database(f"pair{number}")
                found = one_round(where, folder, calls=said.calls, callers=said.callers, number=number)
                print(json.dumps(found, indent=2), flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
