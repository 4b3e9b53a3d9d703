"""The programs of the page about the SDK run as it says."""

import importlib
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import pytest
from desk import ROOT, Desk, desk

from interlock_sdk import AsyncInterlock, Done, Interlock, NotWanted, Refused
from interlock_sdk.signing import KeyFile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page() -> Generator[ModuleType]:
    sys.path.insert(0, str(ROOT / "docs_src" / "sdk"))
    yield importlib.import_module("refunds")
    sys.path.pop(0)


@pytest.mark.anyio
async def test_the_programs_of_the_page_do_what_it_says(shop: Desk, page: ModuleType) -> None:
    with Interlock(shop.url, shop.token, principal="sam") as client:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(page.give_back(client, "O-1", 20)))
        thread.start()
        while not (waiting := shop.parked()):
            assert thread.is_alive()
        shop.approve(waiting[0])
        thread.join(300)
        assert found == ["refund written"]
        assert page.tell_why_not(client, "O-1") == "tool_not_allowed"
        assert isinstance(page.note(client, "O-1", "hello"), Done)
        assert page.close(client, "T-1", ["O-1", "O-2", "O-1"]) == page.close(client, "T-1", ["O-1", "O-2", "O-1"])
    async with AsyncInterlock(shop.url, shop.token, principal="sam") as client:
        assert await page.look_up(client, "O-3") == {"order": "O-3", "amount_usd": 15}
    assert [next(iter(each)) for each in shop.done()] == ["refund", *["note"] * 4]


def test_an_agent_that_has_a_key_is_heard_when_it_signs(
    tmp_path: Path, page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path) as shop:
        shop.type("keys", "new", "bot", "--public", "bot.pub")
        contract = (tmp_path / "contract.yaml").read_text("utf-8")
        (tmp_path / "contract.yaml").write_text(f"{contract}\nagents: {{ bot: {{ key: bot.pub }} }}\n", "utf-8")
        shop.type("contract", "publish", "contract.yaml", "--env", "dev")
        with (
            Interlock(shop.url, shop.token, agent="bot", principal="sam") as unsigned,
            pytest.raises(Refused) as caught,
        ):
            unsigned.call("find_order", {"order": "O-1"})
        assert caught.value.reason == "tool_not_allowed"
        monkeypatch.chdir(tmp_path)
        with page.signed(shop.url, shop.token) as client:
            assert isinstance(client.call("find_order", {"order": "O-1"}), Done)
            assert isinstance(client.run("r").call("add_note", {"order": "O-1", "text": "é"}), Done)
        assert "sound" in shop.type("ledger", "verify")


def test_a_file_that_is_no_key_and_a_client_that_names_nobody_sign_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key", "utf-8")
    with pytest.raises(NotWanted, match="no Ed25519 key"):
        KeyFile(tmp_path / "key", tenant="default", workflow="shop", environment="dev")
