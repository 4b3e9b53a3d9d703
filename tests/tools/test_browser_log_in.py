"""Logging in to pages: the secret goes where the contract says, and is in no result, no failure and no picture."""

import json
from pathlib import Path

import pytest

from interlock.core.outcome import Done, Failed
from interlock.ports import Performers
from interlock.tool.with_secret import ToolsWithSecrets
from tools.drawer import Drawer
from tools.pages import GIVEN, LOOK, REFUND, Shop
from tools.shop_site import LOG_IN, PASSWORD, Site
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.parametrize("where", ["sqlite"], indirect=True)]
FORM = """log_in: { open: /login, user: { label: User, is: robot }, password: Password, submit: Log in,
    then: { url: /orders/* } }"""


@pytest.fixture
def drawer() -> Drawer:
    found = Drawer()
    found.text = PASSWORD
    return found


@pytest.fixture
def shop(world: World, site: Site, tmp_path: Path, browser: Performers, drawer: Drawer) -> Shop:
    return Shop(world, site, tmp_path, ToolsWithSecrets(browser, drawer))


def logging_in(text: str, how: str) -> str:
    return text.replace("  read:", f"  {how}\n  read:")


@pytest.mark.parametrize(
    ("how", "secret", "header", "sent"),
    [
        ("log_in: { header: Authorization, scheme: Bearer }", PASSWORD, "Authorization", f"Bearer {PASSWORD}"),
        ("log_in: { cookie: session }", "s3ss-s3ss-s3ss", "Cookie", "session=s3ss-s3ss-s3ss"),
    ],
)
async def test_a_secret_goes_along_where_the_contract_says(
    shop: Shop, drawer: Drawer, other: Site, how: str, secret: str, header: str, sent: str
) -> None:
    drawer.text, shop.site.end = secret, f"<img src={other.url('/x.png')}>"
    await shop.publish(logging_in(LOOK, how), ", secret: robot", name="look")
    assert (await shop.done("look", order=1))["state"] == "paid"
    assert {head.get(header) for head in shop.site.heads} == {sent}
    assert other.asked == []


async def test_a_password_that_a_page_shows_is_in_no_result_and_no_picture(shop: Shop, drawer: Drawer) -> None:
    pictures: list[dict[str, bytes]] = []
    shop.site.asks_who = True
    text = logging_in(REFUND, FORM).replace("{ test_id: number, kind: integer }", "{ test_id: who, kind: text }")
    for password in (PASSWORD, "battery-horse-correct"):
        drawer.text = shop.site.password = password
        shop.site.refunds.clear()
        shop.site.shows = f"<p>You are <b data-testid=who>{password}</b></p><label>Key <input value={password}></label>"
        shop.site.shows += f"<input placeholder={password}><img alt={password} src=/none width=200 height=20>"
        shop.site.after = shop.site.shows
        await shop.publish(text.replace("  submit: Refund", "  leave: [Key]\n  submit: Refund"), ", secret: robot")
        outcome = await shop.call("refund", **GIVEN, note=password[:3])
        assert isinstance(outcome, Done), outcome
        assert outcome.result == {"number": "[secret robot]", "amount": 12.5}
        pictures.append(await shop.pictures(outcome))
    # Whatever the password is, the page after it looks the same.
    assert pictures[0]["after"] == pictures[1]["after"]


async def test_a_secret_that_cannot_be_covered_keeps_the_button_from_being_pressed(shop: Shop) -> None:
    shop.site.asks_who, shop.site.shows = True, f"<p>{PASSWORD[::-1]}</p>"
    await shop.publish(logging_in(REFUND, FORM), ", secret: robot")
    outcome = await shop.call("refund", **GIVEN)
    assert isinstance(outcome, Failed), outcome
    assert "there is no picture of the page" in outcome.why
    assert (await shop.pictures(outcome), shop.site.refunds) == ({}, [])


DRAWN = [
    f"<style>p::after {{ content: '{PASSWORD}' }}</style><p></p>",
    "<x-x></x-x><script>customElements.define('x-x', class extends HTMLElement { connectedCallback() {"
    f"this.attachShadow({{mode: 'closed'}}).innerHTML = '<b>{PASSWORD}</b>' }} }})</script>",
    f"<p>{PASSWORD}</p><p>{PASSWORD[::-1]}</p>",
]


@pytest.mark.parametrize("drawn", DRAWN, ids=["style", "shadow", "twice"])
async def test_a_secret_that_is_drawn_where_it_cannot_be_covered_is_in_no_picture(shop: Shop, drawn: str) -> None:
    shop.site.asks_who, shop.site.shows = True, f"<p>You are {PASSWORD}</p>{drawn}"
    await shop.publish(logging_in(LOOK, FORM), ", secret: robot", name="look")
    outcome = await shop.call("look", order=1)
    assert isinstance(outcome, Done), outcome
    assert await shop.pictures(outcome) == {}


async def test_a_password_is_typed_where_the_contract_says_and_nowhere_else(shop: Shop, other: Site) -> None:
    other.more_paths["/login"] = (200, LOG_IN, {})
    shop.site.asks_who = True
    shop.site.more_paths["/login"] = (302, "", {"Location": other.url("/login")})
    text = logging_in(LOOK, FORM).replace("allow: [/*]", f"allow: [/*, '{other.url('/*')}']")
    hosts = f'"{other.url()}": {{ private: true }}'
    await shop.publish(text, ", secret: robot", name="look", hosts=hosts)
    assert await shop.failed("look", order=1) == "the page to log in leads to another one, which gets no password"
    assert [asked for asked in other.asked if asked.startswith("POST")] == []
    allowing = text.replace("open: /login,", f"open: /login, url: '{other.url('/login')}',")
    await shop.publish(allowing, ", secret: robot", name="look", hosts=hosts)
    await shop.call("look", order=2)
    assert [asked for asked in other.asked if asked.startswith("POST")] == ["POST /login"]


@pytest.mark.parametrize("session", ["s3ss", "ended-ended"])
async def test_a_session_is_taken_along_and_one_that_has_ended_is_no_login(
    shop: Shop, drawer: Drawer, session: str
) -> None:
    shop.site.asks_who = True
    cookie = {"name": "session", "value": session, "domain": "127.0.0.1", "path": "/"}
    drawer.text = json.dumps({"cookies": [cookie], "origins": []})
    await shop.publish(logging_in(LOOK, "log_in: { storage_state: true }"), ", secret: robot", name="look", seconds=8)
    if session == "s3ss":
        assert (await shop.done("look", order=1))["state"] == "paid"
        assert shop.site.asked == ["/orders/1"]
    else:
        assert await shop.failed("look", order=1) == "the heading `Order {order}` is not on the page"


async def test_a_password_that_is_not_taken_has_pressed_nothing_else(shop: Shop, drawer: Drawer) -> None:
    shop.site.asks_who, drawer.text = True, "another-password"
    await shop.publish(logging_in(REFUND, FORM), ", secret: robot")
    outcome = await shop.call("refund", **GIVEN)
    assert isinstance(outcome, Failed), outcome
    assert outcome.why == "the page answers 403, so no button was pressed"
    assert await shop.pictures(outcome) == {}
