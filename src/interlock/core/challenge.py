"""What a server says that it wants (`WWW-Authenticate`), as far as it is about tokens (RFC 6750, RFC 9728)."""

import re
from collections.abc import Mapping

from msgspec import Struct

_CHARS_MAX = 8 * 1024
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  a grammar
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}(?![^,\s])))')
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|$)")
_BETWEEN = re.compile(r"[ \t]*(?:,[ \t]*)*")
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")


class Challenge(Struct, frozen=True, kw_only=True):
    """What whoever comes without a token, or with one that is not enough, is told. It is foreign text."""

    metadata: str = ""
    """Where the server says who issues tokens for it."""
    scope: str = ""
    error: str = ""


def challenge_in(header: str) -> Challenge | None:
    """Read the challenge for a bearer token; nothing if there is none, or it cannot be read."""
    found = _bearer(header) if len(header) <= _CHARS_MAX else None
    if found is None:
        return None
    scope = found.get("scope", "")
    return Challenge(
        metadata=found.get("resource_metadata", ""),
        scope=scope if _SCOPE.fullmatch(scope) else "",
        error=found.get("error", ""),
    )


def _bearer(header: str) -> Mapping[str, str] | None:
    """Return the parameters of the first challenge of the scheme `Bearer`."""
    at, scheme, found = 0, "", dict[str, str]()
    while at < len(header):
        between = _BETWEEN.match(header, at)
        at = between.end() if between is not None else at
        parameter = _PARAMETER.match(header, at)
        if parameter is not None and scheme:
            name = parameter[1].lower()
            if scheme == "bearer" and name in found:
                return None
            if scheme == "bearer":
                quoted = parameter[2]
                found[name] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else parameter[3]
            at = parameter.end()
            continue
        begun = _SCHEME.match(header, at)
        if begun is None and at < len(header):
            return None
        if begun is None or scheme == "bearer":
            break
        scheme, at = begun[1].lower(), begun.end()
    return found if scheme == "bearer" else None
