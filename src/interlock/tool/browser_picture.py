"""Pictures of a page. What the secret is shown in is covered; a picture that could show it is not taken."""

import re
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
        shown = await _where_it_shows(context, page, secret)
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


async def _where_it_shows(context: BrowserContext, page: Page, secret: Secret) -> list[Locator] | None:
    """Find what shows the secret; nothing where it is shown in a way that cannot be covered."""
    scrub, found = scrubber(secret.name, secret.hidden), list[Locator]()
    parts = [part for text in secret.hidden for part in parts_of(text)]
    as_it_is = re.compile("|".join(map(re.escape, parts)) or "(?!)", re.IGNORECASE)
    covered = 0
    for frame in page.frames:
        try:
            said = await frame.locator("body").inner_text()
            texts = [
                way(part)
                for part in parts
                for way in (frame.get_by_text, frame.get_by_placeholder, frame.get_by_alt_text)
            ]
            shown = [text for text in texts if await text.count()]
        except Error:
            return None  # it is about to go elsewhere
        left = as_it_is.sub(" ", said)
        if scrub.text(left) != left:
            return None
        # The feet of its letters may stand out of an element that is part of a line, and not out of the line.
        found += [each for text in shown for each in (text, text.locator("xpath=.."))]
        inputs = [each async for each in _inputs(frame.locator(INPUTS), scrub)]
        found += inputs
        covered += _met(scrub, said) + len(inputs)
    # What is drawn and is no text of the page that can be found there: of a style, of a field that is empty, of a part
    # that a script keeps to itself.
    return found if _met(scrub, await _drawn(context, page)) <= covered else None


async def _drawn(context: BrowserContext, page: Page) -> str:
    """Return every text that the browser draws, as it draws it."""
    session = await context.new_cdp_session(page)
    seen = await asked(session, "DOMSnapshot.captureSnapshot", {"computedStyles": []})
    await session.detach()
    texts = [seen["strings"][at] for each in seen["documents"] for at in each["layout"]["text"] if at >= 0]
    return "".join(texts)


def _met(scrub: Scrubber, text: str) -> int:
    """Count how often the secret stands in a text."""
    return scrub.text(text).count(scrub.mark) - text.count(scrub.mark)


async def _inputs(inputs: Locator, scrub: Scrubber) -> AsyncIterator[Locator]:
    for place in range(min(await inputs.count(), BROWSER_FIELDS_MAX)):
        each = inputs.nth(place)
        try:
            value = await each.input_value()
        except Error:
            continue
        if scrub.text(value) != value:
            yield each
