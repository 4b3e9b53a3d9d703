"""What an operation takes as its body: JSON, or a form, of which each member is an argument."""

from collections.abc import Iterator
from dataclasses import dataclass

from interlock.core.canonical import JsonObject
from interlock.tool.content_type import is_json, kind_of
from interlock.tool.openapi_argument import Argument, sendable
from interlock.tool.openapi_document import Found
from interlock.tool.openapi_part import in_part
from interlock.tool.openapi_plan import BodyKind, Sent
from interlock.tool.openapi_schema import Schema, Schemas, plain_object
from interlock.tool.openapi_security import Security
from interlock.tool.openapi_style import Unsendable, in_form


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body, and its parts."""

    kind: BodyKind = ""
    type: str = ""
    """The type of its content."""
    needed: bool = False
    parts: tuple[Argument | Unsendable, ...] = ()
    notes: tuple[str, ...] = ()


def read_body(found: Found, schemas: Schemas, security: Security) -> Body:
    """Find out what is sent as a body.

    Args:
        found: the operation.
        schemas: converts what the document says of it.
        security: what opens it: no member of a form is named like it.

    Raises:
        ContractInvalid: the operation needs one that cannot be sent.
    """
    if "requestBody" not in found.operation:
        return Body()
    document = found.document
    said = document.followed(found.operation["requestBody"])
    content = document.followed(said.get("content", {}))
    needed = said.get("required") is True
    type = json_type(content) or form_type(content, FORM) or form_type(content, MULTIPART)
    if type is None:
        return _nothing(found, content, needed=needed)
    media = document.followed(content[type])
    schema = schemas.of(media.get("schema", {}))
    if is_json(type):
        return _json(type, schema, needed=needed)
    encoding = document.followed(media.get("encoding", {}))
    parts = tuple(_form(found, schema, encoding, security, in_parts=kind_of(type) == MULTIPART))
    return Body(kind="multipart" if kind_of(type) == MULTIPART else "form", type=type, needed=needed, parts=parts)


def _nothing(found: Found, content: JsonObject, *, needed: bool) -> Body:
    if not needed:
        return Body(notes=("nothing is sent as a body: it would be neither JSON nor a form",))
    said = ", ".join(f"`{each}`" for each in content)
    raise found.wrong(f"its body is {said or 'of no type'}", "name an operation that takes JSON or a form")


def _json(type: str, schema: Schema, *, needed: bool) -> Body:
    members = plain_object(schema)
    if members is None or not isinstance(schema, dict):
        whole = Argument(sent=Sent(argument="body", place="body", name="body"), schema=schema, needed=needed)
        return Body(kind="whole", type=type, needed=needed, parts=(whole,))
    required = schema.get("required", [])
    parts = (
        Argument(sent=Sent(argument=name, place="body", name=name), schema=part, needed=name in required)
        for name, part in members.items()
    )
    return Body(kind="members", type=type, needed=needed, parts=tuple(parts))


def _form(
    found: Found, schema: Schema, encoding: JsonObject, security: Security, *, in_parts: bool
) -> Iterator[Argument | Unsendable]:
    members = plain_object(schema)
    if members is None or not isinstance(schema, dict):
        raise found.wrong("its form is not an object of named members", "write its `properties` in the document")
    for name, part in members.items():
        needed, said = name in schema.get("required", []), found.document.followed(encoding.get(name, {}))
        if security.is_key("query", name):
            # Many who read a form put it together with the query.
            key = Unsendable(name, "is named like a key that stands in the address")
            yield sendable(found, key, "its member", part, needed=needed)
        elif in_parts:
            yield in_part(found, name, part, said, needed=needed)
        else:
            yield sendable(found, in_form(name, part, said), "its member", part, needed=needed)


def json_type(content: JsonObject) -> str | None:
    """Return the JSON among some types of content, plain JSON first."""
    names = sorted(content, key=lambda name: (kind_of(name) != "application/json", name))
    return next((name for name in names if is_json(name)), None)


def form_type(content: JsonObject, kind: str) -> str | None:
    """Return the name of a kind of form among some types of content."""
    return next((name for name in content if kind_of(name) == kind), None)


FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
