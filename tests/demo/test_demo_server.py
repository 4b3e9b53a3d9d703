"""The demo company as an MCP server, over pipes and over HTTP, called from the command line as its README says."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from command_line import ROOT, Shell, child, shell_on
from interlock.tool.mcp.links import Links
from interlock.tool.mcp.reach import Reach
from interlock.tool.mcp.session import begun

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    shutil.copytree(ROOT / "examples" / "mcp", tmp_path / "mcp")
    monkeypatch.chdir(tmp_path / "mcp")
    contract = Path("contract.yaml")
    env = f"    env: {{ PYTHONPATH: '{child()['PYTHONPATH']}' }}\n    sandbox: false"
    text = contract.read_text(encoding="utf-8").replace("    sandbox: false", env)
    contract.write_text(text.replace(":7500/", f":{_free_port()}/"), encoding="utf-8")
    made = shell_on(str(tmp_path / "interlock.db"), tmp_path, capsys, tenant="default")
    made.real_time = True
    return made


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture
def served(shell: Shell) -> Generator[str]:
    """The company over HTTP, where the contract says that it is in staging."""
    url = Path("contract.yaml").read_text(encoding="utf-8").partition('url: "')[2].partition('"')[0]
    port = url.rpartition(":")[2].partition("/")[0]
    command = [sys.executable, "-m", "interlock_demo.serve", "--http", port]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=child())
    assert process.stderr is not None
    assert process.stderr.readline().decode().strip() == url
    yield url
    process.kill()
    process.wait()
    process.stderr.close()


def works(shell: Shell, env: str) -> None:
    shell("contract", "publish", "contract.yaml", "--env", env)
    listed = shell.data("call", "list_invoices", '{"customer_id":"C439563"}', "--env", env)
    assert listed["result"]["invoices"][0]["id"] == "INV-4882"
    refund = '{"customer_id":"C439563","invoice_id":"INV-4882","amount_usd":USD,"reason":"late"}'
    done = shell.data("call", "create_refund", refund.replace("USD", "20"), "--env", env)
    assert (done["result"]["amount"], done["check"]) == (20, "passed")
    assert shell.data("call", "create_refund", refund.replace("USD", "60"), "--env", env, code=3)["outcome"] == "parked"
    undone = shell.data("undo", done["action"])
    assert undone["result"]["status"] == "cancelled"
    unknown = shell.data("call", "list_invoices", '{"customer_id":"C1"}', "--env", env)
    assert unknown["result"] == {"invoices": []}


def test_the_company_is_called_over_pipes(shell: Shell) -> None:
    works(shell, "dev")


def test_the_company_is_called_over_http(shell: Shell, served: str) -> None:
    works(shell, "staging")


@pytest.mark.parametrize("protocol", ["", "2025-06-18", "2026-07-28"])
def test_the_company_speaks_both_eras(tmp_path: Path, protocol: str) -> None:
    command = (sys.executable, "-m", "interlock_demo.serve", "--database", str(tmp_path / "company.db"))
    reach = Reach(
        server="company",
        command=command,
        sandbox=False,
        protocol=protocol,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )

    async def ask() -> None:
        links = Links()
        session = await begun(lambda: links.make(reach, {}), reach, time.monotonic)
        assert session.version == (protocol or "2026-07-28")
        assert [offer.why_not for offer in session.offers.values()] == [""] * 11
        session.link.close()

    asyncio.run(ask())
