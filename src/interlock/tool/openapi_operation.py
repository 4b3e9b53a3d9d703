"""One operation as a narrow tool: its arguments, where each goes, what comes back, and where a secret goes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid
from interlock.tool.openapi_document import Document, Found
from interlock.tool.openapi_plan import Credential, Sent
from interlock.tool.openapi_schema import Schema, Schemas, plain_object

HEADERS_NOT_SENT = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type"}
    | {"cookie", "date", "expect", "forwarded", "host", "keep-alive", "origin", "proxy-authorization"}
    | {"proxy-connection", "referer", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via"}
    | {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-real-ip", "x-rewrite-url"}
)
"""Headers that say who asks, how it is sent, or that something else is meant. An agent says none of them."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_STYLES = {"path": "simple", "query": "form", "header": "simple"}
_IN_PATH = re.compile(r"\{([^{}]*)\}")
_LITERAL = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%{}-]*)+")


@dataclass(slots=True, kw_only=True)
class Operation:
    """Reads an operation part by part."""

    document: Document
    found: Found
    key_header: str = ""
    """The header that Interlock itself sets, so that it is no argument."""
    properties: dict[str, Schema] = field(default_factory=dict[str, Schema])
    required: list[str] = field(default_factory=list[str])
    sent: list[Sent] = field(default_factory=list[Sent])
    body: Literal["", "members", "whole"] = ""
    body_type: str = ""
    body_needed: bool = False
    notes: list[str] = field(default_factory=list[str])
    _schemas: Schemas = field(init=False)

    def __post_init__(self) -> None:
        # A partial change sends what is to change, and nothing that would be assumed of a new one.
        defaults = self.found.method != "PATCH"
        self._schemas = Schemas(document=self.document, sent=True, defaults=defaults, notes=self.notes)

    @property
    def description(self) -> str:
        said = (self.found.operation.get("summary"), self.found.operation.get("description"))
        return "\n\n".join(text.strip() for text in said if isinstance(text, str) and text.strip())

    def schema(self) -> dict[str, Any]:
        """Read parameters and body, and return the schema of all arguments.

        Raises:
            ContractInvalid: something that the operation needs cannot be sent.
        """
        for parameter in self._parameters():
            self._parameter(parameter)
        self._path()
        self._body()
        needed = {"required": sorted(self.required)} if self.required else {}
        schema = {"type": "object", "properties": self.properties, **needed, "additionalProperties": False}
        return self._schemas.whole(schema)

    def _parameters(self) -> Iterator[JsonObject]:
        """Return each parameter; one of the operation takes the place of one of its path."""
        every: dict[tuple[str, str], JsonObject] = {}
        for node in (self.found.item.get("parameters"), self.found.operation.get("parameters")):
            for parameter in self.document.tables(node, "parameters"):
                every[str(parameter.get("name", "")), str(parameter.get("in", ""))] = parameter
        yield from every.values()

    def _parameter(self, parameter: JsonObject) -> None:
        name, place = str(parameter.get("name", "")), str(parameter.get("in", ""))
        if place == "header" and name.lower() == self.key_header.lower():
            return
        needed = parameter.get("required") is True or place == "path"
        schema = self._schemas.of(parameter.get("schema", {})) if "content" not in parameter else False
        why = _unsendable(parameter, name, place, schema)
        if why and needed:
            raise self._wrong(f"its {place} parameter `{name}` {why}", "name an operation without it")
        if why:
            self.notes.append(f"`{name}` is no argument: it {why}")
            return
        explode = place == "query" and parameter.get("explode", True) is not False
        self._argument(name, place, schema, explode=explode, needed=needed, about=parameter.get("description"))

    def _argument(
        self, name: str, place: str, schema: Schema, *, needed: bool, explode: bool = False, about: object = None
    ) -> None:
        if name in self.properties:
            clash = next(each for each in self.sent if each.argument == name)
            what = f"two of its arguments are named `{name}`: one goes into the {clash.place}, one into the {place}"
            raise self._wrong(what, "give one of them another name in the document, if the other side allows it")
        if isinstance(about, str) and isinstance(schema, dict) and "description" not in schema:
            schema = {**schema, "description": about}
        self.properties[name] = schema
        self.required += [name] if needed else []
        assert place in ("path", "query", "header", "body"), "other places were refused"
        self.sent.append(Sent(argument=name, place=place, name=name, explode=explode))

    def _path(self) -> None:
        named = _IN_PATH.findall(self.found.path)
        known = [each.name for each in self.sent if each.place == "path"]
        if sorted(named) != sorted(known):
            said = ", ".join(f"`{name}`" for name in sorted(set(named) ^ set(known)) or named)
            raise self._wrong(
                f"its path `{self.found.path}` and its parameters disagree about {said}", "name each once"
            )
        if not _LITERAL.fullmatch(self.found.path):
            raise self._wrong(f"`{self.found.path}` is no path", "begin with `/`, and keep queries out of it")

    def _body(self) -> None:
        if "requestBody" not in self.found.operation:
            return
        body = self.document.followed(self.found.operation["requestBody"])
        content = self.document.followed(body.get("content", {}))
        kind = json_type(content)
        if kind is None:
            if body.get("required") is not True:
                self.notes.append("nothing is sent as a body: it would not be JSON")
                return
            said = ", ".join(f"`{each}`" for each in content)
            raise self._wrong(f"its body is {said or 'of no type'}", "name an operation that takes JSON")
        schema = self._schemas.of(self.document.followed(content[kind]).get("schema", {}))
        members = plain_object(schema)
        self.body, self.body_type = ("members" if members is not None else "whole"), kind
        self.body_needed = body.get("required") is True
        if members is None or not isinstance(schema, dict):
            self._argument("body", "body", schema, needed=self.body_needed)
            return
        for name, part in members.items():
            self._argument(name, "body", part, needed=name in schema.get("required", []))

    def result(self) -> dict[str, Any] | None:
        """Return the schema of what comes back where it went well, or nothing where the document does not say.

        Raises:
            ContractInvalid: a schema is none.
        """
        if self.found.method == "HEAD":
            return {"type": "null"}
        schemas = Schemas(document=self.document, sent=False)
        each: list[Schema] = []
        for status, node in sorted(_table(self.found.operation.get("responses")).items()):
            if not re.fullmatch(r"2\d\d|2XX", status.upper()):
                continue
            content = self.document.followed(self.document.followed(node).get("content", {}))
            schema = self._answer(schemas, content)
            if schema is None:
                return None
            each += [schema] if schema not in each else []
        if not each:
            return None
        whole = each[0] if len(each) == 1 else {"anyOf": each}
        return schemas.whole(whole if isinstance(whole, dict) else {})

    def _answer(self, schemas: Schemas, content: JsonObject) -> Schema | None:
        if not content:
            return {"type": "null"}
        kind = json_type(content)
        if kind is None:
            return {"type": "string"} if all(each.lower().startswith("text/") for each in content) else None
        media = self.document.followed(content[kind])
        return schemas.of(media["schema"]) if "schema" in media else None

    def credential(self) -> Credential | None:
        """Say where the secret goes, or nothing where the operation needs none.

        Raises:
            ContractInvalid: it needs one, and in no way that is known here.
        """
        said = self.found.operation.get("security", self.document.root.get("security"))
        ways = self.document.tables(said, "security")
        if not ways or {} in ways:
            # What it takes with a secret is not what anybody may have without one.
            ways = [way for way in ways if way]
            if not ways:
                return None
        single = [next(iter(way)) for way in ways if len(way) == 1]
        found = [way for way in map(self._scheme, single) if way is not None]
        if not found:
            fix = "name an operation with one scheme: `http` bearer or basic, `apiKey`, `oauth2`, `openIdConnect`"
            raise self._wrong("no secret can open it in a way that is known here", fix)
        return found[0]

    def open_to_all(self) -> bool:
        """Whether it may be asked without a secret, too."""
        said = self.found.operation.get("security", self.document.root.get("security"))
        ways = self.document.tables(said, "security")
        return not ways or {} in ways

    def _scheme(self, name: str) -> Credential | None:
        schemes = self.document.followed(
            self.document.followed(self.document.root.get("components", {})).get("securitySchemes", {})
        )
        if name not in schemes:
            raise self._wrong(f"no security scheme is named `{name}`", "validate the document")
        scheme = self.document.followed(schemes[name])
        kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
        if kind in ("oauth2", "openIdConnect") or (kind, way) == ("http", "bearer"):
            return Credential(place="bearer")
        if (kind, way) == ("http", "basic"):
            return Credential(place="basic")
        key, place = str(scheme.get("name", "")), scheme.get("in")
        if kind == "apiKey" and place in ("header", "query", "cookie") and _TOKEN.fullmatch(key):
            return Credential(place=place, name=key)
        return None

    def _wrong(self, what: str, fix: str) -> ContractInvalid:
        return self.document.wrong(f"`{self.found.id}`: {what}", fix)


