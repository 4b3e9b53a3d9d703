"""Schemas of an OpenAPI document as JSON Schema (2020-12): of what is sent, or of what comes back.

What is sent is closed: a member that the document does not name is refused. What the other side alone may set is left
out of what is sent, and what it never shows out of what comes back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jsonschema_rs

from interlock.core.canonical import JsonObject
from interlock.core.limits import OPENAPI_DEPTH_MAX, OPENAPI_SCHEMA_NODES_MAX
from interlock.tool.openapi_document import Document

Schema = dict[str, Any] | bool

_TEXTS = frozenset({"title", "description", "format", "contentEncoding", "contentMediaType", "pattern"})
_VALUES = frozenset(
    {"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength"}
    | {"minLength", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties"}
    | {"minProperties", "dependentRequired"}
)
_ONE = frozenset(
    {"items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
_NOT_READ = frozenset({"$dynamicRef", "$recursiveRef", "$dynamicAnchor"})
_ABOUT = frozenset({"title", "description", "deprecated"})
_MERGED = frozenset({"type", "properties", "required"}) | _ABOUT


@dataclass(slots=True, kw_only=True)
class Schemas:
    """Converts schemas, and remembers the parts that they refer to."""

    document: Document
    sent: bool
    """Whether they are of what is sent."""
    defaults: bool = False
    """Whether what is not said is filled in, as the other side would."""
    notes: list[str] = field(default_factory=list[str])
    _parts: dict[str, str] = field(default_factory=dict[str, str])
    """By reference, the name of the part that it leads to."""
    _made: dict[str, Schema] = field(default_factory=dict[str, Schema])
    _nodes: int = 0

    def of(self, node: object) -> Schema:
        """Convert a schema. What it refers to by name comes with `whole`.

        Raises:
            ContractInvalid: it is none, or one that cannot be read.
        """
        return self._convert(node, (), 0, closes=True)

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema that stands for itself, with all parts that it refers to.

        Raises:
            ContractInvalid: it is not JSON Schema.
        """
        while missing := [reference for reference, name in self._parts.items() if name not in self._made]:
            for reference in missing:
                target = self.document.at(reference)
                self._made[self._parts[reference]] = self._convert(target, (reference,), 0, closes=True)
        whole = {**schema, "$defs": dict(self._made)} if self._made else schema
        if not jsonschema_rs.meta.is_valid({**whole, "$schema": "https://json-schema.org/draft/2020-12/schema"}):
            raise self.document.wrong("a schema of the operation is not JSON Schema", "validate the document")
        return whole

    def _convert(self, node: object, within: tuple[str, ...], depth: int, *, closes: bool) -> Schema:
        """Convert a schema.

        Args:
            node: the schema.
            within: the references that are being written out.
            depth: how deep it is nested.
            closes: whether an object takes no members that it does not name.
        """
        self._nodes += 1
        if isinstance(node, bool):
            return node
        if depth > OPENAPI_DEPTH_MAX:
            raise self.document.wrong("its schemas are nested too deeply", "cut the document to what the tools use")
        if not isinstance(node, Mapping):
            raise self.document.wrong("there is something else where a schema belongs", "validate the document")
        table = cast("JsonObject", node)
        if "$ref" in table:
            return self._referred(table, within, depth, closes=closes)
        if unread := sorted(_NOT_READ & table.keys()):
            raise self.document.wrong(f"`{unread[0]}` is not read here", "write the schema out, or use `$ref`")
        made = self._keywords(table, within, depth, closes=closes)
        made = _exclusive(made) if self.document.nullable else made
        if "oneOf" in made and "discriminator" in table:
            # Alone, schemas that the discriminator tells apart may fit the same value.
            made["anyOf"] = made.pop("oneOf")
        made = _merged(made) if self.sent else made
        if self.sent and closes and "properties" in made and not _open(made):
            made = {"type": "object", **made, "additionalProperties": False}
        return _nullable(table, made) if self.document.nullable else made

    def _referred(self, table: JsonObject, within: tuple[str, ...], depth: int, *, closes: bool) -> Schema:
        reference = table["$ref"]
        if not isinstance(reference, str):
            raise self.document.wrong("a `$ref` is no text", "validate the document")
        target = self.document.at(reference)
        # Written out, rules can look into it. What repeats itself cannot be.
        if self.sent and reference not in within and self._nodes < OPENAPI_SCHEMA_NODES_MAX:
            found = self._convert(target, (*within, reference), depth + 1, closes=closes)
        else:
            found = {"$ref": f"#/$defs/{self._part(reference)}"}
        beside = {name: value for name, value in table.items() if name != "$ref"}
        if self.document.nullable or not beside:
            return found
        more = self._convert(beside, within, depth + 1, closes=False)
        if isinstance(found, bool) or isinstance(more, bool):
            return {"allOf": [found, more]}
        return {**found, **more} if more.keys() <= _ABOUT else {"allOf": [found, more]}

    def _part(self, reference: str) -> str:
        if reference not in self._parts:
            name = re.sub(r"[^A-Za-z0-9_.-]", "_", reference.rsplit("/", 1)[-1]) or "part"
            taken = set(self._parts.values())
            self._parts[reference] = next(
                each for each in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if each not in taken
            )
        return self._parts[reference]

    def _keywords(self, table: JsonObject, within: tuple[str, ...], depth: int, *, closes: bool) -> dict[str, Any]:
        # Closed parts of a whole would each refuse what the others name.
        apart = closes and "properties" not in table
        made: dict[str, Any] = {}
        for key, value in table.items():
            if (key in _TEXTS and isinstance(value, str)) or key in _VALUES:
                made[key] = value
            elif key in _ONE:
                made[key] = self._convert(value, within, depth + 1, closes=key == "items")
            elif key in _MANY and isinstance(value, list):
                closed = key == "prefixItems" or (apart and key != "allOf")
                items = cast("list[object]", value)
                made[key] = [self._convert(each, within, depth + 1, closes=closed) for each in items]
            elif key in _NAMED and isinstance(value, Mapping):
                made[key] = self._named(key, cast("JsonObject", value), within, depth)
        self._needed(table, made)
        self._checked(table, made)
        return made

    def _named(self, key: str, table: JsonObject, within: tuple[str, ...], depth: int) -> dict[str, Any]:
        converted = {
            name: self._convert(each, within, depth + 1, closes=key == "properties")
            for name, each in table.items()
            if key != "properties" or not self._left_out(each)
        }
        return converted

    def _left_out(self, node: object) -> bool:
        """Whether only one side may set or see a property, and this is the other side."""
        if isinstance(node, bool):
            return False
        return self.document.followed(node).get("readOnly" if self.sent else "writeOnly") is True

    def _needed(self, table: JsonObject, made: dict[str, Any]) -> None:
        said, properties = table.get("required"), table.get("properties")
        if isinstance(said, list):
            known = cast("JsonObject", properties if isinstance(properties, Mapping) else {})
            names = [str(name) for name in cast("list[object]", said)]
            needed = [name for name in names if name not in known or not self._left_out(known[name])]
            made.update({"required": sorted(set(needed))} if needed else {})

    def _checked(self, table: JsonObject, made: dict[str, Any]) -> None:
        """Drop what cannot be honoured: patterns that take too long, defaults that do not fit."""
        if "pattern" in made and not _compiles({"pattern": made["pattern"]}):
            self.notes.append(f"the pattern `{made['pattern'][:60]}` is left to the other side: it looks around itself")
            del made["pattern"]
        if self.sent and self.defaults and "default" in table:
            if _fits(table["default"], made):
                made["default"] = table["default"]
            else:
                self.notes.append("a default that does not fit its own schema is left out")


