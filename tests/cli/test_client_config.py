"""What clients and editors write about MCP servers is read, and written again with Interlock in their place."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.door.cli.client_config import ConfigUnreadable, Found, read_config

INTERLOCK = ["/usr/bin/interlock", "mcp", "--workflow", "desktop"]
CRM = {"command": "npx", "args": ["-y", "crm"], "env": {"CRM_TOKEN": "s3cret", "N": 1}}
DESK = {"url": "https://desk.example/mcp", "headers": {"Authorization": "Bearer t"}}
READ = (
    Found(name="crm", command=("npx", "-y", "crm"), env={"CRM_TOKEN": "s3cret", "N": "1"}),
    Found(name="desk", url="https://desk.example/mcp", headers={"Authorization": "Bearer t"}),
)

SHAPES: dict[str, Any] = {
    "claude_desktop_config.json": {"mcpServers": {"crm": CRM, "desk": DESK}, "theme": "dark"},
    ".cursor/mcp.json": {"mcpServers": {"crm": CRM, "desk": DESK}},
    "windsurf.json": {"mcpServers": {"crm": CRM, "desk": {"serverUrl": DESK["url"], "headers": DESK["headers"]}}},
    "gemini/settings.json": {"mcpServers": {"crm": CRM, "desk": {"httpUrl": DESK["url"], "headers": DESK["headers"]}}},
    ".vscode/mcp.json": {"inputs": [], "servers": {"crm": {"type": "stdio", **CRM}, "desk": {"type": "http", **DESK}}},
    "vscode/settings.json": {"mcp": {"servers": {"crm": CRM, "desk": DESK}}, "editor.tabSize": 2},
    "zed/settings.json": {
        "context_servers": {
            "crm": {"command": {"path": "npx", "args": ["-y", "crm"], "env": {"CRM_TOKEN": "s3cret", "N": 1}}},
            "desk": DESK,
        }
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_servers_of_each_known_client_are_found(name: str) -> None:
    assert read_config(name, json.dumps(SHAPES[name]).encode()).servers == READ


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_not_about_servers_stays_as_it_is(name: str) -> None:
    written = json.loads(read_config(name, json.dumps(SHAPES[name]).encode()).through(INTERLOCK))
    again = read_config(name, json.dumps(written).encode())
    assert again.ours
    assert again.movable == ()
    assert [server.command for server in again.servers] == [tuple(INTERLOCK)]
    for key in SHAPES[name].keys() - {"mcpServers", "servers", "mcp", "context_servers"}:
        assert written[key] == SHAPES[name][key]


CODEX = """model = "o"
# mine
[mcp_servers.crm]
command = "npx"
args = ["-y", "crm"]

[mcp_servers.crm.env]
CRM_TOKEN = "s3cret"
N = "1"

[tui]
notifications = true

[mcp_servers."desk"]
url = "https://desk.example/mcp"
http_headers = { Authorization = "Bearer t" }
"""


def test_toml_is_read_and_its_other_lines_are_left_alone() -> None:
    config = read_config("config.toml", CODEX.encode())
    assert config.servers == READ
    written = config.through(INTERLOCK)
    assert "# mine\n[tui]\nnotifications = true\n" in written
    assert tomllib.loads(written) == {
        "model": "o",
        "tui": {"notifications": True},
        "mcp_servers": {"interlock": {"command": INTERLOCK[0], "args": INTERLOCK[1:]}},
    }


def test_comments_and_last_commas_are_read_as_editors_read_them() -> None:
    text = """{
      // the "crm" of the team
      "mcpServers": { /* one */ "crm": { "command": "npx", "args": ["-y", "// no comment", "a,]"], }, },
    }"""
    assert read_config("mcp.json", text.encode()).servers == (
        Found(name="crm", command=("npx", "-y", "// no comment", "a,]")),
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_plain_json_is_read_as_it_is(value: Any) -> None:
    text = json.dumps({"mcpServers": {}, "x": value})
    assert json.loads(read_config("mcp.json", text.encode()).through(["i"]))["x"] == value


def test_what_cannot_be_moved_stays_and_says_why() -> None:
    servers = {
        "old": {"type": "sse", "url": "https://x.example/sse"},
        "off": {"command": "x", "disabled": True},
        "odd": {"what": "is this"},
        "crm": CRM,
    }
    config = read_config("mcp.json", json.dumps({"mcpServers": servers}).encode())
    assert [(server.name, bool(server.why_not)) for server in config.servers] == [
        ("old", True),
        ("off", True),
        ("odd", True),
        ("crm", False),
    ]
    assert set(json.loads(config.through(INTERLOCK))["mcpServers"]) == {"old", "off", "odd", "interlock"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"mcpServers": 3}', b'{"servers": {"a": 1}}', b"\xff", b"[" * 9_999]
)
def test_another_file_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigUnreadable):
        read_config("mcp.json", raw)
