"""The browser: one process, begun with the first action and kept, with a fresh context for each action."""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Playwright, async_playwright

from interlock.core.errors import UpstreamFailed
from interlock.core.limits import BROWSER_START_SECONDS_MAX, BROWSER_STOP_SECONDS_MAX
from interlock.tool.browser_devtools import asked
from interlock.tool.browser_proxy import Proxy

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    # What they ask for belongs to no page, and goes by what looks at the requests of pages.
    "--disable-blink-features=SharedWorker,FetchLaterAPI,WebSocketStream,WebTransport",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--dns-prefetch-disable",
    "--no-first-run",
    "--no-pings",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
_NOWHERE = "http://127.0.0.1:9"
"""The proxy of what the browser asks for by itself, outside of any action: nobody listens there."""
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
"""All that the browser sees of the environment, where there may be secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSettings:
    """Which browser, and whether it runs in its own sandbox."""

    path: str = ""
    sandbox: bool = True
    talks: bool = False
    """Whether what drives the browser was told to write down what it does. Passwords would be in it."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "BrowserSettings":
        return cls(
            path=environment.get("INTERLOCK_BROWSER", ""),
            sandbox=environment.get("INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX") != "1",
            talks=bool(environment.get("PWDEBUG")) or any(map(_names_us, _PART.split(environment.get("DEBUG", "")))),
        )

    def found(self) -> str:
        """Say where the browser is.

        Raises:
            UpstreamFailed: there is none, or what is typed into pages would be written down.
        """
        if self.talks:
            what = "the browser is not started while DEBUG or PWDEBUG has it write down what it does"
            raise UpstreamFailed(f"{what}, so nothing was sent", fix="start without DEBUG and PWDEBUG")
        path = self.path or next((found for name in NAMES if (found := which(name))), "")
        if not path or not Path(path).exists():
            fix = "install Chromium (`apt-get install chromium`), or set INTERLOCK_BROWSER to its path"
            raise UpstreamFailed("there is no browser on this machine, so nothing was sent", fix=fix)
        return path


@dataclass(slots=True)
class Engine:
    """Keeps the browser. Everything of it happens on one loop."""

    settings: BrowserSettings
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _playwright: Playwright | None = None
    _browser: Browser | None = None
    _pid: int = 0
    _leaving: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def context(self, options: Mapping[str, Any], *, seconds: float) -> BrowserContext:
        """Make a context that shares nothing with any other.

        Args:
            options: as Playwright takes them.
            seconds: how long a browser that runs may take for it, before it counts as hung.

        Raises:
            UpstreamFailed: there is no browser, or it does not start.
        """
        for again in (True, False):
            browser = await self._running()
            try:
                async with asyncio.timeout(seconds):
                    return await browser.new_context(**options)
            except (Error, TimeoutError) as error:
                if isinstance(error, Error) and await _answers(browser):
                    fix = "if it logs in with a `storage_state`, look whether the secret is one"
                    raise UpstreamFailed("the browser takes no such context, so nothing was sent", fix=fix) from None
                await self.kill()
                if not again:
                    raise _no_start(error) from error
        raise AssertionError("the second time returns or raises")

    async def _running(self) -> Browser:
        async with self._lock:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            path = self.settings.found()
            await self._kill()
            kept = self._playwright is not None
            try:
                return await self._started(path)
            except (Error, TimeoutError, OSError) as error:
                await self._kill()
                await self._dismiss()
                if not kept:
                    raise _no_start(error) from error
            # What drives the browser is a process too, and may have died since it was begun.
            try:
                return await self._started(path)
            except (Error, TimeoutError, OSError) as error:
                raise _no_start(error) from error

    async def _started(self, path: str) -> Browser:
        async with asyncio.timeout(BROWSER_START_SECONDS_MAX):
            if self._playwright is None:
                self._playwright = await async_playwright().start()
            self._browser = await self._playwright.chromium.launch(
                executable_path=path,
                chromium_sandbox=self.settings.sandbox,
                args=_FLAGS,
                proxy={"server": _NOWHERE},
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
            self._pid = await _pid_of(self._browser)
            return self._browser

    async def _dismiss(self) -> None:
        """Let go of what drives the browser."""
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            await in_time(playwright.stop())

    def leave(self, context: BrowserContext | None, proxy: Proxy) -> None:
        """Close what belongs to one action. A browser that does not close it hangs, and is killed."""

        async def left() -> None:
            # The way out is cut before its page learns that it is closed, and could send something.
            await proxy.end()
            if context is not None and not await in_time(context.close()):
                await self.kill()

        task = asyncio.ensure_future(left())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def kill(self) -> None:
        """End the browser with all that it has started, whatever it is at."""
        async with self._lock:
            await self._kill()

    async def _kill(self) -> None:
        browser, self._browser, pid, self._pid = self._browser, None, self._pid, 0
        if pid:
            with suppress(ProcessLookupError, PermissionError):
                # It leads a group of its own, so nobody else is in it.
                os.killpg(pid, signal.SIGKILL) if os.getpgid(pid) == pid else os.kill(pid, signal.SIGKILL)
        if browser is not None:
            await in_time(browser.close())

    async def close(self) -> None:
        """Close the browser, and kill it if it does not."""
        await asyncio.gather(*self._leaving, return_exceptions=True)
        async with self._lock:
            if self._browser is not None and await in_time(self._browser.close()):
                self._pid = 0
            await self._kill()
            await self._dismiss()


async def tried(settings: BrowserSettings) -> str:
    """Start a browser and end it again. Returns what it says that it is.

    Raises:
        UpstreamFailed: there is none, or it does not start.
    """
    engine = Engine(settings)
    try:
        context = await engine.context({}, seconds=BROWSER_START_SECONDS_MAX)
        browser = context.browser
        return f"Chromium {browser.version}" if browser is not None else "a browser"
    finally:
        await engine.close()


def _names_us(pattern: str) -> bool:
    """Whether a pattern of DEBUG takes in names that begin with `pw:`."""
    beginning, star, _ = pattern.partition("*")
    return beginning.startswith(_OURS) or bool(star) and _OURS.startswith(beginning)


_OURS = "pw:"
_PART = re.compile(r"[\s,]+")


async def in_time(closing: Awaitable[object]) -> bool:
    """Wait for something to close, and say whether it did."""
    try:
        async with asyncio.timeout(BROWSER_STOP_SECONDS_MAX):
            await closing
    except (Error, TimeoutError):
        return False
    return True


async def _answers(browser: Browser) -> bool:
    """Whether a browser is there. What drives it says so of one that it has lost, too."""
    return browser.is_connected() and await in_time(_pid_of(browser))


async def _pid_of(browser: Browser) -> int:
    session = await browser.new_browser_cdp_session()
    found = await asked(session, "SystemInfo.getProcessInfo")
    await session.detach()
    return next((int(each["id"]) for each in found["processInfo"] if each["type"] == "browser"), 0)


def _no_start(error: Exception) -> UpstreamFailed:
    what = "the browser does not start, so nothing was sent"
    if "sandbox" in str(error).lower():
        what = "the browser cannot put itself into a sandbox here, so nothing was sent"
        fix = "run as a user who is not root; where the container is the sandbox: INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX=1"
        return UpstreamFailed(what, fix=fix)
    return UpstreamFailed(what, fix="start it by hand, or set INTERLOCK_BROWSER to the path of another one")
