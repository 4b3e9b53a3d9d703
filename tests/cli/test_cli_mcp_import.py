"""`mcp import`, `mcp restore`: a client that used MCP servers by itself uses them through Interlock, and back again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import ROOT, Shell, child
from interlock.contract.read import load
from interlock.door.cli.person import user_name
from mcp_server import ECHO

pytestmark = pytest.mark.slow

SERVER = str(ROOT / "tests" / "mcp_server.py")
CONFIG: dict[str, Any] = {
    "mcpServers": {
        "Shop floor": {"command": sys.executable, "args": [SERVER, "./"], "env": {"SHOP_TOKEN": "canary-5c1"}},
        "old": {"type": "sse", "url": "https://old.example/sse"},
    },
    "theme": "dark",
}
NAMED = ("mcp", "import", "client.json", "--contract", "desk.yaml")
WORDS = (*NAMED, "--alone")


@pytest.fixture
def client(on_file: Shell) -> Shell:
    Path("client.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    Path("tools.json").write_text(json.dumps([ECHO]), encoding="utf-8")
    return on_file


def published(shell: Shell, effect: str = "read") -> None:
    """Do what the first time says: import the lines, say what a tool does, review, publish."""
    text = Path("desk.yaml").read_text(encoding="utf-8")
    text = text.replace("    command:", "    sandbox: false\n    command:")
    Path("desk.yaml").write_text(text, encoding="utf-8")
    lines = shell("tools", "import", "desk.yaml", "--server", "Shop-floor", "--env", "dev")
    assert 'from: "mcp:Shop-floor/echo"' in lines or "mcp:Shop-floor/echo" in lines
    echo = f'{{ from: "mcp:Shop-floor/echo", effect: {effect}, tier: green, price: 0 }}'
    text = text.replace("tools: {}", f"tools:\n  echo: {echo}").replace("allowed_tools: []", "allowed_tools: [echo]")
    Path("desk.yaml").write_text(text, encoding="utf-8")
    _, out = shell.run("tools", "review", "desk.yaml", "--env", "dev", "--json")
    pins = [word for each in json.loads(out)["tools"] for word in ("--accept", each["offered"])]
    shell("tools", "review", "desk.yaml", "--env", "dev", *pins)
    shell("contract", "publish", "desk.yaml", "--env", "dev")


def test_a_client_goes_through_interlock_and_back(client: Shell) -> None:
    begun = client(*WORDS)
    assert "interlock contract publish desk.yaml --env dev" in begun
    assert "SSE" in begun, "what stays as it is is named, with the reason"
    contract = Path("desk.yaml").read_text(encoding="utf-8")
    assert "canary-5c1" not in contract
    assert "secret:Shop-floor-shop_token" in contract
    assert json.loads(Path("client.json").read_text(encoding="utf-8")) == CONFIG, "the client is as it was"
    published(client)
    told = client(*WORDS)
    assert "interlock mcp restore client.json" in told
    written = json.loads(Path("client.json").read_text(encoding="utf-8"))
    assert set(written["mcpServers"]) == {"old", "interlock"}
    assert written["theme"] == "dark"
    assert "canary" not in json.dumps(written)
    assert os.stat("client.json.before-interlock").st_mode & 0o077 == 0
    ours = written["mcpServers"]["interlock"]
    assert called_through(ours["command"], ours["args"]) == "hi"
    assert "already" in client(*WORDS)
    client("mcp", "restore", "client.json")
    assert json.loads(Path("client.json").read_text(encoding="utf-8")) == CONFIG
    assert not Path("client.json.before-interlock").exists()


def called_through(command: str, args: list[str]) -> str:
    """Start what the client would start, and call a tool."""
    messages: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "hi"}}},
    ]
    line = [sys.executable, "-m", "interlock", *args[args.index("mcp") :]]
    with subprocess.Popen(line, env=child(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        found: Any = None
        for message in messages:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(60)
    return found["result"]["content"][0]["text"]


def test_of_a_server_without_a_tool_in_the_contract_agents_get_nothing_and_are_told_so(client: Shell) -> None:
    client(*WORDS)
    assert "`sandbox: false` beside its `command`" in Path("desk.yaml").read_text(encoding="utf-8")
    published(client)
    later = {**CONFIG["mcpServers"], "till": {"command": "till"}}
    Path("client.json").write_text(json.dumps({"mcpServers": later}), encoding="utf-8")
    client(*WORDS)
    assert "of till agents get nothing now" in " ".join(client.err.split())
    client("mcp", "restore", "client.json")
    assert "nothing of `client.json` can be put back" in client.failed("mcp", "restore", "client.json")


def test_a_contract_that_is_not_in_force_is_no_reason_to_touch_the_client(client: Shell) -> None:
    client(*WORDS)
    client(*WORDS, code=1)
    assert "contract publish desk.yaml" in client.err
    assert json.loads(Path("client.json").read_text(encoding="utf-8")) == CONFIG


def test_servers_that_were_added_since_are_not_lost_by_going_back(client: Shell) -> None:
    client(*WORDS)
    published(client)
    client(*WORDS)
    written = json.loads(Path("client.json").read_text(encoding="utf-8"))
    written["mcpServers"]["new"] = {"command": "new-server"}
    Path("client.json").write_text(json.dumps(written), encoding="utf-8")
    client("mcp", "restore", "client.json", code=1)
    assert "new" in client.err
    client("mcp", "restore", "client.json", "--over")
    assert json.loads(Path("client.json").read_text(encoding="utf-8")) == CONFIG


@pytest.mark.parametrize("text", ["", "{}", '{"mcpServers": {}}', "no json"])
def test_a_file_that_is_none_is_refused(client: Shell, text: str) -> None:
    Path("client.json").write_text(text, encoding="utf-8")
    client(*WORDS, code=1)
    assert not Path("desk.yaml").exists()
    client("mcp", "restore", "client.json", code=1)


def test_the_person_at_the_client_agrees_to_what_its_agent_writes(client: Shell) -> None:
    client(*WORDS)
    published(client, effect="idempotent")
    parked = client.data("call", "echo", '{"text":"hello"}', "--workflow", "desktop", "--env", "dev", code=3)
    seen = client.data("approvals", "show", parked["action"])["seen"]
    assert client.data("approvals", "approve", parked["action"], "--seen", seen)["outcome"]["result"] == "hello"


def test_nobody_agrees_to_what_their_own_agent_writes_unless_they_say_to_be_alone(client: Shell) -> None:
    for words in ((), ("--alone", "--approver", "kim"), ("--approver", user_name())):
        assert "say `--alone`" in " ".join(client.unmeant(*NAMED, *words).split())
    assert not Path("desk.yaml").exists()
    client(*NAMED, "--approver", "kim", "--approver", "u1@corp")
    approvals = load(Path("desk.yaml")).approvals
    assert approvals.separation_of_duties
    assert approvals.people == {"owner": {user_name(), "kim", "u1@corp"}}
    published(client, effect="idempotent")
    parked = client.data("call", "echo", '{"text":"hello"}', "--workflow", "desktop", "--env", "dev", code=3)
    seen = client.data("approvals", "show", parked["action"])["seen"]
    assert "asked for this action" in client.failed("approvals", "approve", parked["action"], "--seen", seen)


def test_what_is_next_can_be_typed_as_it_stands_for_each_server(client: Shell) -> None:
    two = {"Shop floor": CONFIG["mcpServers"]["Shop floor"], "desk": {"url": "https://desk.example/mcp"}}
    Path("its own folder").mkdir()
    Path("its own folder/client.json").write_text(json.dumps({"mcpServers": two}), encoding="utf-8")
    begun = client("mcp", "import", "its own folder/client.json", "--alone")
    assert "--server Shop-floor" in begun
    assert "--server desk" in begun
    assert "interlock mcp import 'its own folder/client.json'" in begun


def test_a_contract_of_something_else_that_is_there_is_not_taken_for_that_of_the_client(client: Shell) -> None:
    client.publish()
    Path("contract.yaml").write_text("workflow: shop\n", encoding="utf-8")
    told = " ".join(client.failed("mcp", "import", "client.json", "--alone").split())
    assert "`contract.yaml` is there, and no contract of `desktop` is in force in `dev`" in told
    assert "if it is another one, name a new file: `--contract desktop.yaml`" in told
    assert "contract of `desktop`" not in client(
        "mcp", "import", "client.json", "--alone", "--contract", "desktop.yaml"
    )
