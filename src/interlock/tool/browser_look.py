"""Looking at a page: whether what is expected stands there, what fields show, what is to be read."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation

from playwright.async_api import Error, Frame, Locator, Page
from playwright.async_api import TimeoutError as Late

from interlock.core.canonical import Json
from interlock.core.limits import BROWSER_FIELDS_MAX, SAFE_INTEGER
from interlock.core.reason import Reason
from interlock.core.wording import UNSEEN
from interlock.tool.browser_gate import Unexpected
from interlock.tool.browser_picture import INPUTS
from interlock.tool.browser_plan import BrowserPlan, Field, Seen, Spot, Value, as_shown, filled

_PAUSE_SECONDS = 0.05  # between two looks at where a page is
_FILLED_IN = frozenset({"textbox", "searchbox", "spinbutton", "combobox", "listbox"})
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")


_ARE_SEEN = """found => found.some(each => {
  const box = each.getBoundingClientRect();
  const seen = {opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true};
  return each.checkVisibility(seen) && box.right + scrollX > 0 && box.bottom + scrollY > 0;
})"""
"""Whether one of these is drawn: not transparent, and not beside the page, where a picture has nothing of it."""


def place(page: Page | Frame, spot: Spot) -> Locator:
    """Return what a person sees of an element."""
    if spot.label:
        found = labelled(page, spot.label)
    elif spot.role:
        named = {"name": spot.name, "exact": True} if spot.name else {}
        root = _group(page, spot.within) if spot.within else page
        found = root.get_by_role(spot.role, **named)  # pyright: ignore[reportArgumentType]
    else:
        found = page.get_by_test_id(spot.test_id)
    return found.filter(visible=True)


def spot_of(field: Field, value: Json) -> Spot:
    """Say where a field is; of radio buttons, the one that is to be chosen."""
    return Spot(role="radio", name=as_shown(value), within=field.spot.label) if field.kind == "radio" else field.spot


def labelled(page: Page | Frame, label: str) -> Locator:
    """Return what has a label."""
    # The text of a label around a list is taken with all that the list offers; its accessible name is not.
    lists = (page.get_by_role("combobox", name=label, exact=True), page.get_by_role("listbox", name=label, exact=True))
    return page.get_by_label(label, exact=True).or_(lists[0]).or_(lists[1])


def _group(page: Page | Frame, name: str) -> Locator:
    """Return what holds buttons of which one is chosen."""
    return page.get_by_role("radiogroup", name=name, exact=True).or_(page.get_by_role("group", name=name, exact=True))


async def the_one(page: Page, spot: Spot, what: str, *, seconds: float) -> Locator:
    """Wait until it stands there, and see that it does so once.

    Raises:
        Unexpected: it does not stand there, or twice.
    """
    found = place(page, spot)
    try:
        await found.first.wait_for(state="visible", timeout=seconds * 1_000)
    except Late:
        if await _is_in_a_frame(page, spot):
            fix = "if the frame can be opened by itself, write its address in `open`"
            raise Unexpected(f"{what} is in a frame of the page", fix=fix, reason=Reason.MISSING_CONTEXT) from None
        raise Unexpected(f"{what} is not on the page", fix=_RENAMED, reason=Reason.MISSING_CONTEXT) from None
    count = await found.count()
    if count != 1:
        raise Unexpected(f"{what} is on the page {count} times", fix=_RENAMED, reason=Reason.AMBIGUOUS)
    return found


async def _is_in_a_frame(page: Page, spot: Spot) -> bool:
    with suppress(Error):
        return any([await place(frame, spot).count() for frame in page.frames if frame.parent_frame is not None])
    return False  # a frame has gone meanwhile


def texts_of(page: Page, seen: Seen, arguments: Mapping[str, Json]) -> Mapping[str, Locator]:
    """Return what has to be seen, by how the contract writes it: no argument is repeated in what is said of it."""
    found = {
        f"the text `{text}`": page.get_by_text(filled(text, arguments), exact=True).filter(visible=True)
        for text in seen.texts
    }
    if seen.heading:
        name = filled(seen.heading, arguments)
        heading = page.get_by_role("heading", name=name, exact=True).filter(visible=True)
        found[f"the heading `{seen.heading}`"] = heading
    return found


async def expected(page: Page, seen: Seen, arguments: Mapping[str, Json], *, until: float) -> None:
    """Wait until a page looks as expected, at most `until` then on the clock of the loop.

    Raises:
        Unexpected: it does not in time.
    """
    while (missing := await _missing(page, seen, arguments)) is not None:
        if asyncio.get_running_loop().time() > until:
            raise missing
        await asyncio.sleep(_PAUSE_SECONDS)


async def looks(page: Page, seen: Seen, arguments: Mapping[str, Json]) -> bool:
    """Whether a page looks so at this moment."""
    return await _missing(page, seen, arguments) is None


async def _missing(page: Page, seen: Seen, arguments: Mapping[str, Json]) -> Unexpected | None:
    """Say what of it is not as expected at this moment, if anything is not."""
    if not _is_at(page, seen):
        return Unexpected("the page is at another address than expected", fix=_RENAMED)
    try:
        for what, found in texts_of(page, seen, arguments).items():
            if not await found.evaluate_all(_ARE_SEEN):
                return Unexpected(f"{what} is not on the page", fix=_RENAMED, reason=Reason.MISSING_CONTEXT)
    except Error:  # it goes elsewhere at this moment
        return Unexpected("the page changes while it is looked at", fix=_RENAMED, reason=Reason.AMBIGUOUS)
    return None


def _is_at(page: Page, seen: Seen) -> bool:
    return not seen.urls or any(each.has(page.url) for each in seen.urls)


async def put_in(field: Field, found: Locator, value: Json, *, seconds: float) -> None:
    """Put an argument into its field.

    Raises:
        Unexpected: the field does not take it.
    """
    try:
        match field.kind:
            case "radio":
                await found.check(timeout=seconds * 1_000)
            case "checkbox":
                await found.set_checked(value is True, timeout=seconds * 1_000)
            case "select":
                offered = [_tidy(text) for text in await found.locator("option").all_inner_texts()]
                if offered.count(_tidy(as_shown(value))) > 1:
                    what = f"the field `{field.argument}` offers what is to be chosen more than once"
                    raise Unexpected(what, fix=_RENAMED, reason=Reason.AMBIGUOUS)
                await found.select_option(label=as_shown(value), timeout=seconds * 1_000)
            case _:
                await found.fill(as_shown(value), timeout=seconds * 1_000)
    except Error:
        what = f"the field `{field.argument}` does not take what is put into it"
        raise Unexpected(what, fix=f"look whether it is a field of the kind `{field.kind}`") from None


async def shows(field: Field, found: Locator, value: Json) -> bool:
    """Whether a field shows what was put into it."""
    try:
        match field.kind:
            case "radio":
                return await found.is_checked()
            case "checkbox":
                return await found.is_checked() is (value is True)
            case "select":
                chosen = found.locator("option:checked")
                return await chosen.count() == 1 and _tidy(await chosen.inner_text()) == _tidy(as_shown(value))
            case "number":
                return Decimal(await found.input_value()) == Decimal(as_shown(value))
            case _:
                return _lines(await _written(found)) == _lines(as_shown(value))
    except (Error, InvalidOperation):
        return False


async def _written(found: Locator) -> str:
    """Return what is written in a field, or in a part of the page that can be written in."""
    try:
        return await found.input_value()
    except Error:
        return (await found.inner_text()).removesuffix("\n")


async def filled_by_itself(page: Page, plan: BrowserPlan, ours: list[Locator]) -> bool:
    """Whether a field holds something that nobody put into it, and that the contract does not leave to the page.

    Raises:
        Unexpected: there are too many to look at.
    """
    known = page.locator("interlock-none")
    for each in (*ours, *(labelled(page, label) for label in plan.leave)):
        known = known.or_(each)
    inputs = page.locator(INPUTS).filter(visible=True)
    count = await inputs.count()
    if count > BROWSER_FIELDS_MAX:
        raise Unexpected(f"the page has more than {BROWSER_FIELDS_MAX} fields", fix="name another page")
    each = [inputs.nth(at) for at in range(count)]
    ours_too = await asyncio.gather(*(one.and_(known).count() for one in each))
    theirs = [one for one, count in zip(each, ours_too, strict=True) if not count]
    return any(await asyncio.gather(*(_is_filled(one) for one in theirs)))


async def _is_filled(each: Locator) -> bool:
    kind = (await each.get_attribute("type") or "").lower()
    if kind in ("checkbox", "radio"):
        return await each.is_checked()
    try:
        return await each.input_value() != ""
    except Error:
        return bool((await each.inner_text()).strip())


async def read(page: Page, value: Value, *, seconds: float) -> Json:
    """Read a value, as the type that it has in the contract.

    Raises:
        Unexpected: it is not there, twice, or of another type.
    """
    if not value.needed and not await place(page, value.spot).count():
        return None
    found = await the_one(page, value.spot, f"`{value.name}`", seconds=seconds)
    try:
        text = await _text(found, value)
    except Error:
        raise Unexpected(f"`{value.name}` cannot be read", fix=_RENAMED) from None
    known = _typed(value, text)
    if known is None:
        raise Unexpected(f"`{value.name}` is not of the kind `{value.kind}`", fix=_RENAMED)
    return known


async def _text(found: Locator, value: Value) -> str:
    if value.spot.role in ("checkbox", "switch"):
        return "true" if await found.is_checked() else "false"
    if value.spot.label and value.kind == "boolean":
        return "true" if await found.is_checked() else "false"
    if value.spot.label or value.spot.role in _FILLED_IN:
        try:
            return await found.input_value()
        except Error:
            return await found.inner_text()  # what is labelled need not be a field
    return await found.inner_text()


def _typed(value: Value, written: str) -> Json:
    shown = "".join(char for char in written if char.isprintable() or char in "\n\t")
    text = UNSEEN.sub("", shown).strip()
    if len(text) > value.chars_max:
        return None
    if value.pattern:
        met = re.fullmatch(value.pattern, text)
        if met is None:
            return None
        text = (met[1] or "") if met.re.groups else text
    match value.kind:
        case "text":
            return text
        case "boolean":
            return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower())
        case "integer":
            known = int(text) if _NUMBER.fullmatch(text) and "." not in text else None
            return known if known is not None and abs(known) <= SAFE_INTEGER else None
        case "number":
            return float(text) if _NUMBER.fullmatch(text) else None


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


_RENAMED = "look at the page: if it was changed, change the file too, and publish the contract again"
