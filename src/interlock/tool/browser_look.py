"""Looking at a page: whether what is expected stands there, what fields show, what is to be read."""

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from playwright.async_api import Error, Locator, Page
from playwright.async_api import TimeoutError as Late

from interlock.core.canonical import Json
from interlock.core.limits import BROWSER_FIELDS_MAX, SAFE_INTEGER
from interlock.core.reason import Reason
from interlock.tool.browser_gate import Unexpected
from interlock.tool.browser_picture import INPUTS
from interlock.tool.browser_plan import BrowserPlan, Field, Seen, Spot, Value, as_shown, filled

_PAUSE_SECONDS = 0.05  # between two looks at where a page is
_FILLED_IN = frozenset({"textbox", "searchbox", "spinbutton", "combobox", "listbox"})
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")


def place(page: Page, spot: Spot) -> Locator:
    """Return what a person sees of an element."""
    if spot.label:
        found = labelled(page, spot.label)
    elif spot.role:
        named = {"name": spot.name, "exact": True} if spot.name else {}
        found = page.get_by_role(spot.role, **named)  # pyright: ignore[reportArgumentType]
    else:
        found = page.get_by_test_id(spot.test_id)
    return found.filter(visible=True)


def labelled(page: Page, label: str) -> Locator:
    """Return what has a label."""
    # The text of a label around a list is taken with all that the list offers; its accessible name is not.
    lists = (page.get_by_role("combobox", name=label, exact=True), page.get_by_role("listbox", name=label, exact=True))
    return page.get_by_label(label, exact=True).or_(lists[0]).or_(lists[1])


async def the_one(found: Locator, what: str, *, seconds: float) -> Locator:
    """Wait until it stands there, and see that it does so once.

    Raises:
        Unexpected: it does not stand there, or twice.
    """
    try:
        await found.first.wait_for(state="visible", timeout=seconds * 1_000)
    except Late:
        raise Unexpected(f"{what} is not on the page", fix=_RENAMED, reason=Reason.MISSING_CONTEXT) from None
    count = await found.count()
    if count != 1:
        raise Unexpected(f"{what} is on the page {count} times", fix=_RENAMED, reason=Reason.AMBIGUOUS)
    return found


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


async def expected(page: Page, seen: Seen, arguments: Mapping[str, Json], *, seconds: float) -> None:
    """Wait until a page looks as expected.

    Raises:
        Unexpected: it does not in time.
    """
    until = asyncio.get_running_loop().time() + seconds
    while not _is_at(page, seen):
        if asyncio.get_running_loop().time() > until:
            raise Unexpected("the page is at another address than expected", fix=_RENAMED)
        await asyncio.sleep(_PAUSE_SECONDS)
    for what, found in texts_of(page, seen, arguments).items():
        left = max(0.001, until - asyncio.get_running_loop().time())
        try:
            await found.first.wait_for(state="visible", timeout=left * 1_000)
        except Late:
            raise Unexpected(f"{what} is not on the page", fix=_RENAMED, reason=Reason.MISSING_CONTEXT) from None
    if not await looks(page, seen, arguments):
        raise Unexpected("the page changes while it is looked at", fix=_RENAMED, reason=Reason.AMBIGUOUS)


async def looks(page: Page, seen: Seen, arguments: Mapping[str, Json]) -> bool:
    """Whether a page looks so at this moment."""
    if not _is_at(page, seen):
        return False
    return all([await found.count() > 0 for found in texts_of(page, seen, arguments).values()])


def _is_at(page: Page, seen: Seen) -> bool:
    return not seen.urls or any(each.has(page.url) for each in seen.urls)


async def put_in(field: Field, found: Locator, value: Json, *, seconds: float) -> None:
    """Put an argument into its field.

    Raises:
        Unexpected: the field does not take it.
    """
    try:
        match field.kind:
            case "checkbox":
                await found.set_checked(value is True, timeout=seconds * 1_000)
            case "select":
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
            case "checkbox":
                return await found.is_checked() is (value is True)
            case "select":
                chosen = found.locator("option:checked")
                return await chosen.count() == 1 and _tidy(await chosen.inner_text()) == _tidy(as_shown(value))
            case "number":
                return Decimal(await found.input_value()) == Decimal(as_shown(value))
            case _:
                return _lines(await found.input_value()) == _lines(as_shown(value))
    except (Error, InvalidOperation):
        return False


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
    found = place(page, value.spot)
    if not value.needed and not await found.count():
        return None
    found = await the_one(found, f"`{value.name}`", seconds=seconds)
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
    text = "".join(char for char in written if char.isprintable() or char in "\n\t").strip()
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
