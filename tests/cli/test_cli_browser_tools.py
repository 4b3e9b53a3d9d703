"""The page on browser tools, typed: publish, log in, read, write, get the pictures, and no password anywhere."""

import io
import json
import os
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cli.test_cli_doctor import said_of
from command_line import ROOT, Shell
from tools.pages import needs_a_browser
from tools.shop_site import PASSWORD, shop_site

CODE = ROOT / "docs_src" / "browser_tools"


@pytest.mark.slow
@pytest.mark.promise("secret")
def test_an_action_is_published_called_and_seen_and_its_password_is_nowhere(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_a_browser()
    if os.geteuid() == 0:
        monkeypatch.setenv("INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX", "1")
    told = ""
    with shop_site() as site:
        site.asks_who, site.shows = True, f"<p>You are robot, with {PASSWORD}</p>"
        shutil.copy(CODE / "shop.yaml", "shop.yaml")
        text = (CODE / "contract.yaml").read_text(encoding="utf-8").replace("default", on_file.tenant)
        text = text.replace('{ url: { dev: "https://shop.example.com" } }', f'{{ url: "{site.url()}", private: true }}')
        Path("contract.yaml").write_text(text, encoding="utf-8")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PASSWORD.encode()), encoding="utf-8"))
        on_file("secret", "set", "robot", "--workflow", "refunds", "--env", "dev")
        on_file("contract", "publish", "contract.yaml", "--env", "dev")
        assert "`refund_order`: it presses a button, so it is `opaque`" in on_file.err
        assert on_file.run("doctor")[0] == 0
        assert "Chromium " in said_of(on_file, "browser")
        monkeypatch.setenv("INTERLOCK_BROWSER", str(on_file.folder / "none"))
        assert "there is no browser on this machine" in said_of(on_file, "browser")
        monkeypatch.delenv("INTERLOCK_BROWSER")
        looked = on_file.data("call", "look_at_order", '{"order":7}', "--for", "sam")
        assert looked["result"] == {"state": "paid", "total": 1.5}
        asked = '{"order":7,"amount":12.5,"reason":"Too late"}'
        done = on_file.data("call", "refund_order", asked, "--for", "sam")
        assert (done["result"], [each["reason"] for each in site.refunds]) == ({"number": 7001}, ["l"])
        told += json.dumps([looked, done])
    for id in (looked["action"], done["action"]):
        told += on_file("explain", id) + on_file("explain", id, "--json") + on_file("action", "show", id)
    story = on_file("explain", done["action"])
    assert "before, after: `interlock action pictures" in story
    before, after = on_file.data("action", "pictures", done["action"], "--out", "seen")
    assert (before["moment"], after["moment"]) == ("before", "after")
    assert Path(before["file"]).read_bytes().startswith(b"\x89PNG")
    assert Path(before["file"]).stat().st_mode & 0o077 == 0
    assert "cannot be written" in on_file.failed("action", "pictures", done["action"], "--out", "seen")
    told += on_file("ledger", "export") + on_file("ledger", "verify", "--state")
    told += on_file("contract", "show", "--tool", "refund_order")
    assert PASSWORD not in told
    for file in (file for file in on_file.folder.rglob("*") if file.is_file()):
        assert PASSWORD.encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_the_first_action_of_the_page_leaves_a_note(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_a_browser()
    if os.geteuid() == 0:
        monkeypatch.setenv("INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX", "1")
    shutil.copytree(CODE / "first", ".", dirs_exist_ok=True)
    pages = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(CODE / "first")))
    Thread(target=pages.serve_forever, daemon=True).start()
    try:
        text = Path("contract.yaml").read_text(encoding="utf-8").replace("default", on_file.tenant)
        Path("contract.yaml").write_text(text.replace("8098", str(pages.server_port)), encoding="utf-8")
        on_file("contract", "publish", "contract.yaml", "--env", "dev")
        done = on_file.data("call", "leave_note", '{"note":"call Ada back"}', "--for", "sam")
        assert (done["outcome"], done["result"]) == ("done", {})
        seen = on_file.data("action", "pictures", done["action"], "--out", "pictures")
        assert [each["moment"] for each in seen] == ["before", "after"]
    finally:
        pages.shutdown()
        pages.server_close()
