"""Values as a contract writes them, and their YAML: the way back from `scalar.py`."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import yaml

from interlock.contract.scalar import DURATION_UNITS
from interlock.core.canonical import Json
from interlock.core.ids import Instant


class Number(str):
    """The text of a number."""

    __slots__ = ()


Written = Mapping[str, "Written"] | Sequence["Written"] | str | bool


def count(value: int) -> Number:
    """Write a whole number."""
    return Number(value)


def micros(value: int) -> Number:
    """Write millionths as a decimal, with no digit more than it needs."""
    whole, rest = divmod(value, 1_000_000)
    return Number(f"{whole}.{rest:06d}".rstrip("0").rstrip("."))


def duration(value: int) -> str:
    """Write microseconds in the largest unit that they are a multiple of."""
    for unit in ("y", "d", "h", "m", "s", "ms"):
        if value and value % DURATION_UNITS[unit] == 0:
            return f"{value // DURATION_UNITS[unit]}{unit}"
    assert value == 0, "a duration is read in milliseconds at the least"
    return "0s"


def days(value: int) -> str:
    """Write so many days."""
    return duration(value * DURATION_UNITS["d"])


def day(value: Instant) -> str:
    """Write the day that an instant is in, in UTC."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + value // DURATION_UNITS["d"]).isoformat()


def json_value(value: Json) -> Written:
    """Write JSON that a contract keeps as it was."""
    match value:
        case dict():
            return {key: json_value(each) for key, each in value.items()}
        case list():
            return [json_value(each) for each in value]
        case bool() | str():
            return value
        case float():
            return Number(format(Decimal(repr(value)), "f"))
        case _:
            return Number("null" if value is None else str(value))


def table(**entries: Written | None) -> dict[str, Written]:
    """Make a table of the entries that are there; a trailing `_` keeps a key from being a word of Python."""
    return {key.rstrip("_"): value for key, value in entries.items() if value is not None}


def yaml_text(tree: Written) -> str:
    """Write YAML: the same text for the same tree, whatever the platform."""
    return str(yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=70, default_flow_style=False))


class _Dumper(yaml.SafeDumper):
    """Writes every value out; no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _number(dumper: yaml.SafeDumper, value: Number) -> yaml.ScalarNode:
    kind = "null" if value == "null" else "float" if "." in value else "int"
    return dumper.represent_scalar(  # pyright: ignore[reportUnknownMemberType]  untyped in its stubs
        f"tag:yaml.org,2002:{kind}", str(value)
    )


_Dumper.add_representer(Number, _number)
