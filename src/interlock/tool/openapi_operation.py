"""One operation as a narrow tool: its arguments, where each goes, what comes back, and where a secret goes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid
from interlock.tool.content_type import is_json, kind_of
from interlock.tool.openapi_document import Document, Found
from interlock.tool.openapi_plan import Credential, Sent
from interlock.tool.openapi_schema import Schema, Schemas, plain_object
from interlock.tool.openapi_style import TOKEN, Unsendable, in_form, in_parameter

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
    body: Literal["", "members", "whole", "form"] = ""
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
        if (place, name.lower()) in self._who_asks:
            self.notes.append(f"`{name}` is no argument: it says who asks, as the secret does")
            return
        needed = parameter.get("required") is True or place == "path"
        schema = self._schemas.of(parameter.get("schema", {})) if "content" not in parameter else False
        sent = in_parameter(parameter, name, place, schema)
        self._if_sendable(sent, f"its {place} parameter", schema, needed=needed, about=parameter.get("description"))

    def _if_sendable(
        self, sent: Sent | Unsendable, what: str, schema: Schema, *, needed: bool, about: object = None
    ) -> None:
        if isinstance(sent, Sent):
            self._argument(sent, schema, needed=needed, about=about)
        elif needed:
            raise self._wrong(f"{what} `{sent.name}` {sent.why}", "name an operation without it")
        else:
            self.notes.append(f"`{sent.name}` is no argument: it {sent.why}")

    def _argument(self, sent: Sent, schema: Schema, *, needed: bool, about: object = None) -> None:
        name = sent.argument
        if name in self.properties:
            clash = next(each for each in self.sent if each.argument == name)
            what = f"two of its arguments are named `{name}`: into the {clash.place}, and into the {sent.place}"
            raise self._wrong(what, "give one of them another name in the document, if the other side allows it")
        if isinstance(about, str) and isinstance(schema, dict) and "description" not in schema:
            schema = {**schema, "description": about}
        self.properties[name] = schema
        self.required += [name] if needed else []
        self.sent.append(sent)

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
        kind = json_type(content) or form_type(content)
        self.body_needed = body.get("required") is True
        if kind is None:
            if not self.body_needed:
                self.notes.append("nothing is sent as a body: it would be neither JSON nor a form")
                return
            said = ", ".join(f"`{each}`" for each in content)
            raise self._wrong(f"its body is {said or 'of no type'}", "name an operation that takes JSON or a form")
        media = self.document.followed(content[kind])
        schema = self._schemas.of(media.get("schema", {}))
        members = plain_object(schema)
        self.body_type = kind
        if not is_json(kind):
            self._form(schema, members, self.document.followed(media.get("encoding", {})))
        elif members is None or not isinstance(schema, dict):
            self.body = "whole"
            self._argument(Sent(argument="body", place="body", name="body"), schema, needed=self.body_needed)
        else:
            self.body = "members"
            for name, part in members.items():
                needed = name in schema.get("required", [])
                self._argument(Sent(argument=name, place="body", name=name), part, needed=needed)

    def _form(self, schema: Schema, members: Mapping[str, Schema] | None, encoding: JsonObject) -> None:
        if members is None or not isinstance(schema, dict):
            raise self._wrong("its form is not an object of named members", "write its `properties` in the document")
        self.body = "form"
        for name, part in members.items():
            sent = in_form(name, part, self.document.followed(encoding.get(name, {})))
            self._if_sendable(sent, "its member", part, needed=name in schema.get("required", []))

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
        # What it takes with a secret is not what anybody may have without one.
        ways = [way for way in self._ways() if way]
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
        ways = self._ways()
        return not ways or {} in ways

    def _ways(self) -> list[JsonObject]:
        """Return what would open it, each way by itself."""
        said = self.found.operation.get("security", self.document.root.get("security"))
        return self.document.tables(said, "security")

    @property
    def _who_asks(self) -> frozenset[tuple[str, str]]:
        """Name the places of keys that open it. What an agent says there could stand beside the secret, or for it."""
        known = self._schemes()
        schemes = [self.document.followed(known[name]) for way in self._ways() for name in way if name in known]
        keys = [scheme for scheme in schemes if scheme.get("type") == "apiKey"]
        return frozenset((str(key.get("in", "")), str(key.get("name", "")).lower()) for key in keys)

    def _schemes(self) -> JsonObject:
        return self.document.followed(
            self.document.followed(self.document.root.get("components", {})).get("securitySchemes", {})
        )

    def _scheme(self, name: str) -> Credential | None:
        schemes = self._schemes()
        if name not in schemes:
            raise self._wrong(f"no security scheme is named `{name}`", "validate the document")
        scheme = self.document.followed(schemes[name])
        kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
        if kind in ("oauth2", "openIdConnect") or (kind, way) == ("http", "bearer"):
            return Credential(place="bearer")
        if (kind, way) == ("http", "basic"):
            return Credential(place="basic")
        key, place = str(scheme.get("name", "")), scheme.get("in")
        if kind == "apiKey" and place in ("header", "query", "cookie") and TOKEN.fullmatch(key):
            return Credential(place=place, name=key)
        return None

    def _wrong(self, what: str, fix: str) -> ContractInvalid:
        return self.document.wrong(f"`{self.found.id}`: {what}", fix)


def json_type(content: JsonObject) -> str | None:
    """Return the JSON among some types of content, plain JSON first."""
    names = sorted(content, key=lambda name: (kind_of(name) != "application/json", name))
    return next((name for name in names if is_json(name)), None)


def form_type(content: JsonObject) -> str | None:
    """Return the name of a form among some types of content."""
    return next((name for name in content if kind_of(name) == "application/x-www-form-urlencoded"), None)


def _table(node: object) -> JsonObject:
    return cast("JsonObject", node) if isinstance(node, Mapping) else {}
