"""What performing needs to know of a page action: pinned in the contract, so that no file is read at run time."""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

import msgspec

from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid
from interlock.tool.web_address import web_address

FieldKind = Literal["text", "number", "select", "radio", "checkbox", "date"]
ValueKind = Literal["text", "number", "integer", "boolean"]


class Addresses(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Addresses that a browser may ask: one, or all that begin alike."""

    origin: str
    path: str
    """With its query, in its one form."""
    only: bool = False
    private: bool = False
    """Whether the host may be in a private network, or on this machine."""

    def has(self, url: str) -> bool:
        """Whether an address is one of these, as a browser writes it."""
        scheme, _, rest = url.partition("#")[0].partition("://")
        host, slash, path = rest.partition("/")
        if f"{scheme}://{host}" != self.origin:
            return False
        if self.path == "/" and not self.only:
            return True
        try:
            # Below a folder, an address counts that leads nowhere else, whoever reads it.
            known = web_address(f"{scheme}://{host}{slash}{path}")
        except ContractInvalid:
            return False
        asked = str(known).removeprefix(known.origin)
        return asked == self.path if self.only else asked.startswith(self.path)


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has to be seen on a page. `{name}` in it stands for an argument."""

    heading: str = ""
    texts: tuple[str, ...] = ()
    urls: tuple[Addresses, ...] = ()
    """Of which the page must have one; none said is any that is allowed."""


class Spot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an element is found: by its label, by its role and accessible name, or by its test id."""

    label: str = ""
    role: str = ""
    name: str = ""
    within: str = ""
    """The name of the group that it stands in, of radio buttons."""
    test_id: str = ""


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One argument, and the field that it is put into."""

    argument: str
    spot: Spot
    kind: FieldKind


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value that is read from a page."""

    name: str
    spot: Spot
    kind: ValueKind
    chars_max: int = 200
    pattern: str = ""
    needed: bool = True


class LogIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the secret logs in."""

    how: Literal["form", "header", "cookie", "storage"]
    name: str = ""
    """Of the header or the cookie."""
    scheme: str = ""
    """What stands before the secret in the header."""
    open: str = ""
    at: tuple[Addresses, ...] = ()
    """Where the password may be typed."""
    user: str = ""
    """The label of the field of the user's name."""
    user_is: str = ""
    password: str = ""
    """The label of the field of the password."""
    submit: str = ""
    then: Seen = Seen()


class BrowserPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page action, but for its arguments and its secret."""

    action: str
    open: str
    """Where it begins. `{name}` in its path or query stands for an argument, encoded."""
    seconds: float
    allowed: tuple[Addresses, ...]
    lost: tuple[Addresses, ...] = ()
    """What is blocked and not missed."""
    may_post: tuple[Addresses, ...] = ()
    """Where the page may send something before the button is pressed."""
    script_errors: bool = False
    """Whether errors of the page's scripts are nothing unexpected."""
    expect: Seen = Seen()
    fields: tuple[Field, ...] = ()
    leave: tuple[str, ...] = ()
    """Labels of fields that the page may have filled in itself."""
    submit: str = ""
    """The accessible name of the one button; empty where it only reads."""
    then: Seen = Seen()
    values: tuple[Value, ...] = ()
    log_in: LogIn | None = None

    @property
    def origin(self) -> str:
        """Where it begins, without a path."""
        scheme, _, rest = self.open.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def address(self, arguments: Mapping[str, Json]) -> str:
        """Return where it begins for these arguments.

        Raises:
            ContractInvalid: one of them would lead elsewhere.
        """
        text = self.open
        for name, value in arguments.items():
            if value == "" and f"{{{name}}}" in text:
                raise ContractInvalid(f"`{name}` is empty, and stands in the address", fix="send a value")
            text = text.replace(f"{{{name}}}", quote(as_shown(value), safe=""))
        return str(web_address(text))


def as_shown(value: Json) -> str:
    """Write an argument as it is typed and shown."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case float():
            return str(int(value)) if value.is_integer() else msgspec.json.encode(value).decode()
        case _:
            return str(value)


def filled(text: str, arguments: Mapping[str, Json]) -> str:
    """Put arguments into a text that is expected on a page."""
    return _NAMED.sub(lambda found: as_shown(arguments[found[1]]) if found[1] in arguments else found[0], text)


_NAMED = re.compile(r"\{([^{}]*)\}")
