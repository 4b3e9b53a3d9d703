"""An OpenID provider for the command line: what it says of who logs in, a tenant that believes it, and a browser."""

from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from command_line import Shell
from identity.issuer import a_jwt
from login_server import Fields, LoginServer, visited
from world import NOON

HOUR = 3_600


def an_id(provider: LoginServer, fields: Fields, *, at: int = NOON, sign: Any = None, **changes: Any) -> str:
    """Sign that whoever logs in is `u1`, a lead, for an hour, for the client that asked."""
    seconds = at // 1_000_000
    claims: dict[str, Any] = {
        "iss": provider.base,
        "sub": "u1",
        "aud": fields["client_id"],
        "exp": seconds + HOUR,
        "iat": seconds,
        "groups": ["leads"],
        "nonce": fields.get("nonce"),
        **changes,
    }
    return a_jwt({name: value for name, value in claims.items() if value is not None}, sign=sign)


def believe(shell: Shell, provider: LoginServer, *more: str) -> None:
    """Publish the contract of the shop, and believe the provider."""
    shell.publish()
    shell("issuer", "add", "corp", "--url", provider.base, "--audience", "interlock", "--map", "leads=lead", *more)


def log_in(shell: Shell, *more: str, code: int = 0) -> Any:
    """Log in with the browser of the test; return the data, or what is said where it fails."""
    words = ("login", "--open", *more)
    return shell.data(*words) if code == 0 else shell(*words, code=code)


class Browser(list[str]):
    """Goes wherever it is sent, and keeps where that was and what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self._going: list[Thread] = []

    def opened(self, url: str) -> bool:
        """Stand for `webbrowser.open`."""
        self.append(url)
        self._going.append(Thread(target=self._go, args=(url,)))
        self._going[-1].start()
        return True

    def _go(self, url: str) -> None:
        status, to, text = visited(url)
        self.append(text)
        if status == 302 and urlsplit(to).hostname == "127.0.0.1":
            self._go(to)

    @property
    def last(self) -> str:
        """Return what it shows once it has gone everywhere."""
        for each in self._going:
            each.join(10)
        return self[-1]
