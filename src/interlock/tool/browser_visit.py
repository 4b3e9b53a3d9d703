"""One visit to one page: open, look, fill in, look again, press the one button, look at what came of it."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Error, Locator, Page

from interlock.core.canonical import Json
from interlock.core.limits import BROWSER_SHARE_OF_TIME
from interlock.core.picture import Moment, Picture
from interlock.core.reason import Reason
from interlock.core.secret import Secret
from interlock.tool.browser_gate import LOOK, Gate, Unexpected
from interlock.tool.browser_look import expected, filled_by_itself, looks, put_in, read, shows, spot_of, the_one
from interlock.tool.browser_picture import picture_of
from interlock.tool.browser_plan import BrowserPlan, LogIn, Spot
from interlock.tool.browser_proxy import Proxy

_APPEARS_SHARE = 0.3  # of the time of an action, for one thing to appear on a page
_PICTURE_SHARE = 0.2
PRESS_SECONDS = 2.0  # for a button that could be pressed a moment ago: a page has no longer to change meanwhile
_PAUSE_SECONDS = 0.05  # between two looks at what was sent
_SPARE_SECONDS = 0.2  # to say what is missing, before it is given up as a whole


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a visit has come. Whoever says how it ended looks here, wherever it ended."""

    begun: float
    """On the clock of the loop."""
    tried: bool = False
    """Whether the button was pressed, or was about to be."""
    pressed: bool = False
    """Whether that may have had an effect."""
    pictures: list[Picture] = field(default_factory=list[Picture])


