"""What a page may ask for, and what it does that nobody expected. The first such thing ends the action."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import (
    BrowserContext,
    CDPSession,
    Dialog,
    Download,
    Error,
    Page,
    Request,
    Response,
    Route,
)

from interlock.contract.hosts import origin_of
from interlock.core.limits import BROWSER_BYTES_MAX, BROWSER_REQUESTS_MAX, SAID_CHARS_MAX
from interlock.core.reason import Reason
from interlock.tool.browser_devtools import asked, hears
from interlock.tool.browser_plan import Addresses, BrowserPlan

_ONLYLOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
_WAITED_FOR = frozenset({"xhr", "fetch"})
_MATTERS = frozenset({"document", "script", "stylesheet", "xhr", "fetch", "eventsource", "websocket"})
"""What a page may need. Without pictures, fonts, and what it tells others of its visitors, it is the same page."""


class Unexpected(Exception):
    """Something that the contract does not say about a page."""

    def __init__(self, what: str, *, fix: str, reason: Reason = Reason.TOOL_ERROR, said: str = "") -> None:
        super().__init__(what)
        self.fix = fix
        self.reason = reason
        self.said = said[:SAID_CHARS_MAX]
        """Which address it was about, without its query."""


@dataclass(kw_only=True)  # Playwright puts attributes of its own onto whoever handles a route
class Gate:
    """Stands between one context of a browser and the world."""

    plan: BrowserPlan
    sends: bool = False
    """Whether pages may send something: once a button was pressed, and not before."""
    trouble: Unexpected | None = None
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first trouble."""
    blocked: list[str] = field(default_factory=list[str])
    """Origins that were asked for and are not allowed."""
    shut: bool = False
    """Whether nothing leaves any more."""
    left: int = 0
    """How many requests have left since pages may send."""
    unanswered: set[Request] = field(default_factory=set[Request])
    """What the page has sent since then, and waits for itself."""
    _requests: int = 0
    _page: Page | None = None

    async def guard(self, context: BrowserContext) -> Page:
        """Stand before a context, and open its one page."""
        await context.route("**/*", self._route)
        await context.route_web_socket("**/*", lambda socket: socket.close())
        page = self._page = await context.new_page()
        await self._guard_redirects(await context.new_cdp_session(page))
        context.on("page", self._another_page)
        context.on("dialog", self._dialog)
        context.on("weberror", lambda _: self._script_error())
        context.on("response", self._response)
        context.on("requestfailed", self._failed)
        page.on("download", self._download)
        page.on("crash", lambda _: self._stir(Unexpected("the page has crashed", fix=LOOK)))
        return page

    def may(self, method: str, url: str) -> bool:
        """Whether a page may send something to an address by now."""
        return not self.shut and (method in _ONLYLOOKS or self.sends or _among(self.plan.may_post, url))

    def refused(self, origin: str) -> None:
        """Take note of what the proxy did not connect to. By itself it is nothing that a page needs."""
        if len(self.blocked) < _NAMED_MAX:
            self.blocked.append(origin)

    def flooded(self) -> None:
        """Take note that more has come in than a page may have."""
        self._stir(Unexpected(f"the page takes more than {BROWSER_BYTES_MAX:,} bytes", fix=LOOK))

    def check(self) -> None:
        """Stop at what has happened meanwhile.

        Raises:
            Unexpected: something has.
        """
        if self.trouble is not None:
            raise self.trouble

    def _stir(self, trouble: Unexpected) -> None:
        if self.trouble is None:
            self.trouble = trouble
            self.stirred.set()

    async def _route(self, route: Route, request: Request) -> None:
        if self._is_ours(request):
            trouble = self._against(request.url, request.method)
        else:
            trouble = Unexpected("the page opens another window", fix=LOOK)
        # A page that was closed meanwhile asks for nothing any more.
        with suppress(Error):
            if trouble is None:
                if self.sends and self._is_waited_for(request):
                    self.unanswered.add(request)
                await route.continue_()
                return
            if request.resource_type in _MATTERS and not _among(self.plan.lost, request.url):
                self._stir(trouble)
            await route.abort("blockedbyclient")

    async def _guard_redirects(self, session: CDPSession) -> None:
        """Look at what a page is led to as well: of that a route hears nothing."""

        async def paused(event: Mapping[str, Any]) -> None:
            url, method, id = str(event["request"]["url"]), str(event["request"]["method"]), event["requestId"]
            trouble = self._against(url, method) if "redirectedRequestId" in event else None
            with suppress(Error):
                if trouble is None:
                    await asked(session, "Fetch.continueRequest", {"requestId": id})
                    return
                if event.get("resourceType", "").lower() in _MATTERS and not _among(self.plan.lost, url):
                    self._stir(trouble)
                await asked(session, "Fetch.failRequest", {"requestId": id, "errorReason": "BlockedByClient"})

        hears(session, "Fetch.requestPaused", paused)
        await asked(session, "Fetch.enable", {"patterns": [{"urlPattern": "*"}]})

    def _against(self, url: str, method: str) -> Unexpected | None:
        """Say what speaks against a request, if anything does."""
        self._requests += 1
        if self._requests > BROWSER_REQUESTS_MAX:
            return Unexpected(f"the page asks for more than {BROWSER_REQUESTS_MAX:,} things", fix=LOOK)
        if self.shut:
            return Unexpected("the page asks for something when it is over", fix=LOOK)
        said = self._said(url)
        if not _among(self.plan.allowed, url):
            fix = "look at the address; if it may be asked, add it to `allow`, if it is not missed, to `lost`"
            return Unexpected("the page asks for an address that is not allowed", fix=fix, said=said)
        if self.may(method, url):
            self.left += self.sends
            return None
        when = "before the button is pressed" if self.plan.submit else "and is only read"
        fix = "if that changes nothing, add the address to `may_post`"
        return Unexpected(f"the page sends a {method} {when}", fix=fix, said=said)

    def _is_waited_for(self, request: Request) -> bool:
        """Whether a script has sent something that may be what it is all about."""
        sends = request.method not in _ONLYLOOKS and request.resource_type in _WAITED_FOR
        return sends and not _among(self.plan.may_post, request.url)

    def _is_ours(self, request: Request) -> bool:
        """Whether the one page asks, or something in it."""
        try:
            return request.frame.page is self._page
        except Error:
            return False  # a window that is about to open has no frame yet

    def _said(self, url: str) -> str:
        """Say which address it was, in as few of a page's own words as people need: an agent may hear it too."""
        origin, path = origin_of(url), url.partition("#")[0].partition("?")[0]
        known = any(each.origin == origin for each in self.plan.allowed)
        return (path if known else origin)[:_SAID_CHARS_MAX]

    def _another_page(self, _: Page) -> None:
        # It stays open until all is over: what is held back of a window that closes would leave.
        self._stir(Unexpected("the page opens another window", fix=LOOK))

    def _dialog(self, dialog: Dialog) -> None:
        self._stir(Unexpected(f"the page asks something in a dialog ({dialog.type})", fix=LOOK))
        asyncio.ensure_future(_dismissed(dialog))

    def _download(self, download: Download) -> None:
        self._stir(Unexpected("the page begins a download", fix=LOOK))
        asyncio.ensure_future(_cancelled(download))

    def _script_error(self) -> None:
        if not self.plan.script_errors:
            fix = "look at the page; if its errors mean nothing, write `script_errors: true`"
            self._stir(Unexpected("a script of the page has failed", fix=fix))

    def _failed(self, request: Request) -> None:
        if request in self.unanswered:
            self.unanswered.discard(request)
            if "ERR_ABORTED" not in (request.failure or ""):  # which the page does by itself
                self._stir(Unexpected("what the page has sent was not answered", fix=LOOK))

    def _response(self, response: Response) -> None:
        request = response.request
        leads_on = request.is_navigation_request() and not _in_a_frame(request)
        self.unanswered.discard(request)
        if leads_on:
            self.unanswered.clear()  # of what a page has sent that is there no more, nobody hears the answer
        answers = request.method not in _ONLYLOOKS or leads_on
        if response.status >= 400 and answers:
            host = self.blocked[-1] if self.blocked else ""
            self._stir(Unexpected(f"the page answers {response.status}", fix=LOOK, said=host))


def _in_a_frame(request: Request) -> bool:
    try:
        return request.frame.parent_frame is not None
    except Error:
        return False  # what was asked for before there was a frame is a page of its own


def _among(addresses: tuple[Addresses, ...], url: str) -> bool:
    return any(each.has(url) for each in addresses)


async def _dismissed(dialog: Dialog) -> None:
    with suppress(Error):
        await dialog.dismiss()


async def _cancelled(download: Download) -> None:
    with suppress(Error):
        await download.cancel()


_NAMED_MAX = 20
_SAID_CHARS_MAX = 120
LOOK = "look at the page yourself, and at the picture of it"
