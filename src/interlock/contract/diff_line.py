"""One change between two contracts: which way it goes, what it is about, from what to what, and where both stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

import orjson
from msgspec import Struct, structs

from interlock.contract.ir import Contract
from interlock.policy.rule import Place

_SHOWN_MAX = 80  # a schema or a table of arguments is longer; the file has it


class Weight(Enum):
    """Which way a change goes, in the order in which changes are told."""

    LOOSER = "looser"  # something can happen that could not
    OTHER = "other"  # it may open something: nobody can order the two
    TIGHTER = "tighter"  # nothing can happen that could not
    NEITHER = "neither"  # it opens and closes nothing


@dataclass(frozen=True, slots=True)
class Line:
    """One change."""

    weight: Weight
    about: str
    what: str
    old: Place
    new: Place


def in_file(contract: Contract) -> Place:
    """Name the file where something stands nowhere in it, or in no one line."""
    return Place(file=contract.place.file)


def said(value: Any) -> str:  # noqa: ANN401  a field of a contract
    """Write a value of a contract on one line; what is long is named by its beginning."""
    if value is None or value == "" or value == () or value == {}:
        return "none"
    text = value if isinstance(value, str) else orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _plain(value: Any) -> Any:  # noqa: ANN401  a field of a contract
    match value:
        case Enum():
            return value.value
        case Place():
            return str(value)
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case frozenset() | set():
            return sorted(map(str, value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case tuple() | list():
            return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case Struct():
            return _plain(structs.asdict(value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = {each.name: getattr(value, each.name) for each in fields(value)}
            return {name: _plain(part) for name, part in parts.items() if part not in (None, "", ())}
        case _:
            return value


def ordered(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Return what differs between two tables: the name, what it was, what it will be."""
    for name in sorted(old.keys() | new.keys(), key=str):
        if old.get(name) != new.get(name):
            yield str(name), old.get(name), new.get(name)
