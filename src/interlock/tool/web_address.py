"""Web addresses in their one form, so that what is compared is what is asked. What reads in two ways is refused."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

from interlock.core.errors import ContractInvalid

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})*")
_HIDDEN = re.compile(r"%(?:2f|5c|2e|00)", re.IGNORECASE)
"""A slash, a backslash, a dot, an end of text: in a path they are read in two ways once they are encoded."""
_ANY_CODE = re.compile(r"%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """An address in its one form."""

    scheme: str
    host: str
    """In lower case; of a number, the number; of IPv6, in brackets."""
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port only where it is not the usual one."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")


def web_address(text: str) -> WebAddress:
    """Read an address.

    Raises:
        ContractInvalid: it is none, or it can be read in two ways.
    """
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        fix = "write names of other scripts as `xn--...`, and other characters as `%XX`"
        raise _wrong("it has characters that an address does not have", fix)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _wrong("it cannot be read", "write `https://HOST/PATH`") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _wrong("it is no web address", "write `https://HOST/PATH`")
    if "@" in parts.netloc:
        raise _wrong("it names a user", "leave out what stands before `@`")
    if parts.fragment or text.endswith("#"):
        raise _wrong("it has a fragment", "leave out what stands behind `#`")
    if port == 0 or parts.netloc.endswith(":"):
        raise _wrong("its port is none", "leave the port out, or name it")
    return WebAddress(
        scheme=parts.scheme,
        host=_host(parts.hostname),
        port=port or _PORTS[parts.scheme],
        path=_path(parts.path),
        query=_coded(parts.query, _QUERY),
    )


def _host(name: str) -> str:
    host = name.lower()
    if ":" in host:
        try:
            return f"[{ip_address(host).compressed}]"
        except ValueError as error:
            raise _wrong("its host is no address", "write the name of the host") from error
    if not _HOST.fullmatch(host):
        raise _wrong("its host is no name", "write the name of the host, without a dot at its end")
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        # `127.1`, `0x7f000001` and `2130706433` are numbers of the same host to some who read them.
        try:
            return ip_address(host).compressed
        except ValueError as error:
            raise _wrong("its host is a number in no usual form", "write four numbers from 0 to 255") from error
    return host


def _path(path: str) -> str:
    if _HIDDEN.search(path):
        raise _wrong("its path hides a slash or a dot in a code", "write the path as it is meant")
    coded = _coded(path or "/", _PATH)
    if has_dots(coded) or "//" in coded:
        raise _wrong("its path has a part that is empty, `.` or `..`", "write the path that is meant")
    return coded


def _coded(text: str, allowed: re.Pattern[str]) -> str:
    """Write codes in capitals, and characters that need none as themselves."""
    if not allowed.fullmatch(text):
        raise _wrong("it has characters that belong encoded", "write them as `%XX`")
    return _ANY_CODE.sub(lambda code: _one_code(code[0]), text)


def _one_code(code: str) -> str:
    char = unquote(code, encoding="latin-1")
    return char if quote(char, safe="") == char else code.upper()


def has_dots(path: str) -> bool:
    """Whether a part of a path stands for its folder, or for the one above it, whoever reads it."""
    return any(unquote(part).strip() in (".", "..") for part in re.split(r"[/\\;]", path))


def _wrong(what: str, fix: str) -> ContractInvalid:
    return ContractInvalid(f"this is no address that may be asked: {what}", fix=fix)
