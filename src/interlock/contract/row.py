"""A table that has passed its shape, read by kind. What is not there is the default; nothing here can be wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from interlock.contract.node import Map, Node, Scalar, Seq
from interlock.contract.scalar import TEXT, Leaf, Wrong
from interlock.core.value import replace
from interlock.policy.rule import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """A table and the ways to read it."""

    map: Map

    @property
    def place(self) -> Place:
        return self.map.place

    def has(self, key: str) -> bool:
        return key in self.map.entries

    def place_of(self, key: str) -> Place:
        return self.map.place_of(key)

    def node(self, key: str) -> Node | None:
        return self.map.entries.get(key)

    def find(self, key: str, leaf: Leaf[T]) -> T | None:
        node = self.node(key)
        return read(node, leaf) if isinstance(node, Scalar) else None

    def get(self, key: str, leaf: Leaf[T], default: T) -> T:
        found = self.find(key, leaf)
        return default if found is None else found

    def text(self, key: str) -> str:
        return self.get(key, TEXT, "")

    def row(self, key: str) -> "Row":
        """Return the table at `key`, which begins at its key; an empty one where there is none."""
        node, place = self.node(key), self.place_of(key)
        return Row(replace(node, place=place) if isinstance(node, Map) else Map(entries={}, place=place))

    def rows(self) -> Iterator[tuple[str, "Row"]]:
        """Return every name with its table."""
        for name in self.map.entries:
            yield name, self.row(name)

    def items(self, key: str) -> tuple[Node, ...]:
        node = self.node(key)
        return node.items if isinstance(node, Seq) else ()

    def many(self, key: str, leaf: Leaf[T]) -> tuple[T, ...]:
        return tuple(read(item, leaf) for item in self.items(key) if isinstance(item, Scalar))

    def named(self, key: str, leaf: Leaf[T]) -> Mapping[str, T]:
        entries = self.row(key).map.entries
        return {name: read(node, leaf) for name, node in entries.items() if isinstance(node, Scalar)}


def read(scalar: Scalar, leaf: Leaf[T]) -> T:
    """Read a value that is known to have this kind."""
    value = leaf.read(scalar)
    assert not isinstance(value, Wrong), f"the shape let {scalar} through"
    return value


def place_in(root: Map, *keys: str) -> Place:
    """Find where something is written, or the nearest table around it."""
    node: Node = root
    place = root.place
    for key in keys:
        if not isinstance(node, Map) or key not in node.entries:
            break
        place, node = node.place_of(key), node.entries[key]
    return place
