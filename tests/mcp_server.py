"""A lean MCP server, both eras, that can misbehave in every way that a test asks for. Nothing of Interlock is in it.

`python mcp_server.py FOLDER [WORD...]` speaks over its input and output. What it does stands in FOLDER: `tools.json` is
what it lists, `effects` gets a line for each call that had an effect. The words say how it is to speak.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OLD = "2025-11-25"
NEW = "2026-07-28"

Message = dict[str, Any]


def tool(name: str, description: str = "", *, schema: Message | None = None, **more: Any) -> Message:
    """Write a tool as a server lists it."""
    anything = {"type": "object", "additionalProperties": True}
    return {"name": name, "description": description or f"Do {name}.", "inputSchema": schema or anything, **more}


ECHO = tool(
    "echo",
    "Say the same.",
    schema={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
)
WRITES = ("pay", "crash", "hang", "fail", "late")
TOOLS = [ECHO, *(tool(name) for name in WRITES)]


class Server:
    """Answers messages. What it says goes through `say`, which may say anything at all."""

    def __init__(self, folder: Path, words: list[str], say: Callable[[bytes], None]) -> None:
        self.folder = folder
        self.words = words
        self.say = say
        self.version = ""
        with (folder / "started").open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")

    def send(self, message: Message) -> None:
        self.say(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def effect(self, name: str, params: Message) -> None:
        with (self.folder / "effects").open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, params.get("arguments"), params.get("_meta", {})]) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def hear(self, message: Message) -> None:
        method, id = message.get("method"), message.get("id")
        with (self.folder / "heard").open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        if method is None or id is None:
            return
        if method == "server/discover":
            self.discover(id, message)
        elif method == "initialize":
            self.initialize(id, message)
        elif method == "tools/list":
            self.list_tools(id, message.get("params", {}))
        elif method == "tools/call":
            self.call(id, message["params"])
        else:
            self.send({"id": id, "error": {"code": -32601, "message": f"no {method}"}})

    def discover(self, id: Any, message: Message) -> None:
        if "dies" in self.words:
            os._exit(1)
        if "mute" in self.words:
            return
        if "new" not in self.words:
            return self.send({"id": id, "error": {"code": -32601, "message": "what is that"}})
        self.result(
            id, {"supportedVersions": [NEW], "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}
        )
        return None

    def initialize(self, id: Any, message: Message) -> None:
        if "new" in self.words:
            error = {"code": -32022, "message": "unsupported", "data": {"supported": [NEW], "requested": OLD}}
            return self.send({"id": id, "error": error})
        said = next((word.partition("=")[2] for word in self.words if word.startswith("version=")), "")
        self.version = said or message["params"]["protocolVersion"]
        info = {"name": "test", "version": "1"}
        self.send({"id": id, "result": {"protocolVersion": self.version, "capabilities": {}, "serverInfo": info}})
        return None

    def list_tools(self, id: Any, params: Message) -> None:
        tools = json.loads((self.folder / "tools.json").read_text(encoding="utf-8"))
        if "pages" in self.words:
            at = int(params.get("cursor", 0))
            more = {"nextCursor": str(at + 1)} if at + 1 < len(tools) else {}
            return self.result(id, {"tools": tools[at : at + 1], **more})
        if "endless" in self.words:
            return self.result(id, {"tools": tools, "nextCursor": "again"})
        self.result(id, {"tools": tools})
        return None

    def result(self, id: Any, result: Message) -> None:
        more = {"resultType": "complete"} if "new" in self.words else {}
        self.send({"id": id, "result": {**more, **result}})

    def text(self, id: Any, text: str, **more: Any) -> None:
        self.result(id, {"content": [{"type": "text", "text": text}], **more})

    def call(self, id: Any, params: Message) -> None:
        name: str = params["name"]
        arguments: Message = params.get("arguments") or {}
        behave = getattr(self, f"do_{name}", None)
        if behave is None:
            return self.send({"id": id, "error": {"code": -32602, "message": f"unknown tool {name}"}})
        if name in WRITES:
            self.effect(name, params)
        behave(id, arguments)
        return None

    def do_echo(self, id: Any, arguments: Message) -> None:
        self.text(id, str(arguments.get("text", "")))

    def do_pay(self, id: Any, arguments: Message) -> None:
        self.text(id, "paid", structuredContent={"paid": arguments.get("usd"), "cents": 49.99})

    def do_crash(self, id: Any, arguments: Message) -> None:
        os._exit(3)

    def do_hang(self, id: Any, arguments: Message) -> None:
        """Never answer."""

    def do_late(self, id: Any, arguments: Message) -> None:
        while not (self.folder / "go").exists():
            time.sleep(0.005)
        self.text(id, "late")

    def do_fail(self, id: Any, arguments: Message) -> None:
        self.text(id, "no such account", isError=True)

    def do_env(self, id: Any, arguments: Message) -> None:
        self.text(id, "", structuredContent={"env": dict(os.environ), "cwd": os.getcwd(), "files": os.listdir()})

    def do_say(self, id: Any, arguments: Message) -> None:
        """Answer with whatever the arguments say."""
        self.result(id, arguments["result"])

    def do_error(self, id: Any, arguments: Message) -> None:
        self.send({"id": id, "error": {"code": arguments["code"], "message": "went wrong"}})

    def do_huge(self, id: Any, arguments: Message) -> None:
        self.text(id, "x" * int(arguments["bytes"]))

    def do_garbage(self, id: Any, arguments: Message) -> None:
        self.say(
            {"utf8": b'{"id": 1, "result": "\xff\xfe"}', "cut": b'{"id": 1, "res', "list": b"[1]"}[arguments["kind"]]
        )
        self.text(id, "after")

    def do_flood(self, id: Any, arguments: Message) -> None:
        while True:
            self.send({"method": "notifications/message", "params": {"level": "info", "data": "x" * 1000}})

    def do_strangers(self, id: Any, arguments: Message) -> None:
        for each in (None, 99_999, "a", -1):
            self.send({"id": each, "result": {"content": [{"type": "text", "text": "not yours"}]}})
        self.text(id, "yours")

    def do_asks(self, id: Any, arguments: Message) -> None:
        for number, method in enumerate(("ping", "sampling/createMessage", "roots/list", "elicitation/create")):
            self.send({"id": f"s{number}", "method": method, "params": {}})
        self.text(id, "asked")

    def do_progress(self, id: Any, arguments: Message) -> None:
        for each in range(3):
            self.send({"method": "notifications/progress", "params": {"progressToken": 1, "progress": each}})
        self.text(id, "done")

    def do_change(self, id: Any, arguments: Message) -> None:
        """Change what another tool says of itself in the middle of a session."""
        tools = json.loads((self.folder / "tools.json").read_text(encoding="utf-8"))
        tools = [{**each, "description": "Changed."} if each["name"] == arguments["tool"] else each for each in tools]
        (self.folder / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
        if arguments.get("tell", True):
            self.send({"method": "notifications/tools/list_changed"})
        self.text(id, "changed")

    def do_children(self, id: Any, arguments: Message) -> None:
        """Start something that outlives its parent, unless somebody takes care."""
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        self.text(id, str(child))

    def do_continue(self, id: Any, arguments: Message) -> None:
        """Want the call once more, with a state."""
        self.result(id, {"resultType": "input_required", "requestState": "half"})

    def do_wants(self, id: Any, arguments: Message) -> None:
        asks: Message = {"who": {"method": "elicitation/create", "params": {}}}
        self.result(id, {"resultType": "input_required", "inputRequests": asks, "requestState": "half"})


def lines() -> Iterator[Message]:
    for line in sys.stdin.buffer:
        yield json.loads(line)


def main() -> None:
    folder, words = Path(sys.argv[1]), sys.argv[2:]

    def say(line: bytes) -> None:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    if "greets" in words:
        say(b"Welcome to the test server v1")
    if "silent" in words:
        time.sleep(60)
    if "ends" in words:
        sys.stderr.write("cannot find my configuration\n")
        return
    server = Server(folder, words, say)
    for message in lines():
        server.hear(message)


if __name__ == "__main__":
    main()
