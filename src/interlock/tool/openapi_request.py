"""Arguments and a plan into one request. What an argument says cannot leave its place, or nothing is sent."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import quote

import rfc8785

from interlock.core.canonical import Json, canonical
from interlock.core.errors import UpstreamFailed
from interlock.tool.openapi_multipart import multipart
from interlock.tool.openapi_plan import Credential, Plan, Sent
from interlock.tool.web_address import has_dots

_IN_PATH = re.compile(r"\{([^{}]*)\}")
_LEAVES = re.compile(r"[/\\\x00-\x1f\x7f]")
"""What separates parts of a path for some who read it, even where it comes encoded."""
_SPLITS = re.compile(r"[\[\]\x00-\x1f\x7f]")
"""What would make two names of one for who reads `name[part]`."""
_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
"""The value of a cookie (RFC 6265, 4.1.1). It has no way to write what would begin another one."""
_HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it leaves."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None


def request(plan: Plan, arguments: Mapping[str, Json], secrets: Mapping[str, str]) -> Request:
    """Put every argument in its place, and each secret in its own.

    Args:
        plan: the operation.
        arguments: by their names.
        secrets: by the security schemes that they go into; under no name the one of the tool.

    Raises:
        UpstreamFailed: an argument cannot stand where it belongs, or a secret is wanted and not there.
    """
    places = ("path", "query", "header", "cookie", "body")
    given = {place: [each for each in plan.sent if each.place == place] for place in places}
    query = [pair for each in _said(given["query"], arguments) for pair in _pairs(each, arguments[each.argument])]
    headers = {"Accept": "application/json, text/plain;q=0.5"}
    for each in given["header"]:
        value = arguments.get(each.argument)
        if value is not None:
            headers[each.name] = _in_header(each, value)
    placed = [_placed(each, secrets.get(each.scheme)) for each in plan.credentials]
    query += [f"{_encoded(name)}={_encoded(value)}" for place, name, value in placed if place == "query"]
    headers |= {name: value for place, name, value in placed if place == "header"}
    cookies = [f"{name}={value}" for place, name, value in placed if place == "cookie"]
    cookies += [f"{each.name}={_in_cookie(each, arguments)}" for each in _said(given["cookie"], arguments)]
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    content: bytes | None = None
    body = _body(plan, given["body"], arguments)
    if body is not None:
        headers["Content-Type"], content = body
    path = _path(plan, given["path"], arguments)
    return Request(url=plan.url + path + ("?" + "&".join(query) if query else ""), headers=headers, body=content)


def _path(plan: Plan, sent: list[Sent], arguments: Mapping[str, Json]) -> str:
    values = {each.name: _in_path(each, arguments.get(each.argument)) for each in sent}
    path = _IN_PATH.sub(lambda found: values[found[1]], plan.path)
    if has_dots(path):
        raise _never("an argument in the path stands for another folder")
    return path


def _in_path(sent: Sent, value: Json) -> str:
    text = ",".join(_flat(sent, value))
    if not text or _LEAVES.search(text):
        raise _never(f"`{sent.argument}` is empty, or has a slash or a control character, and belongs in a path")
    return ",".join(_encoded(each) for each in _flat(sent, value))


def _said(sent: list[Sent], arguments: Mapping[str, Json]) -> list[Sent]:
    return [each for each in sent if arguments.get(each.argument) is not None]


def _pairs(sent: Sent, value: Json) -> Iterator[str]:
    """Write what stands in a query or a form under one name."""
    name = _encoded(sent.name)
    if sent.parts == "json":
        yield f"{name}={_encoded(canonical(value).decode())}"
    elif sent.parts == "named":
        yield from (f"{name}{_encoded(part)}={_encoded(text)}" for part, text in _named(sent, value, ""))
    elif sent.explode:
        yield from (f"{name}={_encoded(each)}" for each in _flat(sent, value))
    elif values := [_encoded(each) for each in _flat(sent, value)]:
        yield f"{name}={','.join(values)}"


def _named(sent: Sent, value: Json, within: str) -> Iterator[tuple[str, str]]:
    """Return each part that has none of its own, with the name it goes by behind that of the whole."""
    if not isinstance(value, dict | list):
        yield within, _flat(sent, value)[0]
        return
    if not value:
        raise _never(f"a part of `{sent.argument}` is empty, which cannot be said by names")
    for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if part == "" or _SPLITS.search(str(part)):
            # `name[]` is one more item of a list for most who read it.
            raise _never(f"the name of a part of `{sent.argument}` is empty, or has a bracket or a control character")
        yield from _named(sent, inner, f"{within}[{part}]")


def _in_header(sent: Sent, value: Json) -> str:
    text = ",".join(_flat(sent, value))
    if not _HEADER.fullmatch(text):
        raise _never(f"`{sent.argument}` has characters that a header cannot have")
    return text


def _flat(sent: Sent, value: Json) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if any(item is None or isinstance(item, dict | list) for item in items):
        raise _never(f"`{sent.argument}` has parts, and belongs in an address or a header")
    return [item if isinstance(item, str) else rfc8785.dumps(item).decode() for item in items]


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _body(plan: Plan, sent: list[Sent], arguments: Mapping[str, Json]) -> tuple[str, bytes] | None:
    """Write what is sent as a body, with the type of its content; nothing where there is none."""
    if plan.body == "whole":
        return (plan.body_type, canonical(arguments["body"])) if "body" in arguments else None
    members: dict[str, Json] = {each.name: arguments[each.argument] for each in sent if each.argument in arguments}
    if not members and not plan.body_needed:
        return None
    match plan.body:
        case "members":
            return plan.body_type, canonical(cast("Json", members))
        case "form":
            return plan.body_type, _form(sent, arguments)
        case "multipart":
            return multipart(sent, arguments)
        case "":
            return None


def _form(sent: list[Sent], arguments: Mapping[str, Json]) -> bytes:
    pairs: list[str] = []
    for each in sent:
        if each.argument in arguments:
            said = list(_pairs(each, arguments[each.argument]))
            if not said:
                raise _never(f"`{each.argument}` is an empty list, which a form cannot say")
            pairs += said
    return "&".join(pairs).encode()


def _placed(credential: Credential, secret: str | None) -> tuple[Literal["query", "header", "cookie"], str, str]:
    """Say into which place a secret goes, under which name, and as what."""
    if secret is None:
        raise _never("it needs a secret, and there is none")
    match credential.place:
        case "query":
            return "query", credential.name, secret
        case "cookie":
            return "cookie", credential.name, _if(_COOKIE, secret, "a cookie")
        case "header":
            return "header", credential.name, _if(_HEADER, secret, "a header")
        case "bearer":
            return "header", "Authorization", f"Bearer {_if(_HEADER, secret, 'a header')}"
        case "basic":
            if ":" not in secret:
                raise _never("the secret of a basic credential is `user:password`, and this one has no colon")
            return "header", "Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}"


def _if(allowed: re.Pattern[str], secret: str, what: str) -> str:
    if not allowed.fullmatch(secret):
        raise _never(f"the secret has characters that {what} cannot have")
    return secret


def _in_cookie(sent: Sent, arguments: Mapping[str, Json]) -> str:
    (text,) = _flat(sent, arguments[sent.argument])
    if not _COOKIE.fullmatch(text):
        raise _never(f"`{sent.argument}` has characters that a cookie cannot have")
    return text


def _never(why: str) -> UpstreamFailed:
    return UpstreamFailed(f"{why}, so nothing was sent", fix="call it with another value")
