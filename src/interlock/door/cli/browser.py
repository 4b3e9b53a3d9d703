"""A login with a browser: a person is sent to a page, and its answer waited for; or told a code to type in any."""

import os
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from threading import Thread

from interlock.core.limits import LOGIN_SECONDS_MAX
from interlock.door.cli.redirect import listening
from interlock.door.cli.screen import Typed
from interlock.oauth.code import Login
from interlock.oauth.device import Begun

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


async def code_brought(
    typed: Typed, begin: Callable[[str], Awaitable[Login]], about: str, *, opens: bool, instead: str = ""
) -> tuple[Login, str]:
    """Have a person log in, and return the code that their browser brings.

    Args:
        typed: the line; `--port` says where the answer comes to.
        begin: makes the login, given the address that the answer comes to.
        about: says at whom and what for, on a line of its own.
        instead: says how else, where there is another way.
        opens: whether the page is opened in the browser, and not only named.

    Raises:
        InterlockError: the port is taken.
        UpstreamSilent: nobody has logged in within some minutes.
        UpstreamFailed: the answer is a refusal, or of somebody else.
    """
    logins: list[Login] = []

    def is_meant(answer: Mapping[str, str]) -> bool:
        return any(login.is_answered_by(answer) for login in logins)

    async with listening(typed.given.port, is_meant) as redirect:
        login = await begin(redirect.uri)
        logins.append(login)
        # It is for a person, so it goes to standard error whatever the data looks like.
        err = typed.screen.err
        limit = f"{LOGIN_SECONDS_MAX / 60:.0f} minutes (Ctrl-C ends it)"
        err.write(f"{about}\nlog in within {limit}, in a browser on this machine:\n\n")
        err.write("".join(f"{each}\n\n" for each in (login.address, instead) if each))
        err.flush()
        if opens:
            # Some browsers only return once they are closed.
            Thread(target=_opened, args=(login.address,), daemon=True).start()
        return login, login.code_in(await redirect.answer())


def code_shown(typed: Typed, login: Begun, about: str) -> None:
    """Say where a person types which code. It is for a person, as an address is."""
    err = typed.screen.err
    err.write(
        f"{about}\nlog in at {login.verification_uri}, in any browser, and type the code:\n\n{login.user_code}\n\n"
    )
    if login.verification_uri_complete:
        err.write(f"or see that it is the same code there:\n\n{login.verification_uri_complete}\n\n")
    err.flush()


def _opened(address: str) -> None:
    with suppress(OSError, ValueError, webbrowser.Error):  # whoever has none that works opens the address by hand
        webbrowser.open(address)


def has_screen() -> bool:
    """Whether a browser would show a page to somebody, and not take over the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in _SCREENS)
