"""Paths into JSON: `$.args.customer_id`, `args.lines[0].sku`, and in labels `$.invoices[*].id`."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid

NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]*"
PATH_PATTERN = rf"(?:\$\.)?{NAME_PATTERN}(?:\.{NAME_PATTERN}|\[[0-9]{{1,6}}\])*"

_STEP = re.compile(rf"\.?(?P<name>{NAME_PATTERN})|\[(?P<index>[0-9]{{1,6}})\]|(?P<every>\[\*\])")
_WHOLE = re.compile(PATH_PATTERN)
_LABEL = re.compile(rf"\$(?:\.{NAME_PATTERN}|\[[0-9]{{1,6}}\]|\[\*\])*")


class Every(Enum):
    """All items of a list."""

    EVERY = "[*]"


class Absent(Enum):
    """There is nothing at the path."""

    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Path:
    """The steps from the root to a value."""

    steps: tuple[str | int | Literal[Every.EVERY], ...]

    @property
    def root(self) -> str:
        """The name that the path starts with: `args`, `result`; empty for the whole."""
        return str(self.steps[0]) if self.steps else ""

    def __str__(self) -> str:
        return "".join(
            f".{step}" if isinstance(step, str) else "[*]" if isinstance(step, Every) else f"[{step}]"
            for step in self.steps
        ).removeprefix(".")


def parse(text: str) -> Path:
    """Read a path of names and indexes; a leading `$.` changes nothing.

    Raises:
        ContractInvalid: it is not one.
    """
    if not _WHOLE.fullmatch(text):
        raise ContractInvalid(f"`{text[:60]}` is not a path", fix="write one such as `$.args.customer_id`")
    return Path(_steps(text.removeprefix("$.")))


def parse_label(text: str) -> Path:
    """Read a path that starts at `$` and may stand for every item of a list with `[*]`.

    Raises:
        ContractInvalid: it is not one.
    """
    if not _LABEL.fullmatch(text):
        raise ContractInvalid(f"`{text[:60]}` is not a path", fix="write one such as `$.invoices[*].id`")
    return Path(_steps(text.removeprefix("$")))


def lookup(path: Path, value: Json) -> Json | Absent:
    """Return what is at the path. A path with `[*]` names no single value, so nothing is there."""
    for step in path.steps:
        match step, value:
            case str(), dict() if step in value:
                value = value[step]
            case int(), list() if step < len(value):
                value = value[step]
            case _:
                return Absent.ABSENT
    return value


def _steps(text: str) -> tuple[str | int | Literal[Every.EVERY], ...]:
    return tuple(
        Every.EVERY if found["every"] else int(found["index"]) if found["index"] else found["name"]
        for found in _STEP.finditer(text)
    )
