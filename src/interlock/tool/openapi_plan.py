"""What performing needs to know of an operation: pinned in the contract, so that no document is read at run time."""

from typing import Literal

import msgspec

BodyKind = Literal["", "members", "whole", "form", "multipart"]
"""What is sent as a body: nothing, an object of arguments, the one argument that is the body, a form, or parts."""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As what a member of a `multipart/form-data` body leaves."""

    given: Literal["text", "json", "base64", "text file", "base64 file"]
    """As what the argument comes: a text, anything that is sent as JSON, base64 that stays so, or a file."""
    type: str = ""
    """The type of its content; nothing is plain text, or the type that a file says."""


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one argument goes."""

    argument: str
    place: Literal["path", "query", "header", "cookie", "body"]
    name: str
    explode: bool = False
    """Of a list in a query, a form or parts: each item for itself."""
    parts: Literal["", "named", "json"] = ""
    """Of what has parts: each under its own name, `name[part]`, or all of it as JSON."""
    part: Part | None = None
    """Of a member of a `multipart/form-data` body."""


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a secret goes."""

    place: Literal["bearer", "basic", "header", "query", "cookie"]
    name: str = ""
    scheme: str = ""
    """Which of several secrets; nothing is the one of the tool."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request, but for its arguments and its secret."""

    operation: str
    method: str
    url: str
    """Where the paths of the document begin."""
    path: str
    private: bool = False
    """Whether it may be in a private network, or on this machine."""
    sent: tuple[Sent, ...] = ()
    body: BodyKind = ""
    body_type: str = ""
    body_needed: bool = False
    credentials: tuple[Credential, ...] = ()
