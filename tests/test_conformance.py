"""The official conformance suite of MCP, and the official inspector, against Interlock; and the page that tells of it.

Where the packages of Node cannot be had, this says so and looks at nothing. With `INTERLOCK_CI=1` that is a failure.
"""

import json
import os
from functools import cache
from secrets import token_hex
from typing import Any

import pytest

from conformance import (
    EXCLUDED,
    ON_FILE,
    PAGE,
    REVISIONS,
    compare,
    everything,
    exclusions,
    interlock_before,
    part,
    table,
)
from mcp_peer.forward import with_token
from mcp_peer.node import INSPECTOR, Unreachable, installed, node
from postgres import Server

pytestmark = pytest.mark.slow
_INSPECT_SECONDS = 60


@cache
def packages() -> None:
    """See that the packages are there."""
    try:
        installed()
    except Unreachable as why:
        if os.environ.get("INTERLOCK_CI") == "1":
            raise
        print(f"the conformance suite is not run: {why}")
        pytest.skip(f"what it takes cannot be had here: {why}")


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_a_server_passes_by_itself_it_passes_behind_interlock_on_either_store(
    revision: str, postgres_server: Server
) -> None:
    packages()
    told = part(PAGE.read_text(encoding="utf-8"), revision)
    for compared in compare(revision, (ON_FILE, postgres_server.a_database(f"conforms_{token_hex(4)}"))):
        passed = [status for check, status in compared.alone.items() if compared.scored[check.scenario]]
        assert set(passed) <= {"SUCCESS", "INFO", "SKIPPED"}, "the server behind it conforms"
        lost = compared.lost()
        assert {check: how for check, how in lost.items() if check not in EXCLUDED} == {}
        stale = {check for check in EXCLUDED if check[0] == revision} - set(lost)
        assert stale == set(), "these pass: take them off the list"
        assert told == table(compared), "run `python tests/conformance.py --write-docs`"


def test_the_page_tells_every_exclusion_and_its_reason() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert part(text, "exclusions") == exclusions(), "run `python tests/conformance.py --write-docs`"
    assert all(why.strip() for why in EXCLUDED.values())


def inspected(url: str, *how: str) -> Any:
    """Have the inspector ask a server one thing."""
    script = (
        installed()
        / INSPECTOR
        / json.loads((installed() / INSPECTOR / "package.json").read_text())["bin"]["mcp-inspector"]
    )
    ended = node(script, ["--cli", url, "--transport", "http", *how], seconds=_INSPECT_SECONDS)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_the_inspector_lists_and_calls_the_tools_of_the_contract() -> None:
    packages()
    with everything() as url, interlock_before(url) as port, with_token(*port) as front:
        where = f"http://127.0.0.1:{front}/mcp"
        listed = inspected(where, "--method", "tools/list")
        assert "greet" in [tool["name"] for tool in listed["tools"]]
        called = inspected(where, "--method", "tools/call", "--tool-name", "greet", "--tool-arg", "name=Ann")
        assert called["content"] == [{"type": "text", "text": "Hello, Ann!"}]
