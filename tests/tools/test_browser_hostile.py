"""Pages that want to be taken for what they are not, and browsers that break: what is made of them."""

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import anyio
import psutil
import pytest

from interlock.app import every_tool
from interlock.core.errand import Performed, Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.ports import Performers
from interlock.tool.browser_engine import BrowserSettings
from interlock.tool.browser_visit import PRESS_SECONDS
from tools.functions import an_errand
from tools.pages import GIVEN, LOOK, REFUND, Shop, described, needs_a_browser, started
from tools.shop_site import Site
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.parametrize("where", ["sqlite"], indirect=True)]


async def test_an_answer_that_takes_a_while_is_waited_for(shop: Shop) -> None:
    slow = shop.site.slow = threading.Event()
    await shop.publish(seconds=30)

    async def answered() -> None:
        while shop.site.asked[-1:] != ["POST /orders/4711/refund"]:
            await anyio.sleep(0.02)
        await anyio.sleep(PRESS_SECONDS + 0.5)
        slow.set()

    async with anyio.create_task_group() as group:
        group.start_soon(answered)
        assert (await shop.done(**GIVEN))["number"] == 7001


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<h1>", "<h1 style='opacity: 0'>", "the heading `Refund order {order}` is not on the page"),
        ("<h1>", "<h1 style='position: absolute; left: -9999px'>", "is not on the page"),
        ("<h1>", "<div style='display: none'><h1>", "is not on the page"),
        ('<option value="l">', "<option>Damaged</option><option>", "more than once"),
    ],
    ids=["transparent", "beside the page", "hidden", "offered twice"],
)
async def test_what_nobody_sees_is_not_there_and_what_is_there_twice_is_not_chosen(
    shop: Shop, old: str, new: str, why: str
) -> None:
    shop.site.change = lambda page: page.replace(old, new)
    await shop.publish(seconds=8)
    assert why in await shop.failed()


async def test_a_frame_is_named_where_what_is_looked_for_stands_in_one(shop: Shop) -> None:
    field = "<label>Amount <input name=amount type=number></label>"
    shop.site.more_paths["/inner"] = (200, field, {})
    shop.site.change = lambda page: page.replace(
        '<label>Amount <input name="amount" type="number" step="0.01"></label>', "<iframe src=/inner></iframe>"
    )
    await shop.publish(seconds=8)
    assert await shop.failed() == "`amount` is in a frame of the page, so no button was pressed"


async def test_what_is_read_has_no_characters_that_are_drawn_as_nothing(shop: Shop) -> None:
    unseen = "\u202e\u200b\U000e0041\ufe0f\U000e0101\u115f\u3164\u2800"
    shop.site.change = lambda page: page.replace("EUR 1.50", f"EUR 1{unseen}.50").replace('"paid"', f'"pa{unseen}id"')
    await shop.publish(LOOK, name="look")
    assert await shop.done("look", order=7) == {"state": "paid", "total": 1.5, "paid": True}


async def test_an_argument_that_looks_like_another_is_only_itself(shop: Shop) -> None:
    text = REFUND.replace("max_length: 200, needed: false", "max_length: 200")
    text = text.replace("heading: Refunded", "heading: Refunded, text: 'For {note}'")
    shop.site.after = "<p>For {reason}</p>"
    await shop.publish(text, seconds=8)
    await shop.done(note="{reason}", **GIVEN)


async def test_radio_buttons_are_an_argument_and_a_text_that_is_written_into_the_page_is_one(shop: Shop) -> None:
    how = (
        "<fieldset><legend>{0}</legend><label><input type=radio name={0} value=b> Bank</label>"
        "<label><input type=radio name={0} value=c> Card</label></fieldset>"
    )
    shop.site.more = how.format("Back") + how.format("Fee") + "<div contenteditable aria-label=Story></div>"
    ways = "kind: radio, options: [Bank, Card]"
    fields = f"    back: {{ {ways}, label: Back }}\n    fee: {{ {ways}, label: Fee, needed: false }}\n"
    fields += "    story: { label: Story, kind: text }\n"
    text = REFUND.replace("  submit:", fields + "  submit:")
    await shop.publish(text)
    await shop.done(back="Card", story="one\ntwo", **GIVEN)
    assert (shop.site.refunds[0]["Back"], "Fee" in shop.site.refunds[0]) == ("c", False)


async def test_radio_buttons_in_no_group_are_found_by_their_own_names(shop: Shop) -> None:
    shop.site.more = (
        "<label><input type=radio name=way value=b> Bank</label><label><input type=radio name=way> Card</label>"
    )
    fields = "    way: { kind: radio, options: [Bank, Card] }\n"
    await shop.publish(REFUND.replace("  submit:", fields + "  submit:"))
    await shop.done(way="Bank", **GIVEN)
    assert shop.site.refunds[0]["way"] == "b"
    shop.site.more *= 2
    shop.site.refunds.clear()
    assert await shop.failed(way="Bank", **GIVEN) == "`way` is on the page 2 times, so no button was pressed"


