"""An OpenAPI document (3.0 or 3.1, YAML or JSON): read within bounds, and followed only inside itself."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from interlock.contract.node import Map, Node, Scalar, Seq
from interlock.contract.problem import Findings, nearest
from interlock.contract.yaml_text import Bounds, parse_yaml
from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid
from interlock.core.json_text import members_once, no_constant
from interlock.core.limits import OPENAPI_BYTES_MAX, OPENAPI_DEPTH_MAX, OPENAPI_NODES_MAX
from interlock.tool.beside import text_beside

METHODS = ("get", "head", "options", "put", "delete", "post", "patch", "trace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as plain JSON."""

    name: str
    root: JsonObject
    nullable: bool
    """Whether it is of 3.0, whose schemas are not quite JSON Schema."""

    def followed(self, node: object) -> JsonObject:
        """Return a table, or the one that it refers to.

        Raises:
            ContractInvalid: the reference leads nowhere, out of the document or in a circle; or it is no table.
        """
        seen: set[str] = set()
        while isinstance(node, Mapping) and isinstance(
            reference := cast("Mapping[str, object]", node).get("$ref"), str
        ):
            if reference in seen:
                raise self.wrong(f"`{reference}` refers to itself", "correct it")
            seen.add(reference)
            node = self.at(reference)
        if not isinstance(node, Mapping):
            raise self.wrong("there is something else where a table belongs", "validate the document")
        return cast("JsonObject", node)

    def at(self, reference: str) -> Any:  # noqa: ANN401  any JSON value
        """Return what a reference leads to.

        Raises:
            ContractInvalid: it leads nowhere, or out of the document.
        """
        if not reference.startswith("#/"):
            fix = "put what it refers to into the document itself: tools such as `redocly bundle` do"
            raise self.wrong(f"`{reference}` leads out of it", fix)
        found: Any = self.root
        for part in reference.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = cast("JsonObject", found)[name]
            elif isinstance(found, list) and (at := _place_in(cast("list[Any]", found), name)) is not None:
                found = cast("list[Any]", found)[at]
            else:
                raise self.wrong(f"`{reference}` leads nowhere", "correct it")
        return found

    def tables(self, node: object, what: str) -> list[JsonObject]:
        """Return each table of a list, or what it refers to.

        Raises:
            ContractInvalid: it is no list of tables.
        """
        if node is None:
            return []
        if not isinstance(node, list):
            raise self.wrong(f"`{what}` is no list", "validate the document")
        return [self.followed(item) for item in cast("list[object]", node)]

    def wrong(self, what: str, fix: str) -> ContractInvalid:
        return ContractInvalid(f"{self.name}: {what}", fix=fix)


def _place_in(items: Sequence[object], name: str) -> int | None:
    """Read which item a part of a reference means; nothing if there is no such one."""
    long = len(name) > len(str(len(items)))
    return int(name) if not long and name.isdecimal() and int(name) < len(items) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An operation as the document has it."""

    document: Document
    id: str
    method: str
    path: str
    operation: JsonObject
    item: JsonObject
    """What holds for all operations of its path."""

    def wrong(self, what: str, fix: str) -> ContractInvalid:
        return self.document.wrong(f"`{self.id}`: {what}", fix)


def find(document: Document, id: str) -> Found:
    """Find the operation of this id.

    Raises:
        ContractInvalid: there is none, or more than one.
    """
    every = list(_operations(document))
    found = [each for each in every if each.id == id]
    if not found:
        raise document.wrong(f"no operation has the id `{id}`", nearest(id, [each.id for each in every if each.id]))
    if len(found) > 1:
        raise document.wrong(f"{len(found)} operations have the id `{id}`", "give each an id of its own")
    return found[0]


def _operations(document: Document) -> Iterator[Found]:
    for path, node in _table(document.root.get("paths")).items():
        item = document.followed(node)
        for method in METHODS:
            if method in item:
                operation = document.followed(item[method])
                id = str(operation.get("operationId", ""))
                yield Found(document=document, id=id, method=method.upper(), path=path, operation=operation, item=item)


def _table(node: object) -> JsonObject:
    return cast("JsonObject", node) if isinstance(node, Mapping) else {}


def read_document(folder: Path, name: str) -> Document:
    """Read a document beside the contract.

    Raises:
        ContractInvalid: it is not there, not OpenAPI 3.0 or 3.1, or larger than anything we read.
    """
    return _read(name, text_beside(folder, name, OPENAPI_BYTES_MAX))


@lru_cache(maxsize=8)  # each tool of a contract asks for its document, and a large one takes seconds
def _read(name: str, text: str) -> Document:
    root = _json(name, text) if text.lstrip()[:1] == "{" else _yaml(name, text)
    if not isinstance(root, dict):
        raise ContractInvalid(f"{name}: it is not an OpenAPI document", fix="name a document of OpenAPI 3.0 or 3.1")
    known = cast("dict[str, Any]", root)
    version = str(known.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        said = f"OpenAPI {version}" if version else "no version of OpenAPI"
        raise ContractInvalid(f"{name}: it says {said}", fix="use a document of OpenAPI 3.0 or 3.1")
    return Document(name=name, root=known, nullable=version.startswith("3.0"))


def _json(name: str, text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=members_once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise ContractInvalid(f"{name}: this is not JSON: {error}", fix="correct the document") from error


def _yaml(name: str, text: str) -> object:
    findings = Findings()
    bounds = Bounds(depth=OPENAPI_DEPTH_MAX, nodes=OPENAPI_NODES_MAX, number_keys=True)
    node = parse_yaml(text, name, findings, bounds)
    if findings.problems or node is None:
        first = findings.problems[0]
        raise ContractInvalid(f"{first.place}: {first.what}", fix=first.fix)
    return _plain(node)


def _plain(node: Node) -> object:
    match node:
        case Map():
            return {key: _plain(each) for key, each in node.entries.items()}
        case Seq():
            return [_plain(each) for each in node.items]
        case Scalar():
            return _scalar(node)


def _scalar(scalar: Scalar) -> object:
    """Read a value as YAML 1.2 does: `no` and `on` are texts."""
    if scalar.kind == "nothing":
        return None
    if scalar.kind == "flag" and scalar.text.lower() in ("true", "false"):
        return scalar.text.lower() == "true"
    return _number(scalar.text) if scalar.kind == "number" else scalar.text


def _number(text: str) -> object:
    for read in (int, float):
        try:
            number = read(text) if "_" not in text else None
        except ValueError:
            continue
        if number is not None and math.isfinite(number):
            return number
    return text