def json_type(content: JsonObject) -> str | None:
    """Return the JSON among some types of content, plain JSON first."""
    names = sorted(content, key=lambda name: (_essence(name) != "application/json", name))
    return next((name for name in names if is_json(name)), None)


def is_json(content_type: str) -> bool:
    """Whether a type of content is JSON, or written in it."""
    kind = _essence(content_type)
    return kind == "application/json" or bool(re.fullmatch(r"application/[a-z0-9.!#$&^_-]+\+json", kind))


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _unsendable(parameter: JsonObject, name: str, place: str, schema: Schema) -> str:
    """Say why a parameter cannot be sent; empty if it can."""
    if place not in _STYLES:
        return "goes along as a cookie" if place == "cookie" else "has no place"
    if "content" in parameter:
        return "is JSON inside of an address or a header"
    style = parameter.get("style", _STYLES[place])
    if style != _STYLES[place]:
        return f"is written in the style `{style}`"
    if place == "header" and (
        name.lower() in HEADERS_NOT_SENT or name.lower().startswith(("proxy-", "sec-", "x-forwarded-"))
    ):
        return "is a header that no agent may set"
    if place == "header" and not _TOKEN.fullmatch(name):
        return "is no name of a header"
    return "" if _is_flat(schema) else "has parts, which an address or a header cannot hold"


def _is_flat(schema: Schema, *, items: bool = True) -> bool:
    if isinstance(schema, bool):
        return schema
    said = schema.get("type", [])
    types = {said} if isinstance(said, str) else set(cast("list[str]", said))
    if "object" in types or "properties" in schema or "$ref" in schema:
        return False
    if "array" in types:
        return items and _is_flat(schema.get("items", {}), items=False)
    return all(_is_flat(each, items=items) for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, []))


def _table(node: object) -> JsonObject:
    return cast("JsonObject", node) if isinstance(node, Mapping) else {}