SENDS = "fetch(document.forms[0].action, {method: 'POST', body: new URLSearchParams(new FormData(document.forms[0]))})"
SHOWS = "document.querySelector('h1').textContent = 'Refunded'; history.pushState(0, 0, '/orders/1')"
EARLY = f"""<p data-testid=number>7001</p><p role=status>Amount: EUR 12.5</p><script>
document.forms[0].onsubmit = event => {{
    event.preventDefault(); {SHOWS}; setTimeout(() => {SENDS}.catch(() => 0), 500) }}</script>"""


async def test_a_page_that_looks_done_before_it_has_sent_is_waited_for(shop: Shop) -> None:
    shop.site.end = EARLY
    await shop.publish()
    await shop.done(**GIVEN)
    assert len(shop.site.refunds) == 1
    shop.site.answer = 500
    assert "the page answers 500, after the button was pressed" in await shop.uncertain(**{**GIVEN, "order": 1})


async def test_for_what_a_page_may_always_send_nobody_waits(shop: Shop) -> None:
    shop.site.end = EARLY.replace(
        "event.preventDefault();", "event.preventDefault(); fetch('/poll', {method: 'POST'});"
    )
    await shop.publish(REFUND.replace("  submit:", "  may_post: [/poll]\n  submit:"))
    await shop.done(**GIVEN)
    await shop.publish(seconds=8)
    said = await shop.uncertain(**{**GIVEN, "order": 1})
    assert "it looks as if it had happened, and what the page has sent is not answered" in said


NOTHING_LEFT = [
    # what the page has that keeps it from sending                                          what is said
    ("<input name=more required>", "", "`Refunded` is not on the page"),
    ("", f"<script>document.forms[0].onsubmit = event => {{ event.preventDefault(); {SHOWS} }}</script>",
     "it looks as if it had happened, and the page has sent nothing"),
    ("", "<script>document.forms[0].action = 'https://eve.example/'</script>", "for an address that is not allowed"),
    ("", "<script>document.forms[0].target = '_blank'</script>", "the page opens another window"),
    ("", "<script>document.forms[0].onsubmit = () => confirm('Sure?')</script>", "asks something in a dialog"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "end", "why"), NOTHING_LEFT, ids=["form", "script", "elsewhere", "window", "dialog"])
async def test_a_press_after_which_nothing_has_left_the_page_has_failed(
    shop: Shop, more: str, end: str, why: str
) -> None:
    shop.site.more, shop.site.end = more, end
    await shop.publish(seconds=8)
    said = await shop.failed()
    assert why in said
    assert said.endswith(", and nothing has left the page, though the button was pressed")
    assert shop.site.asked == ["/orders/4711/refund"]