def _exclusive(made: dict[str, Any]) -> dict[str, Any]:
    """Write bounds as 2020-12 does: 3.0 says `exclusiveMinimum: true` beside `minimum`."""
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        said = made.pop(strict, None)
        if said is True and bound in made:
            made[strict] = made.pop(bound)
        elif said is not None and not isinstance(said, bool):
            made[strict] = said
    return made


def _nullable(table: JsonObject, made: dict[str, Any]) -> dict[str, Any]:
    if table.get("nullable") is not True:
        return made
    if isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
        return made
    about = {key: made.pop(key) for key in _ABOUT & made.keys()}
    return {"anyOf": [made, {"type": "null"}], **about}


def _merged(made: dict[str, Any]) -> dict[str, Any]:
    """Write `allOf` of plain objects as one object, so that its members are arguments like others."""
    members = made.get("allOf")
    if not isinstance(members, list):
        return made
    own = {key: value for key, value in made.items() if key != "allOf"}
    parts = [*cast("list[Schema]", members), own]
    if len(parts) == 2 and isinstance(parts[0], dict) and own.keys() <= _ABOUT:
        return {**parts[0], **own}
    whole: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for part in parts:
        if not isinstance(part, dict) or not part.keys() <= _MERGED or part.get("type", "object") != "object":
            return made
        if whole["properties"].keys() & part.get("properties", {}).keys():
            return made
        whole["properties"] |= part.get("properties", {})
        whole["required"] += part.get("required", [])
        whole |= {key: part[key] for key in _ABOUT & part.keys()}
    needed = sorted(set(whole.pop("required")))
    return {**whole, "required": needed} if needed else whole


def _open(made: dict[str, Any]) -> bool:
    return not made.keys().isdisjoint({"additionalProperties", "unevaluatedProperties", "patternProperties", "allOf"})


def _compiles(schema: dict[str, Any]) -> bool:
    try:
        jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return False
    return True


def _fits(value: Any, schema: dict[str, Any]) -> bool:  # noqa: ANN401  any JSON value
    try:
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return False


def plain_object(schema: Schema) -> dict[str, Any] | None:
    """Return the members of an object that is nothing but its members, or nothing."""
    if isinstance(schema, bool) or schema.get("type") != "object" or not schema.get("properties"):
        return None
    more = schema.keys() - _MERGED - {"additionalProperties"}
    return schema["properties"] if not more and schema.get("additionalProperties") is False else None
