"""Shapes: what may stand where in a contract. One description, from which come strict reading and the JSON Schema."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.contract.node import Map, Node, Scalar, Seq
from interlock.contract.problem import Findings, closest, nearest
from interlock.contract.scalar import Leaf, Wrong, is_plain_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """A list."""

    of: "Shape"
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A table whose keys are names that the contract chooses."""

    of: "Shape"
    names: Leaf[str]
    only_one: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose keys are ours: fixed ones, ones with a fixed beginning, and names for the rest, by `others`."""

    keys: Mapping[str, "Shape"]
    needed: frozenset[str] = frozenset()
    starts: Mapping[str, "Shape"] = field(default_factory=dict[str, "Shape"])
    others: Named | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """A single value, or the long form of the same."""

    short: Leaf[object]
    long: "Many | Named | Table"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyJson:
    """A table that is handed on as it is, such as a JSON Schema."""


Shape = Leaf[object] | Many | Named | Table | Either | AnyJson


def fit(shape: Shape, node: Node, findings: Findings) -> Node | None:
    """Return the part of `node` that has the shape, and say what has not. A table that is none becomes empty."""
    match shape:
        case Leaf():
            return _fit_leaf(shape, node, findings)
        case Many():
            return _fit_many(shape, node, findings)
        case Named():
            return _fit_named(shape, node, findings)
        case Table():
            return _fit_table(shape, node, findings)
        case Either():
            return fit(shape.short if isinstance(node, Scalar) else shape.long, node, findings)
        case AnyJson():
            return _fit_json(node, findings)


def _fit_leaf(leaf: Leaf[object], node: Node, findings: Findings) -> Scalar | None:
    if not isinstance(node, Scalar):
        findings.wrong(node.place, f"expected {leaf.says}, found {node}", "write a single value")
        return None
    value = leaf.read(node)
    if isinstance(value, Wrong):
        findings.wrong(node.place, value.what, value.fix)
        return None
    return node


def _fit_many(shape: Many, node: Node, findings: Findings) -> Seq:
    if not isinstance(node, Seq):
        findings.wrong(node.place, f"expected a list, found {node}", "write a list: `[one, two]`")
        return Seq(items=(), place=node.place)
    if len(node.items) < shape.least:
        findings.wrong(node.place, "the list is empty", "name at least one, or remove the key")
    fitted = (fit(shape.of, item, findings) for item in node.items)
    return Seq(items=tuple(item for item in fitted if item is not None), place=node.place)


def _fit_named(shape: Named, node: Node, findings: Findings) -> Map:
    if not isinstance(node, Map):
        return _no_table(node, findings)
    if shape.only_one and len(node.keys) != 1:
        findings.wrong(node.place, "expected one name and what holds for it", "begin a new item of the list for each")
    entries: dict[str, Node | None] = {}
    for key, value in node.entries.items():
        if _is_name(shape.names, key, node, findings):
            entries[key] = fit(shape.of, value, findings)
    return _kept(node, entries)


def _fit_table(shape: Table, node: Node, findings: Findings) -> Map:
    if not isinstance(node, Map):
        return _no_table(node, findings)
    entries: dict[str, Node | None] = {}
    for key, value in node.entries.items():
        inner = shape.keys.get(key) or _by_start(shape, key)
        if inner is not None:
            entries[key] = fit(inner, value, findings)
        elif shape.others is None:
            known = [*shape.keys, *(f"{start}..." for start in shape.starts)]
            findings.wrong(node.place_of(key), f"unknown key `{key}`", nearest(key, known))
        elif isinstance(shape.others.of, Table) and not isinstance(value, Map) and closest(key, shape.keys):
            # What a name stands for is a table, so this was meant as one of our keys.
            findings.wrong(node.place_of(key), f"unknown key `{key}`", nearest(key, shape.keys))
        elif _is_name(shape.others.names, key, node, findings):
            entries[key] = fit(shape.others.of, value, findings)
    for key in sorted(shape.needed - node.keys.keys()):
        findings.wrong(node.place, f"`{key}` is missing", f"add `{key}: ...`")
    return _kept(node, entries)


def _fit_json(node: Node, findings: Findings) -> Node | None:
    match node:
        case Scalar() if node.kind == "number" and not is_plain_number(node.text):
            findings.wrong(node.place, f"{node} is not a plain number", "write at most 15 digits, in decimal")
            return None
        case Scalar():
            return node
        case Seq():
            fitted = (_fit_json(item, findings) for item in node.items)
            return Seq(items=tuple(item for item in fitted if item is not None), place=node.place)
        case Map():
            return _kept(node, {key: _fit_json(value, findings) for key, value in node.entries.items()})


def _no_table(node: Node, findings: Findings) -> Map:
    findings.wrong(node.place, f"expected a table, found {node}", "write `key: value` lines below it, or `{}`")
    return Map(entries={}, place=node.place)


def _kept(node: Map, entries: Mapping[str, Node | None]) -> Map:
    there = {key: value for key, value in entries.items() if value is not None}
    return Map(entries=there, place=node.place, keys={key: node.place_of(key) for key in there})


def _by_start(shape: Table, key: str) -> Shape | None:
    return next((inner for start, inner in shape.starts.items() if key.startswith(start) and key != start), None)


def _is_name(names: Leaf[str], key: str, node: Map, findings: Findings) -> bool:
    value = names.read(Scalar(text=key, kind="text", place=node.place_of(key)))
    if isinstance(value, Wrong):
        findings.wrong(node.place_of(key), value.what, value.fix)
        return False
    return True
