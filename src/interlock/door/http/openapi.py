"""The document that describes the API (OpenAPI 3.1), made of the table."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from interlock.door.http import shapes
from interlock.door.http.problem import KINDS
from interlock.door.http.route import Route

VERSION = "1"
_REF = "#/components/schemas/{name}"
_PATH_PART = re.compile(r"\{(\w+)\}")
_ALWAYS = ("not-from-here",)
_WITH_TOKEN = ("not-known", "not-permitted", "too-often", "later", "cut-off")
_WITH_BODY = ("invalid", "too-slow", "too-large", "another-type")


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Describe the routes of a table."""
    types = [shapes.Problem, *(each for route in routes for each in _types(route))]
    unique = list({str(each): each for each in types}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    by_type = {str(each): schema for each, schema in zip(unique, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Interlock",
            "version": VERSION,
            "summary": "The control plane for AI agents that act on real systems.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "ilk_..."}},
        },
    }


def _types(route: Route) -> list[Any]:
    found = [route.query, route.body, *route.answers.values()]
    return [each for each in found if each is not None and not isinstance(each, str)]


def _operation(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.says.partition(". ")[0].rstrip("."),
        "description": f"{route.says}\n\nFor {route.needs.says}.",
        "x-interlock-permission": route.needs.says,
        "parameters": _parameters(route),
        "responses": {**_answers(route, schemas), **_problems(route)},
        "security": [] if route.needs.anybody else [{"token": []}],
    }
    if route.body is not None:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[str(route.body)]}}}
    return said


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PART.findall(route.path)
    ]
    if route.query is not None:
        known = msgspec.json.schema(route.query)
        own: Mapping[str, Any] = known["$defs"][route.query.__name__]
        for name, schema in own["properties"].items():
            wanted = name in own.get("required", ())
            found.append({"name": name, "in": "query", "required": wanted, "schema": schema})
    found += [
        {"name": name, "in": "header", "required": False, "description": says, "schema": {"type": "string"}}
        for name, says in route.headers.items()
    ]
    return found


def _answers(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, type in route.answers.items():
        content = {type: {"schema": {"type": "string"}}} if isinstance(type, str) else None
        if content is None and type is not None:
            content = {"application/json": {"schema": schemas[str(type)]}}
        found[str(status)] = {"description": _SAYS[status], **({"content": content} if content else {})}
    return found


_SAYS = {
    200: "it is done, or here it is",
    201: "it is there from now on",
    202: "it is written down, and not done",
}


def kinds_of(route: Route) -> tuple[str, ...]:
    """Name every kind of problem that a route answers with."""
    kinds = [*_ALWAYS, *route.problems]
    kinds += () if route.needs.anybody else _WITH_TOKEN
    kinds += ("invalid",) if route.body is None else _WITH_BODY
    return tuple(dict.fromkeys(kinds))


def _problems(route: Route) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for kind in kinds_of(route):
        for status in (403, 409, 422, 503) if kind == "refused" else (KINDS[kind].status,):
            by_status.setdefault(status, []).append(kind)
    schema = {"$ref": _REF.format(name="Problem")}
    return {
        str(status): {
            "description": "; ".join(f"`{kind}`: {KINDS[kind].title}" for kind in dict.fromkeys(kinds)),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, kinds in sorted(by_status.items())
    }
