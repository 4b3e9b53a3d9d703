"""MCP over standard input and output: the real command, started as a client starts it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from loopback import answering, http

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOOLS = '''
def find(order: str) -> dict[str, str]:
    """Find an order."""
    print("a tool that prints")
    return {"order": order, "state": "open"}


def refund(order: str, amount_usd: int) -> str:
    """Give money back."""
    return f"{amount_usd} for {order}"
'''
CONTRACT = """
interlock: 1
workflow: shop
tenant: default
environments: { dev: { mode: act } }
agents: { bot: {} }
tools:
  find: { from: "python:shop_tools:find", effect: read, tier: green, price: 0 }
  refund: { from: "python:shop_tools:refund", effect: opaque, tier: yellow, price: 0 }
permissions: { allowed_tools: [find, refund] }
approvals: { yellow: { approvers: [lead] }, people: { lead: [ann] } }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop_tools.py").write_text(TOOLS, encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    run(tmp_path, "contract", "publish", "contract.yaml", "--env", "dev")
    return tmp_path


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}


def run(folder: Path, *words: str, **more: str) -> str:
    line = [sys.executable, "-m", "interlock", *words]
    done = subprocess.run(line, cwd=folder, env={**environment(), **more}, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


def _typed(folder: Path, *words: str, **more: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "interlock", *words],
        cwd=folder,
        env={**environment(), **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def started(folder: Path, *words: str, **more: str) -> Generator["Peer"]:
    process = _typed(folder, *words, **more)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Peer(process, process.stdin, process.stdout)
    finally:
        process.stdin.close()
        assert process.wait(30) == 0, process.stderr.read() if process.stderr else b""
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


class Peer:
    def __init__(self, process: "subprocess.Popen[bytes]", to: IO[bytes], back: IO[bytes]) -> None:
        self.process, self.to, self.back = process, to, back
        self.told: list[str] = []
        """What it was told without asking."""

    def say(self, message: Any) -> None:
        self.to.write((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n")
        self.to.flush()

    def ask(self, method: str, id: int | str = 1, **params: Any) -> Any:
        self.say({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        while "id" not in (message := json.loads(self.back.readline())):
            self.told.append(message["method"])
        return message

    def begin(self) -> Any:
        about: dict[str, Any] = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        answer = self.ask("initialize", **about)
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]


def test_a_client_calls_the_tools_of_the_contract_over_a_pipe(shop: Path) -> None:
    with started(shop, "mcp") as peer:
        assert peer.ask("tools/list")["error"]["code"] == -32600, "it begins with initialize"
        assert peer.begin()["protocolVersion"] == "2025-11-25"
        assert [tool["name"] for tool in peer.ask("tools/list")["result"]["tools"]] == ["find", "refund"]
        found = peer.ask("tools/call", name="find", arguments={"order": "O-1"})["result"]
        assert found["structuredContent"] == {"order": "O-1", "state": "open"}, "what a tool prints goes elsewhere"
        peer.say(b"no json")
        assert json.loads(peer.back.readline())["error"]["code"] == -32700
        peer.say(b" " * 2_000_000)
        assert json.loads(peer.back.readline())["error"]["code"] == -32600
        assert peer.ask("ping", id="x") == {"jsonrpc": "2.0", "id": "x", "result": {}}


def test_a_yes_from_another_process_carries_on_what_waits_here(shop: Path) -> None:
    with started(shop, "mcp", "--for", "sam") as peer:
        peer.begin()
        call: dict[str, Any] = {"name": "refund", "arguments": {"order": "O-1", "amount_usd": 5}}
        parked = peer.ask("tools/call", **call)["result"]["structuredContent"]
        assert parked["outcome"] == "parked"
        key = run(shop, "keys", "new", "ann")
        assert key
        fingerprint = next(word for word in key.split() if word.startswith("key:"))
        contract = CONTRACT.replace("people: { lead: [ann] }", f'people: {{ lead: ["{fingerprint}"] }}')
        (shop / "contract.yaml").write_text(contract, encoding="utf-8")
        run(shop, "contract", "publish", "contract.yaml", "--env", "dev")
        seen = json.loads(run(shop, "--json", "approvals", "show", parked["action"]))["seen"]
        run(shop, "approvals", "approve", parked["action"], "--seen", seen, "--sign-with", "ann.pem")
        deadline = time.monotonic() + 20
        while True:
            result = peer.ask("tools/call", **call)["result"]
            if result["_meta"]["interlock/outcome"]["outcome"] == "done" or time.monotonic() > deadline:
                break
        assert result["content"][0] == {"type": "text", "text": "5 for O-1"}
        assert result["_meta"]["interlock/outcome"]["action"] == parked["action"]


def test_several_clients_go_through_one_that_serves(shop: Path) -> None:
    token = run(shop, "token", "new", "bot", "--workflow", "shop", "--env", "dev", "--expires", "1d", "--for", "sam")
    with (
        serving(shop, token.strip()) as url,
        started(shop, "mcp", "--url", url, INTERLOCK_TOKEN=token.strip()) as one,
        started(shop, "mcp", "--url", url, INTERLOCK_TOKEN=token.strip()) as other,
    ):
        for peer in (one, other):
            peer.begin()
            found = peer.ask("tools/call", name="find", arguments={"order": "O-1"})["result"]
            assert found["structuredContent"]["order"] == "O-1"
        elsewhere = url.removesuffix("/mcp")
        with started(shop, "mcp", "--url", elsewhere, INTERLOCK_TOKEN=token.strip()) as lost:
            assert "speaks no MCP" in lost.ask("ping")["error"]["message"]
        one.say(b" " * 2_000_000)
        assert json.loads(one.back.readline())["error"]["code"] == -32600
        envelope: dict[str, Any] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        found = one.ask("tools/call", name="find", arguments={"order": "O-2"}, _meta=envelope)["result"]
        assert found["structuredContent"]["order"] == "O-2"
        listen = {"_meta": envelope, "notifications": {"toolsListChanged": True}}
        one.say({"jsonrpc": "2.0", "id": 9, "method": "subscriptions/listen", "params": listen})
        assert json.loads(one.back.readline())["method"] == "notifications/subscriptions/acknowledged"
        (shop / "contract.yaml").write_text(CONTRACT + "owner: somebody else\n", encoding="utf-8")
        run(shop, "contract", "publish", "contract.yaml", "--env", "dev")
        assert json.loads(other.back.readline())["method"] == "notifications/tools/list_changed"


def test_a_client_whose_server_is_gone_is_told_so_and_can_still_leave(shop: Path) -> None:
    token = run(shop, "token", "new", "bot", "--workflow", "shop", "--env", "dev", "--expires", "1d", "--for", "sam")
    with ExitStack() as client:
        with serving(shop, token.strip()) as url:
            peer = client.enter_context(started(shop, "mcp", "--url", url, INTERLOCK_TOKEN=token.strip()))
            peer.begin()
        assert "interlock serve" in peer.ask("tools/list")["error"]["message"]


def test_what_a_client_says_goes_where_it_was_sent_to_and_nowhere_else(shop: Path) -> None:
    elsewhere = list[bytes]()

    def heard(question: bytes) -> bytes:
        elsewhere.append(question)
        return http("404 Not Found")

    def led_on(question: bytes) -> bytes:
        return http("307 Temporary Redirect", b"", "text/plain", f"Location: http://127.0.0.1:{other}/mcp")

    with answering(heard) as other, answering(led_on) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        with started(shop, "mcp", "--url", url, INTERLOCK_TOKEN="ilk_x") as peer:
            assert "speaks no MCP" in peer.ask("tools/list")["error"]["message"]
    assert elsewhere == []


def test_what_is_piped_in_is_answered_before_the_command_ends(shop: Path) -> None:
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "find", "arguments": {"order": "O-1"}}},
    ]
    typed = "".join(f"{json.dumps(each)}\n" for each in asked)
    line = [sys.executable, "-m", "interlock", "mcp"]
    done = subprocess.run(line, cwd=shop, env=environment(), input=typed, capture_output=True, text=True, timeout=60)
    answers = [json.loads(each) for each in done.stdout.splitlines()]
    assert {each["id"] for each in answers} == {1, 2}
    assert done.returncode == 0, done.stderr


def test_a_client_that_has_gone_is_no_error_and_ends_the_command(shop: Path) -> None:
    token = run(shop, "token", "new", "bot", "--workflow", "shop", "--env", "dev", "--expires", "1d", "--for", "sam")
    with serving(shop, token.strip()) as url:
        _leaves_in_the_middle(shop, "mcp", "--url", url, INTERLOCK_TOKEN=token.strip())
    _leaves_in_the_middle(shop, "mcp")


def _leaves_in_the_middle(shop: Path, *words: str, **more: str) -> None:
    process = _typed(shop, *words, **more)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdin, process.stderr:
        peer = Peer(process, process.stdin, process.stdout)
        peer.begin()
        process.stdout.close()
        try:
            while process.poll() is None:
                peer.say({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
                time.sleep(0.05)
        except BrokenPipeError:
            process.wait(30)
        assert (process.returncode, process.stderr.read()) == (0, b"")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:7400/mcp", b"needs a whole address"),
        ("http://[::1/mcp", b"needs a whole address"),
        ("http://acme.example/mcp", b"in the open"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_in_words(shop: Path, url: str, says: bytes) -> None:
    line = [sys.executable, "-m", "interlock", "mcp", "--url", url]
    done = subprocess.run(line, env={**environment(), "INTERLOCK_TOKEN": "ilk_x"}, input=b"", capture_output=True)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("stdin", "stdout"), [(subprocess.DEVNULL, subprocess.PIPE), (subprocess.PIPE, subprocess.DEVNULL)]
)
def test_an_end_that_is_no_pipe_is_refused_in_words(shop: Path, stdin: int, stdout: int) -> None:
    line = [sys.executable, "-m", "interlock", "mcp"]
    process = subprocess.Popen(line, cwd=shop, env=environment(), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"have to be pipes" in said


def test_whoever_types_it_at_a_terminal_hears_that_a_client_starts_it(shop: Path) -> None:
    theirs, ours = os.openpty()
    try:
        line = [sys.executable, "-m", "interlock", "mcp"]
        done = subprocess.run(line, cwd=shop, env=environment(), stdin=ours, capture_output=True, timeout=60)
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 2
    assert b"let an MCP client start it" in done.stderr


def test_beside_another_that_performs_it_says_how_to_go_through_that(shop: Path) -> None:
    with started(shop, "mcp") as peer:
        peer.begin()
        line = [sys.executable, "-m", "interlock", "mcp"]
        done = subprocess.run(line, cwd=shop, env=environment(), input="", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "interlock mcp --url http://127.0.0.1:7400/mcp" in done.stderr.replace("\n     ", " ")


@contextmanager
def serving(folder: Path, token: str) -> Generator[str]:
    """Serve, and return where; nothing that it says of itself has the token."""
    line = [sys.executable, "-m", "interlock", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(line, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield json.loads(_whole(process.stdout))["mcp"]
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert token.encode() not in said


def _whole(lines: IO[bytes]) -> bytes:
    """Read JSON that was printed on several lines."""
    text = b""
    while True:
        text += lines.readline()
        try:
            json.loads(text)
        except ValueError:
            continue
        return text
