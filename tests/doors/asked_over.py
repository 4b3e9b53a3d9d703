"""A client that speaks to a door as an ASGI application: every byte that goes in and comes out can be looked at."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from cards import issued
from interlock.door.http.server import Server, server_of
from interlock.identity.token import Drawn
from world import World

NAMES = frozenset({"localhost", "127.0.0.1"})
VERSION = "2026-07-28"
BOTH = "application/json, text/event-stream"


@dataclass
class Heard:
    """One answer over HTTP."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        lines = [line for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    @property
    def result(self) -> Any:
        assert "result" in self.json, self.json
        return self.json["result"]

    @property
    def error(self) -> Any:
        assert "error" in self.json, self.json
        return self.json["error"]


@dataclass
class Over:
    """A door, and whoever stands before it with a token."""

    world: World
    server: Server
    token: str
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    async def to(cls, world: World, **fields: Any) -> "Over":
        drawn, _ = await issued(world, **{"principal": "sam", **fields})
        return cls(world, server_of(world.gateway, NAMES), drawn.text)

    def by(self, token: Drawn | str) -> "Over":
        """The same door, with another token."""
        return Over(self.world, self.server, token if isinstance(token, str) else token.text, dict(self.headers))

    async def http(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **more: Any
    ) -> Heard:
        said = {"host": "127.0.0.1:7400", "authorization": f"Bearer {self.token}", "accept": BOTH, **self.headers}
        pairs = [(k.lower(), v) for k, v in {**said, **(headers or {})}.items() if v] + more.get("twice", [])
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in pairs],
        }
        heard, sent = Heard(), [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if sent:
                return sent.pop(0)
            await more.get("leaves", asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                heard.status = message["status"]
                heard.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                heard.body += message.get("body", b"")
                if told := more.get("told"):
                    told(message.get("body", b""))

        await self.server(scope, receive, send)
        return heard

    async def post(self, message: Any, headers: dict[str, str] | None = None, **more: Any) -> Heard:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http("POST", "/mcp", body, headers, **more)

    async def begin(self, version: str = "2025-11-25", **can: Any) -> Heard:
        """Begin a session, and stay in it."""
        params = {"protocolVersion": version, "capabilities": can, "clientInfo": {"name": "t", "version": "1"}}
        heard = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        self.headers["mcp-session-id"] = heard.headers["mcp-session-id"]
        return heard

    async def ask(self, method: str, headers: dict[str, str] | None = None, **params: Any) -> Heard:
        """Ask in a session."""
        return await self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers)

    async def ask_stateless(self, method: str, *, can: Any = None, meta: Any = None, **params: Any) -> Heard:
        """Ask with all that a stateless request brings."""
        envelope: dict[str, Any] = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": can or {},
            **(meta or {}),
        }
        headers = {"mcp-protocol-version": VERSION, "mcp-method": method, "mcp-name": params.get("name", "")}
        return await self.post(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": envelope}}, headers
        )
