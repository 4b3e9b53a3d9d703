"""Pages over TLS, where nobody but the browser sees what is sent: what a hostile one tries before the button."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from ssl import SSLContext

import pytest

from interlock.app import every_tool
from interlock.ports import Performers
from interlock.tool.with_secret import ToolsWithSecrets
from tools.drawer import Drawer
from tools.pages import GIVEN, LOOK, REFUND, Shop, needs_a_browser
from tools.shop_site import Site, shop_site
from tools.tls import a_certificate, needs_certutil, trust
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.parametrize("where", ["sqlite"], indirect=True)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Generator[SSLContext]:
    """A certificate, and a home in which a browser trusts its authority."""
    needs_a_browser()
    needs_certutil()
    home = tmp_path_factory.mktemp("home")
    certificate = a_certificate(home)
    trust(home, home / "authority.pem")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        if os.geteuid() == 0:
            patch.setenv("INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX", "1")
        yield certificate


@pytest.fixture(scope="module")
def trusting(certificate: SSLContext) -> Generator[Performers]:
    tools = every_tool()
    yield tools
    tools.close()


@pytest.fixture
def site(certificate: SSLContext) -> Generator[Site]:
    with shop_site(certificate) as found:
        yield found


@pytest.fixture
def other(certificate: SSLContext) -> Generator[Site]:
    with shop_site(certificate) as found:
        yield found


@pytest.fixture
def shop(world: World, site: Site, tmp_path: Path, trusting: Performers) -> Shop:
    return Shop(world, site, tmp_path, trusting)


async def test_a_form_is_sent_over_tls_to_a_host_whose_authority_the_browser_trusts(shop: Shop) -> None:
    await shop.publish()
    assert (await shop.done(**GIVEN))["number"] == 7001
    assert shop.site.asked == ["/orders/4711/refund", "POST /orders/4711/refund"]


async def test_a_host_whose_authority_nobody_trusts_is_not_talked_to(shop: Shop, browser: Performers) -> None:
    shop.tools = browser  # with the home of whoever runs the tests
    await shop.publish()
    assert "the page cannot be opened" in await shop.failed()
    assert shop.site.asked == []


async def test_a_session_over_tls_has_its_secure_cookie_and_what_was_stored(shop: Shop, trusting: Performers) -> None:
    drawer, host = Drawer(), shop.site.url()
    cookie = {"name": "session", "value": "s3ss", "domain": "127.0.0.1", "path": "/", "secure": True, "httpOnly": True}
    stored = [{"origin": host, "localStorage": [{"name": "who", "value": "robot-7-of-shop"}]}]
    drawer.text = json.dumps({"cookies": [cookie], "origins": stored})
    shop.tools = ToolsWithSecrets(trusting, drawer)
    shop.site.asks_who = True
    shop.site.shows = "<p data-testid=who></p><script>document.querySelector('p[data-testid=who]').textContent ="
    shop.site.shows += " localStorage.who.slice(0, 7)</script>"
    text = LOOK.replace("  read:", "  log_in: { storage_state: true }\n  read:\n    who: { test_id: who, kind: text }")
    await shop.publish(text, ", secret: robot", name="look")
    assert (await shop.done("look", order=1))["who"] == "robot-7"
    assert shop.site.asked == ["/orders/1"]


QUIET = [
    "try { new WebSocketStream(ws + '/orders/ws').opened.catch(() => 0) } catch {}",
    "new WebSocket(ws + '/orders/ws')",
    "new Worker(URL.createObjectURL(new Blob(["
    "'try { new WebSocketStream(\"' + ws + '/orders/ws\").opened.catch(() => 0) } catch {}'])))",
    "ServiceWorkerContainer.prototype.register.call(navigator.serviceWorker, '/orders/worker.js').catch(() => 0)",
    "if (self.fetchLater) fetchLater('/orders/later', {method: 'POST', body: 'x', activateAfter: 0})",
]


@pytest.mark.parametrize("script", QUIET, ids=[each[:30] for each in QUIET])
async def test_what_no_request_is_made_of_leaves_neither(shop: Shop, script: str) -> None:
    shop.site.end = f"<script>const ws = location.origin.replace('http', 'ws'); {script}</script>"
    await shop.publish()
    await shop.done(**GIVEN)
    assert shop.site.asked == ["/orders/4711/refund", "POST /orders/4711/refund"]


WINDOWS = [
    "open('/orders/leads')",
    "open('/orders/leads', '_blank', 'noopener')",
    "open(URL.createObjectURL(new Blob(["
    "`<script>fetch('${location.origin}/orders/1/refund', {method: 'POST', body: 'a=1'});"
    "fetch('${location.origin}/admin')</` + 'script>'], {type: 'text/html'})))",
]


@pytest.mark.parametrize("script", WINDOWS, ids=["redirect", "no opener", "own page"])
async def test_nothing_of_another_window_leaves(shop: Shop, script: str) -> None:
    shop.site.end = f"<script>{script}</script>"
    shop.site.more_paths["/orders/leads"] = (302, "", {"Location": "/admin"})
    await shop.publish(REFUND.replace("allow: [/*]", "allow: [/orders/*]"))
    assert "opens another window" in await shop.failed()
    assert shop.site.asked == ["/orders/4711/refund"]


@pytest.mark.parametrize(
    "how", ["<iframe src=/orders/leads></iframe>", "<iframe sandbox src=/orders/leads></iframe>", "worker"]
)
async def test_a_redirect_in_a_frame_or_a_worker_stays_on_the_paths(shop: Shop, how: str) -> None:
    worker = "fetch('${location.origin}/orders/leads').catch(() => 0)"
    code = f"<script>new Worker(URL.createObjectURL(new Blob([`{worker}`])))</script>"
    shop.site.end = code if how == "worker" else how
    shop.site.more_paths["/orders/leads"] = (302, "", {"Location": "/admin"})
    await shop.publish(REFUND.replace("allow: [/*]", "allow: [/orders/*]"))
    assert "asks for an address that is not allowed" in await shop.failed()
    assert "/admin" not in shop.site.asked


async def test_bytes_that_left_with_a_press_that_failed_leave_it_uncertain(shop: Shop) -> None:
    # A socket in a worker is no request that anybody sees; that something has left, the way out knows.
    shop.site.end = """<script>const worker = new Worker(URL.createObjectURL(new Blob([
        "onmessage = () => new WebSocket('" + location.origin.replace('http', 'ws') + "/orders/ws')"])));
    document.querySelector('form button').onclick = event => {
        worker.postMessage(1); event.preventDefault(); const until = Date.now() + 5000; while (Date.now() < until);
    }</script>"""
    await shop.publish()
    assert "after the button was pressed" in await shop.uncertain(**GIVEN)
    assert shop.site.asked == ["/orders/4711/refund", "WS /orders/ws"]