@pytest.mark.parametrize("what", ["node", "chrom"])
async def test_a_browser_or_what_drives_it_may_die_with_a_press_and_the_next_call_has_another(
    world: World, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    needs_a_browser()
    if os.geteuid() == 0:
        monkeypatch.setenv("INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX", "1")
    tools = every_tool()
    shop = Shop(world, site, tmp_path, tools)
    site.slow = threading.Event()
    await shop.publish()

    async def killed() -> None:
        while not site.asked[-1:] == ["POST /orders/4711/refund"]:
            await anyio.sleep(0.02)
        for process in started(what):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    async with anyio.create_task_group() as group:
        group.start_soon(killed)
        assert "after the button was pressed" in await shop.uncertain(**GIVEN)
    site.slow.set()
    site.slow = None
    assert (await shop.done(**{**GIVEN, "order": 4712}))["amount"] == 12.5
    tools.close()


async def test_a_page_that_floods_is_cut_off(shop: Shop) -> None:
    shop.site.more_paths["/flood"] = (200, "x" * 1_000_000, {"Content-Type": "text/javascript"})
    shop.site.end = "<script>for (let n = 0; n < 80; n++) fetch('/flood?' + n)</script>"
    await shop.publish()
    assert await shop.failed() == "the page takes more than 67,108,864 bytes, so no button was pressed"


@pytest.mark.parametrize(
    ("name", "value", "talks"),
    [
        *(("DEBUG", each, True) for each in ("*", "pw:api", "pw*", "http, pw:protocol", "p*", "a pw:*")),
        *(("DEBUG", each, False) for each in ("", "http", "-pw:api,x", "app:*", "pwx*")),
        ("PWDEBUG", "1", True),
    ],
)
async def test_no_browser_is_started_that_would_have_passwords_written_down(
    name: str, value: str, talks: bool, where: str
) -> None:
    settings = BrowserSettings.of({name: value, "INTERLOCK_BROWSER": sys.executable})
    if not talks:
        assert settings.found() == sys.executable
        return
    with pytest.raises(UpstreamFailed) as failed:
        settings.found()
    assert "start without DEBUG and PWDEBUG" in failed.value.fix


KILLED = """
import asyncio, json, sys
from pathlib import Path
from interlock.app import every_tool
from interlock.core.errand import Terms
from tools.functions import an_errand
from tools.pages import GIVEN, REFUND, described
how = described(Path(sys.argv[1]), REFUND, ", timeout: 60s", host=sys.argv[2]).how
tool = every_tool().find("browser:shop.yaml#refund", Terms(how=how))
asyncio.run(tool.perform(an_errand(json.dumps(GIVEN))))
"""


@pytest.mark.parametrize("busy", [False, True], ids=["waits", "busy"])
async def test_a_process_that_is_killed_between_press_and_end_leaves_no_browser(
    site: Site, tmp_path: Path, where: str, busy: bool
) -> None:
    needs_a_browser()
    unsafe = {"INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX": "1"} if os.geteuid() == 0 else {}
    site.slow = threading.Event()
    hangs = "document.querySelector('form').onsubmit = () => { setTimeout(() => { while (true); }, 50) }"
    site.end = f"<script>{hangs}</script>" if busy else ""
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    process = await anyio.open_process(
        [sys.executable, "-c", KILLED, str(tmp_path), site.url()], env={**os.environ, **unsafe, "PYTHONPATH": paths}
    )
    with anyio.fail_after(60):
        while site.asked[-1:] != ["POST /orders/4711/refund"]:
            await anyio.sleep(0.02)
    assert list(started("chrom", process.pid))
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    await process.wait()
    assert await anyio.to_thread.run_sync(lambda: psutil.wait_procs(children, timeout=30)[1]) == []


async def test_two_at_once_share_nothing(browser: Performers, shop: Shop, other: Site, where: str) -> None:
    """Two owners, one browser, one site: neither has what the site has left with the other."""
    shop.site.end = """<p data-testid=mine></p><script>if (!document.cookie && !localStorage.length) {
        document.cookie = 'who=' + location.pathname; localStorage.who = location.pathname; }
        document.querySelector('[data-testid=mine]').textContent = document.cookie + ' ' + localStorage.who</script>"""
    start = REFUND.index("  fields:")
    text = REFUND.replace("refund:", "look:", 1)[: start - 2] + "  read: { mine: { test_id: mine, kind: text } }\n"
    how = described(shop.folder, text, name="look", host=shop.site.url()).how
    found = dict[int, Performed]()

    async def looked(order: int) -> None:
        tool = browser.find("browser:shop.yaml#look", Terms(how=how, owner=f"tenant-{order}"))
        assert tool is not None
        found[order] = await tool.perform(an_errand(json.dumps({"order": order})))

    async with anyio.create_task_group() as group:
        for order in (1, 2, 3):
            group.start_soon(looked, order)
    shown = {order: each.result for order, each in found.items()}
    assert shown == {n: {"mine": f"who=/orders/{n}/refund /orders/{n}/refund"} for n in (1, 2, 3)}


@pytest.mark.parametrize(
    ("how", "secret", "why"),
    [
        ("{ storage_state: true }", '"/etc/passwd"', "the secret is no storage state, so nothing was sent"),
        ("{ storage_state: true }", "[1]", "the secret is no storage state, so nothing was sent"),
        ("{ storage_state: true }", "{", "the secret is no storage state, so nothing was sent"),
        ("{ storage_state: true }", '{"cookies": [{"name": 1}]}', "the browser takes no such context, so nothing was"),
        ("{ header: Authorization }", "Bearer a\nX: b", "the secret is no value of a header, so nothing was sent"),
        ("{ cookie: session }", "a\nb; c", "the secret is no value of a cookie, so nothing was sent"),
    ],
)
async def test_a_secret_that_cannot_log_in_is_said_so_before_anything_is_sent(
    browser: Performers, shop: Shop, how: str, secret: str, why: str
) -> None:
    text = LOOK.replace("  read:", f"  log_in: {how}\n  read:")
    plan = described(shop.folder, text, ", secret: s", name="look", host=shop.site.url()).how
    tool = browser.find("browser:shop.yaml#look", Terms(how=plan))
    assert tool is not None
    with pytest.raises(UpstreamFailed) as failed:
        await tool.perform(replace(an_errand('{"order":1}'), secret=Secret("s", secret)))
    assert why in str(failed.value)
    assert "etc" not in str(failed.value)
    assert shop.site.asked == []
