"""The documentation runs: its code is that of `docs_src`, and what it says of it is tried here."""

import importlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from interlock.app import describe, gateway_on
from interlock.contract.read import load
from interlock.contract.unenforced import SECTIONS
from interlock.core import limits
from interlock.core.ids import Environment, WorkflowId
from interlock.core.outcome import Done, Failed, Outcome, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.door.cli.main import main
from interlock.door.cli.person import user_name
from interlock.gateway.publish import publish_contract
from interlock.ledger.seal import Kind
from interlock.tool.python import PythonTools
from interlock.verify.promises import PROMISES
from transcript import type_again
from world import KIM, World

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "docs_src" / "tools"
PAGES = [
    "tools.md",
    "backup.md",
    "own-tool.md",
    "http-tools.md",
    "sql-tools.md",
    "browser-tools.md",
    "secrets.md",
    "identity.md",
    "sdk.md",
    "adapters.md",
]
"""Pages whose every piece of code is a piece of a file that is tested."""

_BLOCK = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)```\n", re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_piece_of_code_on_a_page_is_a_piece_of_a_file_that_is_tested(page: str) -> None:
    found = _BLOCK.finditer((ROOT / "docs" / page).read_text(encoding="utf-8"))
    blocks = [block for block in found if block["language"] != "console"]
    assert blocks
    for block in blocks:
        assert block["file"], f"{page}: say in a comment where this is from:\n{block['code']}"
        assert block["code"] in (ROOT / block["file"]).read_text(encoding="utf-8"), block["code"]


def test_the_page_of_the_ledger_names_every_kind_of_entry_that_is_written() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    of_an_action = re.search(r"\*\*Of an action\*\* \(kinds (.*?)\)", page, re.DOTALL)
    of_a_change = page.partition("**Of a change**")[2].partition("## ")[0]
    assert of_an_action is not None
    told = re.findall(r"`(\w+)`", of_an_action[1]) + re.findall(r"^\| `(\w+)` \|", of_a_change, re.MULTILINE)
    assert sorted(told) == sorted(kind.value for kind in Kind)


@pytest.fixture
def billing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    return importlib.reload(importlib.import_module("billing"))


@pytest.fixture
async def shop(world: World, billing: ModuleType) -> AsyncGenerator[World]:
    tools = PythonTools()
    world.gateway = gateway_on(world.opened, tools)
    contract = replace(load(TOOLS / "contract.yaml"), tenant=world.tenant)
    await publish_contract(world.store, contract, Environment("dev"), KIM, folder=TOOLS, describe=describe)
    yield world
    tools.close()


async def call(shop: World, tool: str, **arguments: object) -> Outcome:
    caller = replace(shop.caller(), workflow=WorkflowId("shop"), environment=Environment("dev"))
    return await shop.call(arguments, tool=tool, caller=caller)


@pytest.mark.anyio
async def test_the_functions_of_the_page_are_called(shop: World, billing: ModuleType) -> None:
    found = await call(shop, "find_invoice", invoice_id="I1")
    refunded = await call(shop, "refund", invoice_id="I1", amount_usd=49.99)
    moved = await call(shop, "set_address", customer_id="C1", address="here")
    shipped = await call(shop, "ship", order_id="O1", to="here")
    mailed = await call(shop, "send_mail", to="sam", body="hello")
    assert [each.result if isinstance(each, Done) else each for each in (found, moved, shipped, mailed)] == [
        49.99,
        None,
        "parcel for O1",
        "sent",
    ]
    assert isinstance(refunded, Done)
    assert (refunded.result, refunded.check) == ({"id": "re_1", "invoice_id": "I1", "amount_usd": 49.99}, "passed")
    assert list(billing.REFUNDS) == [f"{shop.tenant}.{refunded.action}"]


@pytest.mark.anyio
async def test_what_it_says_surely_did_not_happen_has_failed(shop: World) -> None:
    outcome = await call(shop, "refund", invoice_id="I9", amount_usd=1)
    assert isinstance(outcome, Failed)
    assert outcome.said == "there is no such invoice"


@pytest.mark.anyio
async def test_the_narrower_schema_of_the_contract_holds(shop: World, billing: ModuleType) -> None:
    outcome = await call(shop, "ship", order_id="not an order", to="here")
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.INVALID_ARGUMENTS
    assert billing.SHIPPED == {}


@pytest.mark.anyio
async def test_an_isolated_function_runs_elsewhere(shop: World) -> None:
    outcome = await call(shop, "render", html="<p>")
    assert isinstance(outcome, Done)
    assert outcome.result != os.getpid()


def test_the_page_of_limits_names_exactly_what_is_not_enforced() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    told = {way: names for way, names in re.findall(r"^\| (protect something|do not) \| (.*) \|$", page, re.MULTILINE)}
    for way, protects in (("protect something", True), ("do not", False)):
        assert re.findall(r"`([^`]+)`", told[way]) == sorted(
            name for name, waiting in SECTIONS.items() if waiting.protects is protects
        )


@pytest.mark.parametrize(
    ("row", "bound"),
    [
        ("arguments of a call", limits.ARGUMENT_BYTES_MAX),
        ("arguments of a call", limits.ARGUMENT_DEPTH_MAX),
        ("a request over HTTP, a message of MCP", limits.REQUEST_BYTES_MAX),
        ("result of a tool", limits.RESULT_BYTES_MAX),
        ("what a tool says of its failure", limits.SAID_CHARS_MAX),
        ("integers", limits.SAFE_INTEGER),
        ("one call", limits.PERFORM_SECONDS_MAX),
        ("a contract, a policy file", limits.CONTRACT_BYTES_MAX),
        ("a contract, a policy file", limits.POLICY_FILE_BYTES_MAX),
        ("a contract, a policy file", limits.CONTRACT_DEPTH_MAX),
        ("a contract, a policy file", limits.CONTRACT_NODES_MAX),
        ("an expression", limits.EXPRESSION_CHARS_MAX),
        ("an expression", limits.EXPRESSION_DEPTH_MAX),
        ("wall clock against boot clock", limits.CLOCK_DRIFT_MICROS_MAX // 1_000_000),
        ("free disk", limits.DISK_FREE_BYTES_MIN),
        ("actions whose end nobody knows that are looked at", limits.UNCERTAIN_LOOKED_AT_MAX),
        ("a web page", limits.PAGE_BYTES_MAX),
        ("a web page", limits.PAGE_TEXT_CHARS_MAX),
        ("a file of page actions", limits.BROWSER_FILE_BYTES_MAX),
        ("a page in a browser", limits.BROWSER_FIELDS_MAX),
        ("a page in a browser", limits.BROWSER_REQUESTS_MAX),
        ("a page in a browser", limits.BROWSER_TEXT_CHARS_MAX),
        ("a picture of a page", limits.PICTURE_WIDTH),
        ("a picture of a page", limits.PICTURE_HEIGHT_MAX),
        ("a picture of a page", limits.PICTURE_BYTES_MAX),
        ("a file of SQL statements", limits.SQL_FILE_BYTES_MAX),
        ("rows of one statement", limits.SQL_ROWS_MAX),
        ("an OpenAPI document", limits.OPENAPI_BYTES_MAX),
        ("an OpenAPI document", limits.OPENAPI_DEPTH_MAX),
        ("an OpenAPI document", limits.OPENAPI_NODES_MAX),
        ("a tool that is isolated", limits.ISOLATED_MEMORY_BYTES_MAX),
    ],
)
def test_the_page_of_limits_says_what_holds(row: str, bound: int) -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    (said,) = re.findall(rf"^\| {re.escape(row)} \| (.*) \|$", page, re.MULTILINE)
    assert re.search(rf"(?<![\d,]){bound:,}(?![\d,])", said)
    assert f"{limits.LEASE_MARGIN_SECONDS} seconds. It is" in page
    assert f"up to {limits.BATCH_WRITES_MAX} calls" in page


def test_the_threat_model_weighs_every_promise() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    table = page.partition("## What holds against whom")[2].partition("\n*Refused*")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(PROMISES)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_to_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], target


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == pages


def in_a_folder_with_a_tool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Go to a folder with the two files of the page about a tool of one's own, and return their texts."""
    files = [file for file in (ROOT / "docs_src" / "own_tool").glob("*.*") if file.is_file()]
    for file in files:
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["interlock"])
    monkeypatch.delitem(sys.modules, "heating", raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return [file.read_text(encoding="utf-8") for file in files]


def test_a_function_of_ones_own_is_governed_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "own-tool.md").read_text(encoding="utf-8")
    for text in in_a_folder_with_a_tool(tmp_path, monkeypatch):
        assert f"```\n{text}```" in re.sub(r"```\w+", "```", page)
    (shell,) = re.findall(r"^    (sed .*)$", page, re.MULTILINE)
    subprocess.run(["sh", "-c", shell], check=True)
    assert f"[{user_name()}]" in Path("contract.yaml").read_text(encoding="utf-8")
    type_again(page, capsys)


def test_tokens_come_and_go_as_the_page_of_identity_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_a_folder_with_a_tool(tmp_path, monkeypatch)
    assert main(["contract", "publish", "contract.yaml", "--env", "dev"]) == 0
    capsys.readouterr()
    type_again((ROOT / "docs" / "identity.md").read_text(encoding="utf-8"), capsys)


def test_statements_are_called_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["interlock"])
    monkeypatch.chdir(shutil.copytree(ROOT / "docs_src" / "sql_tools", tmp_path / "crm"))
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    with closing(sqlite3.connect("crm.db")) as db:
        db.executescript(Path("schema.sql").read_text(encoding="utf-8"))
    type_again((ROOT / "docs" / "sql-tools.md").read_text(encoding="utf-8"), capsys)
