"""A credential on its way to whoever carries out an action. It shows itself nowhere; only `reveal` returns its text."""

import re
from collections.abc import Sequence
from typing import NoReturn

from interlock.core.errors import UpstreamFailed

_PLACE = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[^?#\\]*)?(?:\?[^#]*)?")
_PORTS = {"http": "80", "https": "443"}


class Secret:
    """The text of a secret, under the name that a contract gives it."""

    __slots__ = ("_hidden", "_resource", "_text", "name")

    def __init__(self, name: str, text: str, *, beside: Sequence[str] = (), resource: str = "") -> None:
        """Wrap a text.

        Args:
            name: as the contract names it.
            text: what is sent along.
            beside: what must not come back either, such as what the text was bought with.
            resource: the address that it was issued for; it goes nowhere else. With none it goes where its tool says.
        """
        self.name = name
        self._text = text
        self._hidden = (text, *beside)
        self._resource = resource

    def reveal(self, to: str = "") -> str:
        """Return the text, for the one place that sends it.

        Args:
            to: the address that it is sent to, where there is one.

        Raises:
            UpstreamFailed: it was issued for another one.
        """
        if self._resource and not is_within(self._resource, to):
            what = f"the token `{self.name}` is for `{self._resource}` and goes nowhere else, so nothing was sent"
            raise UpstreamFailed(what, fix="give this one a secret of its own, under another name")
        return self._text

    @property
    def hidden(self) -> tuple[str, ...]:
        """All that must not come back, for whoever takes it out."""
        return self._hidden

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


def is_within(resource: str, url: str) -> bool:
    """Whether an address is that of a resource or lies below it: the same scheme, host and port, a path under it."""
    outer, inner = _PLACE.fullmatch(resource), _PLACE.fullmatch(url)
    if outer is None or inner is None:
        return False
    path = inner[4] or "/"
    # What a server may take for a step upwards is below nothing.
    if re.search(r"/\.\.?(/|$)", path) or re.search(r"%2[ef]|%5c", path, re.IGNORECASE):
        return False
    above = (outer[4] or "").rstrip("/")
    return _origin(outer) == _origin(inner) and (path.rstrip("/") == above or path.startswith(f"{above}/"))


def _origin(found: re.Match[str]) -> tuple[str, str, str]:
    return found[1], found[2].lower(), found[3] or _PORTS[found[1]]
