"""Pictures of a page. What the secret is shown in is covered; a picture that could show it is not taken."""

from collections.abc import AsyncIterator

from playwright.async_api import BrowserContext, Error, FloatRect, Locator, Page

from interlock.core.limits import BROWSER_FIELDS_MAX, PICTURE_BYTES_MAX, PICTURE_HEIGHT_MAX, PICTURE_WIDTH
from interlock.core.picture import Moment, Picture
from interlock.core.secret import Secret
from interlock.redact.scrub import Scrubber, parts_of, scrubber
from interlock.tool.browser_devtools import asked

INPUTS = (
    "input:not([type=hidden i]):not([type=submit i]):not([type=button i]):not([type=reset i]):not([type=image i]),"
    "textarea,select,[contenteditable]:not([contenteditable=false i])"
)
"""What a person could fill in."""


async def picture_of(
    context: BrowserContext, page: Page, moment: Moment, secret: Secret | None, *, seconds: float
) -> Picture | None:
    """Take a picture; nothing where it could show the secret, or would be too large."""
    masks = [frame.locator("input[type=password]") for frame in page.frames]
    if secret is not None:
        shown = await _where_it_shows(page, secret)
        if shown is None:
            return None
        masks += shown
    png = await page.screenshot(
        full_page=True,
        clip=await _clip(context, page),
        mask=masks,
        mask_color="#000000",
        animations="disabled",
        timeout=seconds * 1_000,
    )
    return Picture(moment=moment, png=png) if len(png) <= PICTURE_BYTES_MAX else None


async def _clip(context: BrowserContext, page: Page) -> FloatRect:
    """Say how much of the page is in the picture. The browser is asked for it, and not the page."""
    session = await context.new_cdp_session(page)
    height = (await asked(session, "Page.getLayoutMetrics"))["cssContentSize"]["height"]
    await session.detach()
    return {"x": 0, "y": 0, "width": PICTURE_WIDTH, "height": min(max(height, 1), PICTURE_HEIGHT_MAX)}


async def _where_it_shows(page: Page, secret: Secret) -> list[Locator] | None:
    """Find what shows the secret; nothing where it is shown in a way that cannot be covered."""
    scrub, found = scrubber(secret.name, secret.hidden), list[Locator]()
    for frame in page.frames:
        try:
            said = await frame.locator("body").inner_text()
            texts = [frame.get_by_text(part) for text in secret.hidden for part in parts_of(text)]
            shown = [text for text in texts if await text.count()]
        except Error:
            return None  # it is about to go elsewhere
        if scrub.text(said) != said and not shown:
            return None
        # The feet of its letters may stand out of an element that is part of a line, and not out of the line.
        found += [each for text in shown for each in (text, text.locator("xpath=.."))]
        found += [each async for each in _inputs(frame.locator(INPUTS), scrub)]
    return found


async def _inputs(inputs: Locator, scrub: Scrubber) -> AsyncIterator[Locator]:
    for place in range(min(await inputs.count(), BROWSER_FIELDS_MAX)):
        each = inputs.nth(place)
        try:
            value = await each.input_value()
        except Error:
            continue
        if scrub.text(value) != value:
            yield each
