"""Logging in to pages: the secret goes where the contract says, and is in no result, no failure and no picture."""

from pathlib import Path

import pytest

from interlock.core.outcome import Done, Failed
from interlock.ports import Performers
from interlock.tool.with_secret import ToolsWithSecrets
from tools.drawer import Drawer
from tools.pages import GIVEN, LOOK, REFUND, Shop
from tools.shop_site import PASSWORD, Site
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


async def test_a_password_that_is_not_taken_has_pressed_nothing_else(shop: Shop, drawer: Drawer) -> None:
    shop.site.asks_who, drawer.text = True, "another-password"
    await shop.publish(logging_in(REFUND, FORM), ", secret: robot")
    outcome = await shop.call("refund", **GIVEN)
    assert isinstance(outcome, Failed), outcome
    assert outcome.why == "the page answers 403, so no button was pressed"
    assert await shop.pictures(outcome) == {}
