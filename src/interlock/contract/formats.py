"""Formats of texts in JSON Schemas: which are checked, of which tools, and how a plain text of each looks.

Only what the document of an HTTP API names is checked (OpenAPI means RFC 3339 by `date-time`). Elsewhere a format is a
remark, as JSON Schema has it: what validates the arguments of a Python function itself often takes more.
"""

from collections.abc import Mapping
from typing import Any, cast

CHECKED: Mapping[str, tuple[str, str]] = {
    "date": ("^20[0-9][0-9]-0[1-9]-1[0-9]$", "2030-01-15"),
    "date-time": ("^20[0-9][0-9]-0[1-9]-1[0-9]T1[0-9]:00:00Z$", "2030-01-15T12:00:00Z"),
    "time": ("^1[0-9]:00:00Z$", "12:00:00Z"),
    "duration": ("^P[1-9]D$", "P1D"),
    "email": ("^[a-z]{1,9}@example[.]com$", "ann@example.com"),
    "idn-email": ("^[a-z]{1,9}@example[.]com$", "ann@example.com"),
    "hostname": ("^[a-z]{1,9}[.]example$", "shop.example"),
    "idn-hostname": ("^[a-z]{1,9}[.]example$", "shop.example"),
    "ipv4": ("^10[.]0[.]0[.][1-9]$", "10.0.0.1"),
    "ipv6": ("^fd00::[1-9]$", "fd00::1"),
    "uri": ("^https://example[.]com/[a-z]{1,9}$", "https://example.com/a"),
    "uri-reference": ("^/[a-z]{1,9}$", "/a"),
    "iri": ("^https://example[.]com/[a-z]{1,9}$", "https://example.com/a"),
    "iri-reference": ("^/[a-z]{1,9}$", "/a"),
    "uri-template": ("^/[a-z]{1,9}$", "/a"),
    "uuid": (
        "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$",
        "6f1c2b3a-0000-4000-8000-000000000000",
    ),
    "json-pointer": ("^/[a-z]{1,9}$", "/a"),
    "relative-json-pointer": ("^[1-9]$", "1"),
}
"""Of each format that is checked, a pattern of some plain texts that have it, and one of them."""


def are_checked(source: str) -> bool:
    """Whether formats are checked of a tool that comes from there."""
    return source.startswith("openapi:")


def are_named(schema: object) -> bool:
    """Whether a schema names, at any depth, a format that is checked."""
    if isinstance(schema, list):
        return any(map(are_named, cast("list[object]", schema)))
    if not isinstance(schema, Mapping):
        return False
    known = cast("Mapping[str, Any]", schema)
    return format_of(known) is not None or any(map(are_named, known.values()))


def format_of(schema: Mapping[str, Any]) -> str | None:
    """Return the format that is checked of a text in this place, if one is."""
    named = schema.get("format")
    return named if isinstance(named, str) and named in CHECKED else None
