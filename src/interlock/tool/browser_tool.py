"""Carries out page actions, as their contract pins them: each in a context of its own, in the one browser."""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from playwright.async_api import BrowserContext, Error

from interlock.core.canonical import Json
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.limits import BROWSER_SHARE_OF_TIME, PICTURE_WIDTH
from interlock.core.reason import Reason
from interlock.ports import Performer
from interlock.tool.browser_engine import BrowserSettings, Engine
from interlock.tool.browser_gate import LOOK, Gate, Unexpected
from interlock.tool.browser_plan import BrowserPlan
from interlock.tool.browser_proxy import Proxy
from interlock.tool.browser_visit import Progress, Visit
from interlock.tool.plan import plan_of
from interlock.tool.slots import Slots, SlotsOf, ToolLoop, ending_of, on_loop

PREFIX = "browser:"


@dataclass(slots=True)
class _Waiting:
    """Whether anybody still waits for a visit. Once nobody does, no button is pressed any more."""

    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserTool:
    """Carries out one page action."""

    plan: BrowserPlan
    slots: Slots
    engine: Engine
    loop: ToolLoop

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Carry it out.

        Raises:
            UpstreamFailed: something was not as expected, and no button was pressed.
            UpstreamSilent: the button was pressed, and nobody knows what came of it.
        """
        waiting = _Waiting()
        work: Future[Performed] = on_loop(self.loop, self.slots, partial(self._visited, errand, waiting))
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            waiting.left = True
            work.add_done_callback(lambda ended: errand.late(ending_of(ended)))
            raise

    async def _visited(self, errand: Errand, waiting: _Waiting) -> Performed:
        """Say how a visit ended.

        Raises:
            UpstreamFailed: no button was pressed.
            UpstreamSilent: it was, and what came of it is not as expected.
        """
        progress = Progress(begun=asyncio.get_running_loop().time())
        try:
            result = await self._in_context(errand, waiting, progress)
        except Unexpected as found:
            kind = UpstreamSilent if progress.pressed else UpstreamFailed
            then = _AFTER if progress.pressed else _NOTHING if progress.tried else "so no button was pressed"
            message = f"{found}, {then}" if self.plan.submit else str(found)
            raise kind(
                message, fix=found.fix, said=found.said, reason=found.reason, pictures=progress.pictures
            ) from None
        except UpstreamFailed as failed:
            assert not progress.pressed, "whoever presses was asked before"
            raise UpstreamFailed(
                str(failed), fix=failed.fix, reason=Reason.TOOL_ERROR, pictures=progress.pictures
            ) from None
        except Exception as error:  # noqa: BLE001  whatever broke, it is known whether the button was pressed
            if progress.pressed:
                what = f"the browser broke after the button was pressed ({type(error).__name__})"
                raise UpstreamSilent(what, fix=LOOK, reason=Reason.TOOL_ERROR, pictures=progress.pictures) from None
            what = f"the page cannot be looked at ({type(error).__name__}), so no button was pressed"
            raise UpstreamFailed(what, fix=LOOK, reason=Reason.TOOL_ERROR, pictures=progress.pictures) from None
        return Performed(result=result, pictures=tuple(progress.pictures))

    async def _in_context(self, errand: Errand, waiting: _Waiting, progress: Progress) -> dict[str, Json]:
        def may_press() -> None:
            if waiting.left:
                raise UpstreamFailed("nobody waits for it any more, so no button was pressed", fix="call again")
            errand.check_lease()

        gate = Gate(plan=self.plan)
        proxy = Proxy(allowed=self.plan.allowed, may=gate.may, refused=gate.refused, flooded=gate.flooded)
        await proxy.begin()
        context: BrowserContext | None = None
        try:
            seconds = self.plan.seconds * BROWSER_SHARE_OF_TIME / 2
            context = await self.engine.context(self._options(errand, proxy), seconds=seconds)
            how = self.plan.log_in
            if how is not None and how.how == "cookie" and errand.secret is not None:
                await _put_cookie(context, how.name, errand.secret.reveal(), self.plan.origin)
            page = await gate.guard(context)
            errand.check_lease()
            visit = Visit(
                plan=self.plan,
                arguments=json.loads(errand.arguments),
                secret=errand.secret,
                progress=progress,
                context=context,
                page=page,
                gate=gate,
                proxy=proxy,
                may_press=may_press,
            )
            return await visit.carried_out()
        finally:
            # Nobody waits for it: how the visit ended is known.
            self.engine.leave(context, proxy)

    def _options(self, errand: Errand, proxy: Proxy) -> dict[str, Any]:
        options: dict[str, Any] = {
            "accept_downloads": False,
            "proxy": {"server": f"http://127.0.0.1:{proxy.port}"},
            "reduced_motion": "reduce",
            "service_workers": "block",
            "strict_selectors": True,
            "viewport": {"width": PICTURE_WIDTH, "height": 900},
        }
        how = self.plan.log_in
        if how is None or how.how == "form":
            return options
        if errand.secret is None:
            raise UpstreamFailed("it logs in with a secret, and has none", fix="name a `secret` at the tool")
        return options | _logged_in(self.plan, errand.secret.reveal())


async def _put_cookie(context: BrowserContext, name: str, secret: str, url: str) -> None:
    """Put the secret into a cookie of the host of an address."""
    try:
        await context.add_cookies([{"name": name, "value": secret, "url": url, "httpOnly": True, "sameSite": "Lax"}])
    except Error:
        fix = "set it to the value of the cookie alone"
        raise UpstreamFailed("the secret is no value of a cookie, so nothing was sent", fix=fix) from None


def _logged_in(plan: BrowserPlan, secret: str) -> dict[str, Any]:
    """Say what of a context logs in."""
    how = plan.log_in
    assert how is not None, "who is asked logs in"
    match how.how:
        case "header":
            if not secret.isascii() or not secret.isprintable():
                fix = "set it to what stands in the header, in one line"
                raise UpstreamFailed("the secret is no value of a header, so nothing was sent", fix=fix)
            return {"extra_http_headers": {how.name: f"{how.scheme} {secret}" if how.scheme else secret}}
        case "cookie" | "form":
            return {}
        case "storage":
            try:
                state = json.loads(secret)
            except ValueError:
                state = None
            if not isinstance(state, dict):  # Playwright would take a text for the path of a file
                fix = "set it to what `storage_state` of Playwright writes"
                raise UpstreamFailed("the secret is no storage state, so nothing was sent", fix=fix)
            return {"storage_state": state}


@dataclass(slots=True)
class BrowserTools:
    """Finds page actions by the name that a contract gives them: `browser:FILE#name`."""

    engine: Engine
    loop: ToolLoop = field(default_factory=ToolLoop)
    _slots: SlotsOf = field(default_factory=SlotsOf)

    @classmethod
    def on_this_machine(cls, environment: Mapping[str, str]) -> "BrowserTools":
        return cls(Engine(BrowserSettings.of(environment)))

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this page action. It starts no browser.

        Raises:
            ContractInvalid: another version pinned it.
        """
        if not source.startswith(PREFIX):
            return None
        plan, slots = plan_of(terms.how, BrowserPlan), self._slots.find(terms, source)
        return BrowserTool(plan=plan, slots=slots, engine=self.engine, loop=self.loop)

    def close(self) -> None:
        done: Future[None] = Future()

        async def closed() -> None:
            try:
                await self.engine.close()
            finally:
                done.set_result(None)

        self.loop.submit(closed)
        done.result()
        self.loop.close()


_AFTER = "after the button was pressed"
_NOTHING = "and nothing has left the page, though the button was pressed"