@dataclass(slots=True, kw_only=True)
class Visit:
    """One visit: what is to be done on which page, how far it has come, and what leaves the page."""

    plan: BrowserPlan
    arguments: Mapping[str, Json]
    secret: Secret | None
    progress: Progress
    context: BrowserContext
    page: Page
    gate: Gate
    """Stands before the context."""
    proxy: Proxy
    """The way out of the context."""
    may_press: Callable[[], None]
    """Raises where the button may not be pressed any more."""
    at_work: bool = False
    """Whether it has logged in. Of a page to log in on no picture is taken."""
    sent_before: int = 0
    """How many bytes had left as the button was pressed."""

    @property
    def _left(self) -> float:
        """How many seconds are left until it is given up."""
        return self.progress.begun + self.plan.seconds * BROWSER_SHARE_OF_TIME - asyncio.get_running_loop().time()

    @property
    def _appears(self) -> float:
        return self.plan.seconds * _APPEARS_SHARE

    @property
    def _soon(self) -> float:
        """Until when one thing may take to appear that is looked for from now on."""
        return asyncio.get_running_loop().time() + self._appears

    async def carried_out(self) -> dict[str, Json]:
        """Do it, unless something unexpected happens first.

        Raises:
            Unexpected: something has. `progress.pressed` says whether the visit may have had an effect.
        """
        steps = asyncio.ensure_future(self._steps())
        stirred = asyncio.ensure_future(self.gate.stirred.wait())
        try:
            await asyncio.wait({steps, stirred}, timeout=max(0, self._left), return_when=asyncio.FIRST_COMPLETED)
            self.gate.check()
            if not steps.done():
                what = f"it took longer than {self.plan.seconds * BROWSER_SHARE_OF_TIME:g} s"
                raise Unexpected(what, fix="look at the page, or allow a longer `timeout`", reason=Reason.TIMEOUT)
            try:
                return steps.result()
            except Error as error:
                # What Playwright says repeats texts of the page.
                raise Unexpected("the page cannot be used", fix=LOOK, said=_network_error(error)) from None
        except Unexpected:
            await self._cut_off()
            await self._seen("after" if self.progress.tried else "before")
            raise
        finally:
            for task in (steps, stirred):
                task.cancel()
            await asyncio.gather(steps, stirred, return_exceptions=True)

    async def _steps(self) -> dict[str, Json]:
        plan = self.plan
        if plan.log_in is not None and plan.log_in.how == "form":
            await self._log_in(plan.log_in)
        self.at_work = True
        await self._open(plan.address(self.arguments))
        await expected(self.page, plan.expect, self.arguments, until=self._soon)
        if plan.submit:
            await self._press(await self._filled())
        values = {each.name: await read(self.page, each, seconds=self._appears) for each in plan.values}
        await self._seen("after")
        self.gate.check()
        return {name: value for name, value in values.items() if value is not None}

    async def _open(self, address: str) -> None:
        try:
            await self.page.goto(address, wait_until="load")
        except Error as error:
            self.gate.check()
            said = " ".join([_network_error(error), *self.gate.blocked])
            raise Unexpected("the page cannot be opened", fix=LOOK, said=said) from None
        self.gate.check()

    async def _log_in(self, how: LogIn) -> None:
        """Log in with the form that the contract names. It is no part of the effect, and no picture is taken of it."""
        assert self.secret is not None, "who logs in has a secret"
        await self._open(how.open)
        if how.user:
            user = await the_one(self.page, Spot(label=how.user), f"`{how.user}`", seconds=self._appears)
            await user.fill(how.user_is)
        password = await the_one(self.page, Spot(label=how.password), f"`{how.password}`", seconds=self._appears)
        if not any(each.has(self.page.url) for each in how.at):
            fix = "if the password belongs there, name the address as `url` of `log_in`"
            raise Unexpected("the page to log in leads to another one, which gets no password", fix=fix)
        if (await password.get_attribute("type") or "").lower() != "password":
            raise Unexpected(f"`{how.password}` is no field for a password", fix=LOOK)
        await password.fill(self.secret.reveal())
        button = await self._button(how.submit)
        self.gate.check()
        self.gate.sends = True
        await button.click()
        await expected(self.page, how.then, {}, until=self._soon)
        self.gate.sends = False

    async def _button(self, name: str) -> Locator:
        button = await the_one(self.page, Spot(role="button", name=name), f"`{name}`", seconds=self._appears)
        try:
            await button.click(trial=True, timeout=self._appears * 1_000)
        except Error:
            self.gate.check()
            what = f"`{name}` cannot be pressed: it is disabled, or something is in front of it"
            raise Unexpected(what, fix=LOOK) from None
        return button

    async def _filled(self) -> list[Locator]:
        fields: list[Locator] = []
        for each in self.plan.fields:
            if each.argument in self.arguments:
                value = self.arguments[each.argument]
                spot = spot_of(each, value)
                found = await the_one(self.page, spot, f"`{each.argument}`", seconds=self._appears)
                await put_in(each, found, value, seconds=self._appears)
                fields.append(found)
        return fields

    async def _as_meant(self, fields: list[Locator]) -> None:
        """See that the page still is what is expected, and that its fields hold what was put in, and nothing else.

        Raises:
            Unexpected: it is not.
        """
        self.gate.check()
        if not await looks(self.page, self.plan.expect, self.arguments):
            raise Unexpected("the page has changed while it was filled in", fix=LOOK, reason=Reason.AMBIGUOUS)
        given = [each for each in self.plan.fields if each.argument in self.arguments]
        for each, found in zip(given, fields, strict=True):
            if await found.count() != 1 or not await shows(each, found, self.arguments[each.argument]):
                what = f"the field `{each.argument}` does not show what was put into it"
                raise Unexpected(what, fix=LOOK, reason=Reason.AMBIGUOUS)
        if await filled_by_itself(self.page, self.plan, fields):
            fix = "look at the picture; if the page may fill it in, add its label to `leave`"
            raise Unexpected("the page has filled in a field that is no argument", fix=fix, reason=Reason.AMBIGUOUS)
        self.gate.check()

    async def _press(self, fields: list[Locator]) -> None:
        """Press the one button, once, if everything is as meant."""
        plan = self.plan
        await self._as_meant(fields)
        if await looks(self.page, plan.then, self.arguments):
            what = "the page looks as if it had happened already"
            raise Unexpected(what, fix="expect something in `then` that is not there before", reason=Reason.DUPLICATE)
        await self._seen("before", must=True)
        button = await self._button(plan.submit)
        await self._as_meant(fields)
        self.may_press()
        self.sent_before = self.proxy.sent
        self.gate.sends = self.progress.pressed = self.progress.tried = True
        try:
            # What the press sets off is waited for below, as long as there is time.
            await button.click(timeout=PRESS_SECONDS * 1_000, no_wait_after=True)
        except Error:
            self.gate.check()
            if not self._has_sent:
                what = f"`{plan.submit}` cannot be pressed any more"
                raise Unexpected(what, fix=LOOK, reason=Reason.AMBIGUOUS) from None
        until = asyncio.get_running_loop().time() + max(self._left - _SPARE_SECONDS, _SPARE_SECONDS)
        await expected(self.page, plan.then, self.arguments, until=until)
        await self._sent(until=until)

    async def _sent(self, *, until: float) -> None:
        """Wait until what the press has set off is sent and answered: a page can look as if it were before it is.

        Raises:
            Unexpected: it is not in time.
        """
        while not self._has_sent or self.gate.unanswered:
            self.gate.check()
            if asyncio.get_running_loop().time() > until:
                what = "what the page has sent is not answered" if self._has_sent else "the page has sent nothing"
                raise Unexpected(f"it looks as if it had happened, and {what}", fix=LOOK, reason=Reason.AMBIGUOUS)
            await asyncio.sleep(_PAUSE_SECONDS)

    @property
    def _has_sent(self) -> bool:
        """Whether anything has left since the press. The browser does not show all that it sends; its way out does."""
        return self.gate.left > 0 or self.proxy.sent > self.sent_before

    async def _cut_off(self) -> None:
        """Let nothing leave any more, where nothing has: then nothing has happened, whatever was pressed."""
        if not self.progress.pressed or not self._has_sent:
            self.gate.shut = True
            await self.proxy.end()
            self.progress.pressed = self.progress.pressed and self._has_sent

    async def _seen(self, moment: Moment, *, must: bool = False) -> None:
        """Take a picture.

        Raises:
            Unexpected: there must be one, and there is none.
        """
        if not self.at_work or any(each.moment == moment for each in self.progress.pictures):
            return
        picture = None
        with suppress(Error, TimeoutError):
            seconds = self.plan.seconds * _PICTURE_SHARE
            async with asyncio.timeout(seconds):
                picture = await picture_of(self.context, self.page, moment, self.secret, seconds=seconds)
        if picture is not None:
            self.progress.pictures.append(picture)
        elif must:
            what = "there is no picture of the page as it is before the button is pressed"
            raise Unexpected(what, fix="look whether it shows the secret, or is too large")


def _network_error(error: Error) -> str:
    """Return the code of the browser, and nothing that a page could have written."""
    return next((word for word in str(error).split() if word.startswith("net::ERR_") and word[10:].isascii()), "")
