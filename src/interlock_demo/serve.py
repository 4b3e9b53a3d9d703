"""The company's tools as an MCP server, over its input and output or over HTTP: `python -m interlock_demo.serve`.

It is what a server of somebody else would be: it knows nothing of contracts. It speaks the handshakes up to 2025-11-25,
and 2026-07-28, where every request stands for itself.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from interlock.core.errors import InterlockError
from interlock.tool.function import Function, function_of, plain
from interlock.tool.manifest import described
from interlock_demo.company import draw_company, write_company
from interlock_demo.schema import DATABASE_VARIABLE

TOOLS = (
    "lookup_customer",
    "find_customer",
    "read_ticket",
    "list_invoices",
    "list_chargebacks",
    "preview_refund",
    "create_refund",
    "cancel_refund",
    "send_reply",
    "update_ticket",
    "close_account",
)
_HANDSHAKES = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
_STATELESS = "2026-07-28"
_KEY = "interlock/idempotency-key"
_VERSION = "io.modelcontextprotocol/protocolVersion"
_BYTES_MAX = 1024 * 1024
_METHOD_NOT_FOUND = -32601
_INVALID_PARAMS = -32602

Message = Mapping[str, Any]


class Wrong(Exception):
    """A request that is answered with an error of the protocol."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Offered:
    """One tool."""

    name: str

    @cached_property
    def function(self) -> Function:
        return function_of(f"python:interlock_demo.tools:{self.name}")

    @cached_property
    def listed(self) -> dict[str, Any]:
        """Return the tool as a list of tools has it."""
        manifest = described(self.name, self.function)
        result = manifest.result_schema
        output = {"outputSchema": result} if result is not None and result.get("type") == "object" else {}
        return {"name": self.name, "description": manifest.description, "inputSchema": manifest.schema, **output}

    def call(self, arguments: Any, key: str) -> dict[str, Any]:  # noqa: ANN401  JSON
        """Do it, and return the answer to the call."""
        try:
            named = self.function.named(json.dumps(arguments).encode(), key)
        except InterlockError as error:
            raise Wrong(_INVALID_PARAMS, str(error)) from error
        try:
            result = plain(self.function.call(**named))
        except InterlockError as error:
            return {"content": [{"type": "text", "text": str(error)}], "isError": True}
        structured = {"structuredContent": result} if isinstance(result, dict) else {}
        return {"content": [{"type": "text", "text": json.dumps(result)}], **structured}


_OFFERED = {name: Offered(name) for name in TOOLS}


def answer(message: Message) -> dict[str, Any] | None:
    """Answer a message; what wants no answer gets none."""
    if "id" not in message or "method" not in message:
        return None
    try:
        return {"jsonrpc": "2.0", "id": message["id"], "result": _result(message)}
    except Wrong as wrong:
        return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": wrong.code, "message": str(wrong)}}


def _result(message: Message) -> dict[str, Any]:
    params: Message = message.get("params") or {}
    meta: Message = params.get("_meta") or {}
    complete = {"resultType": "complete"} if meta.get(_VERSION) == _STATELESS else {}
    fresh = {"ttlMs": 0, "cacheScope": "private"} if complete else {}
    match message["method"]:
        case "server/discover":
            return {"supportedVersions": [_STATELESS], "capabilities": {"tools": {}}, **complete, **fresh}
        case "initialize":
            wanted = params.get("protocolVersion")
            version = wanted if wanted in _HANDSHAKES else _HANDSHAKES[0]
            info = {"name": "interlock-demo", "version": "1"}
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        case "ping":
            return {}
        case "tools/list":
            return {"tools": [_OFFERED[name].listed for name in TOOLS], **complete, **fresh}
        case "tools/call" if params.get("name") in _OFFERED:
            return {**_OFFERED[params["name"]].call(params.get("arguments") or {}, str(meta.get(_KEY, ""))), **complete}
        case "tools/call":
            raise Wrong(_INVALID_PARAMS, "there is no such tool")
        case _:
            raise Wrong(_METHOD_NOT_FOUND, "this is not spoken here")


def over_pipes() -> None:
    """Answer what comes in, a line a message, until the input ends."""
    for line in sys.stdin.buffer:
        said = answer(msgspec.json.decode(line))
        if said is not None:
            sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
            sys.stdout.buffer.flush()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one message in JSON."""
        size = int(self.headers.get("Content-Length", 0))
        if not 0 < size <= _BYTES_MAX:
            return self._write(413, b"")
        try:
            said = answer(msgspec.json.decode(self.rfile.read(size)))
        except (msgspec.DecodeError, TypeError, AttributeError):
            return self._write(400, b"")
        return self._write(202, b"") if said is None else self._write(200, msgspec.json.encode(said))

    def _write(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401  as its base calls them
        pass


def main(argv: list[str] | None = None) -> None:
    """Draw the company if it is not there, and serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--database", default="company.db", help="the file of the company; it is made if it is not there"
    )
    parser.add_argument("--seed", type=int, default=7, help="from which a new company is drawn")
    parser.add_argument("--http", type=int, metavar="PORT", help="serve on this port of this machine; 0 is any")
    given = parser.parse_args(argv)
    database = Path(given.database)
    if not database.exists():
        write_company(draw_company(given.seed), database)
    os.environ[DATABASE_VARIABLE] = str(database)
    if given.http is None:
        return over_pipes()
    server = ThreadingHTTPServer(("127.0.0.1", given.http), _Handler)
    sys.stderr.write(f"http://127.0.0.1:{server.server_address[1]}/mcp\n")
    sys.stderr.flush()
    return server.serve_forever()


if __name__ == "__main__":
    main()
