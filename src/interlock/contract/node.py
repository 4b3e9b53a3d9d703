"""A file as it was written: scalars with their literal text, lists and tables, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from interlock.core.canonical import Json
from interlock.policy.rule import Place

Kind = Literal["text", "number", "flag", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value. A number is its literal text, so that `49.99` is never a float."""

    text: str
    kind: Kind
    place: Place

    def __str__(self) -> str:
        return f"`{self.text[:60]}`" if self.kind != "nothing" else "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq:
    """A list."""

    items: tuple["Node", ...]
    place: Place

    def __str__(self) -> str:
        return "a list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """A table: names and what they stand for, in the order of the file."""

    entries: Mapping[str, "Node"]
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict[str, Place])
    """Where each name is written."""

    def __str__(self) -> str:
        return "a table"

    def place_of(self, key: str) -> Place:
        return self.keys.get(key, self.place)


Node = Scalar | Seq | Map


def text(value: str, place: Place) -> Scalar:
    """Make a text that is not in the file, at the place that led to it."""
    return Scalar(text=value, kind="text", place=place)


def table(entries: Mapping[str, Node | None], place: Place) -> Map:
    """Make a table of the entries that are there, each at its own place."""
    there = {key: node for key, node in entries.items() if node is not None}
    return Map(entries=there, place=place, keys={key: node.place for key, node in there.items()})


def flag_of(scalar: Scalar) -> bool:
    """Read `true`, `yes` and `on` as YAML does."""
    return scalar.text.lower() in {"true", "yes", "on"}


def plain(node: Node) -> Json:
    """Turn a node that has passed its shape into plain JSON. Numbers have at most 15 digits, which a float keeps."""
    match node:
        case Map():
            return {key: plain(each) for key, each in node.entries.items()}
        case Seq():
            return [plain(each) for each in node.items]
        case Scalar():
            return _plain_scalar(node)


def _plain_scalar(scalar: Scalar) -> Json:
    match scalar.kind:
        case "text":
            return scalar.text
        case "flag":
            return flag_of(scalar)
        case "nothing":
            return None
        case "number":
            return float(scalar.text) if "." in scalar.text else int(scalar.text)
