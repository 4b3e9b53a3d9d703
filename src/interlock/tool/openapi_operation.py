"""One operation as a narrow tool: its arguments, where each goes, what comes back, and where a secret goes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from interlock.core.canonical import JsonObject
from interlock.tool.openapi_argument import Argument, notes_of, sendable, unlike
from interlock.tool.openapi_body import Body, json_type, read_body
from interlock.tool.openapi_document import Document, Found
from interlock.tool.openapi_plan import Sent
from interlock.tool.openapi_schema import Schema, Schemas
from interlock.tool.openapi_security import Security, read_as, read_security
from interlock.tool.openapi_style import Unsendable, in_parameter

_IN_PATH = re.compile(r"\{([^{}]*)\}")
_LITERAL = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%{}-]*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation, as it can be a tool."""

    description: str
    schema: JsonObject
    """Of all arguments together."""
    result: JsonObject | None
    """The schema of what comes back where it went well; nothing where the document does not say."""
    sent: tuple[Sent, ...]
    body: Body
    security: Security
    notes: tuple[str, ...]
    """What whoever publishes it should know."""


def read_operation(found: Found, *, key_header: str = "") -> Operation:
    """Read an operation.

    Args:
        found: the operation.
        key_header: the header that Interlock itself sets, so that it is no argument.

    Raises:
        ContractInvalid: something that it needs cannot be sent, or the document is wrong about it.
    """
    # A partial change sends what is to change, and nothing that would be assumed of a new one.
    schemas = Schemas(document=found.document, sent=True, defaults=found.method != "PATCH")
    security = read_security(found)
    parameters = tuple(_read_parameters(found, schemas, security, key_header))
    body = read_body(found, schemas, security)
    parts = (*parameters, *body.parts)
    arguments = unlike(found, [part for part in parts if isinstance(part, Argument)])
    _check_path(found, arguments)
    schema = schemas.whole(_schema(arguments))
    return Operation(
        description=_description(found),
        schema=schema,
        result=_result(found),
        sent=tuple(argument.sent for argument in arguments.values()),
        body=body,
        security=security,
        notes=tuple(dict.fromkeys((*schemas.notes, *notes_of(parts), *body.notes))),
    )


def _description(found: Found) -> str:
    said = (found.operation.get("summary"), found.operation.get("description"))
    return "\n\n".join(text.strip() for text in said if isinstance(text, str) and text.strip())


def _schema(arguments: Mapping[str, Argument]) -> dict[str, Any]:
    needed = sorted(name for name, argument in arguments.items() if argument.needed)
    properties = {name: argument.schema for name, argument in arguments.items()}
    required = {"required": needed} if needed else {}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def _read_parameters(
    found: Found, schemas: Schemas, security: Security, key_header: str
) -> Iterator[Argument | Unsendable]:
    for parameter in _parameters(found):
        name, place = str(parameter.get("name", "")), str(parameter.get("in", ""))
        if place == "header" and read_as(place, name) == read_as(place, key_header):
            continue
        if security.is_key(place, name):
            yield Unsendable(name, "says who asks, as the secret does")
            continue
        needed = parameter.get("required") is True or place == "path"
        schema = schemas.of(parameter.get("schema", {})) if "content" not in parameter else False
        sent = in_parameter(parameter, name, place, schema)
        about = parameter.get("description")
        yield sendable(found, sent, f"its {place} parameter", schema, needed=needed, about=about)


def _parameters(found: Found) -> Iterator[JsonObject]:
    """Return each parameter; one of the operation takes the place of one of its path."""
    every: dict[tuple[str, str], JsonObject] = {}
    for node in (found.item.get("parameters"), found.operation.get("parameters")):
        for parameter in found.document.tables(node, "parameters"):
            every[str(parameter.get("name", "")), str(parameter.get("in", ""))] = parameter
    yield from every.values()


def _check_path(found: Found, arguments: Mapping[str, Argument]) -> None:
    named = _IN_PATH.findall(found.path)
    known = [argument.sent.name for argument in arguments.values() if argument.sent.place == "path"]
    if sorted(named) != sorted(known):
        said = ", ".join(f"`{name}`" for name in sorted(set(named) ^ set(known)) or named)
        raise found.wrong(f"its path `{found.path}` and its parameters disagree about {said}", "name each once")
    if not _LITERAL.fullmatch(found.path):
        raise found.wrong(f"`{found.path}` is no path", "begin with `/`, and keep queries out of it")


def _result(found: Found) -> dict[str, Any] | None:
    if found.method == "HEAD":
        return {"type": "null"}
    document = found.document
    schemas = Schemas(document=document, sent=False)
    each: list[Schema] = []
    for status, node in sorted(_table(found.operation.get("responses")).items()):
        if not re.fullmatch(r"2\d\d|2XX", status.upper()):
            continue
        schema = _answer(document, schemas, document.followed(document.followed(node).get("content", {})))
        if schema is None:
            return None
        each += [schema] if schema not in each else []
    if not each:
        return None
    whole = each[0] if len(each) == 1 else {"anyOf": each}
    return schemas.whole(whole if isinstance(whole, dict) else {})


def _answer(document: Document, schemas: Schemas, content: JsonObject) -> Schema | None:
    if not content:
        return {"type": "null"}
    kind = json_type(content)
    if kind is None:
        return {"type": "string"} if all(each.lower().startswith("text/") for each in content) else None
    media = document.followed(content[kind])
    return schemas.of(media["schema"]) if "schema" in media else None


def _table(node: object) -> JsonObject:
    return cast("JsonObject", node) if isinstance(node, Mapping) else {}
