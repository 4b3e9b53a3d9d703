"""What somebody sent, read into the types of a route: wrong is told by place and kind, and never repeated."""

import re
from collections.abc import Sequence
from typing import Any, get_origin
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from interlock.core.limits import SAFE_INTEGER
from interlock.door.http.problem import Problem
from interlock.door.names import says_a_name_twice

_FIELDS_MAX = 64
_INDEX = re.compile(r"[0-9]{1,16}", re.ASCII)
_UNKNOWN = re.compile(r"unknown field|Unexpected")
_MISSING = re.compile(r"missing required field `(\w+)`")
_AT = re.compile(r" - at `(?:key in )?([^`]*)`$")
_KINDS = (
    (re.compile(r"^Expected `str` (matching|of length)|^Invalid (RFC|base64|uuid)"), "form"),
    (re.compile(r"^Expected `\w+` [<>]"), "range"),
    (re.compile(r"^Expected `(array|object)` of length"), "length"),
    (re.compile(r"^Expected "), "type"),
    (re.compile(r"^Invalid enum value|^Invalid value"), "enum"),
)


def pairs_of(text: bytes) -> Sequence[tuple[str, str]]:
    """Split a query.

    Raises:
        Problem: it is not well formed.
    """
    try:
        return parse_qsl(
            text.decode("ascii"), True, strict_parsing=bool(text), errors="strict", max_num_fields=_FIELDS_MAX
        )
    except ValueError as error:
        raise _invalid([{"path": "$query", "kind": "form"}]) from error


def query_as(pairs: Sequence[tuple[str, str]], type: type[Struct] | None) -> Struct | None:
    """Read the fields of a query.

    Raises:
        Problem: one is not known to the route, or is not as it wants it.
    """
    if type is None:
        if pairs:
            raise _invalid([{"path": "$query", "kind": "unknown_field"}], fix="this route takes no query")
        return None
    many = {each.encode_name for each in msgspec.structs.fields(type) if get_origin(each.type) is tuple}
    said: dict[str, Any] = {}
    for name, value in pairs:
        if name in many:
            said.setdefault(name, []).append(value)
        elif name in said:
            raise _invalid([{"path": "$query", "kind": "duplicate"}])
        else:
            said[name] = value
    try:
        return msgspec.convert(said, type, strict=False)
    except msgspec.ValidationError as error:
        raise _not_as_wanted(error, "$query", type) from error


def body_as(raw: bytes, type: type[Struct]) -> Struct:
    """Read a body.

    Raises:
        Problem: it is no JSON, has a name twice, or is not as the route wants it.
    """
    try:
        found = msgspec.json.decode(raw, type=type)
        twice = says_a_name_twice(raw)
    except msgspec.ValidationError as error:
        raise _not_as_wanted(error, "$", type) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _invalid([{"path": "$", "kind": "not_json"}]) from error
    if twice:
        raise _invalid([{"path": "$", "kind": "duplicate_key"}])
    return found


def index_in(text: str) -> int | None:
    """Read the index of an entry; nothing where it is none."""
    return int(text) if _INDEX.fullmatch(text) and int(text) <= SAFE_INTEGER else None


def _not_as_wanted(error: msgspec.ValidationError, root: str, type: type[Struct]) -> Problem:
    wrong = _wrong(error, root)
    if wrong == {"path": root, "kind": "unknown_field"}:
        known = ", ".join(f"`{each.encode_name}`" for each in msgspec.structs.fields(type))
        return _invalid([wrong], fix=f"it takes {known}, and nothing else" if known else "it takes no field")
    return _invalid([wrong])


def _wrong(error: msgspec.ValidationError, root: str) -> dict[str, str]:
    """Say where something is wrong and of which kind it is. Names that were sent are not repeated."""
    text = str(error)
    at = _AT.search(text)
    path = root + at[1].removeprefix("$") if at is not None else root
    missing = _MISSING.search(text)
    if missing is not None:
        return {"path": f"{path}.{missing[1]}", "kind": "missing"}
    if _UNKNOWN.search(text):
        return {"path": path, "kind": "unknown_field"}
    kind = next((name for pattern, name in _KINDS if pattern.search(text)), "form")
    return {"path": path, "kind": kind}


def _invalid(wrong: Sequence[dict[str, str]], fix: str = "compare it with `/v1/openapi.json`") -> Problem:
    said = "; ".join(f"{each['path']}: {each['kind']}" for each in wrong)
    return Problem("invalid", f"not as it is wanted: {said}", fix=fix, more={"wrong": list(wrong)})
