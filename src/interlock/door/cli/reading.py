"""What commands read beside their options: arguments as JSON, files, spans of time."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from interlock.contract.node import text as text_node
from interlock.contract.scalar import DURATION, Wrong
from interlock.core.canonical import Json
from interlock.core.errors import InterlockError, LedgerBroken, UsageWrong
from interlock.core.ids import Micros
from interlock.core.limits import ARGUMENT_BYTES_MAX
from interlock.door.cli.render import clean
from interlock.door.cli.screen import Typed
from interlock.policy.rule import Place

Key = TypeVar("Key")


class InputWrong(InterlockError):
    """Something that stands in a file, or that a file or a contract should have, is not what it has to be."""


def arguments_text(typed: Typed) -> str:
    """Return the JSON text of the arguments, from the line or from a file; what is in it the spine judges.

    Raises:
        UsageWrong: both are given.
        InputWrong: it is too large, or not UTF-8.
    """
    given: str | None = typed.given.arguments
    file: str | None = typed.given.file
    if given is not None and file is not None:
        raise UsageWrong("the arguments are given twice", fix="write JSON, or `--args FILE`")
    if file is not None:
        return file_text(file)
    return given if given is not None else "{}"


def file_text(name: str) -> str:
    """Read a text file; `-` is standard input.

    Raises:
        InputWrong: it is too large, or not UTF-8.
        OSError: it cannot be read.
    """
    if name == "-":
        read = sys.stdin.buffer.read(ARGUMENT_BYTES_MAX + 1)
    else:
        with Path(name).open("rb") as file:
            read = file.read(ARGUMENT_BYTES_MAX + 1)
    if len(read) > ARGUMENT_BYTES_MAX:
        raise InputWrong(f"`{name}` has more than {ARGUMENT_BYTES_MAX:,} bytes", fix="hand a file over by reference")
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputWrong(f"`{name}` is not UTF-8 text", fix="save it as UTF-8") from error


def code_of(text: str) -> str:
    """Read a code that goes into the ledger: letters, digits and `._:/-`, 64 at most.

    Raises:
        UsageWrong: it is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9._:/-]{1,64}", text):
        raise UsageWrong(
            f"`{clean(text)}` is no code", fix="say `--why CASE-123`: it stands in the ledger in the clear"
        )
    return text


def json_of(text: str, what: str) -> Json:
    """Read a JSON value.

    Raises:
        UsageWrong: it is none.
    """
    try:
        return cast("Json", json.loads(text, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise UsageWrong(f"{what} is not JSON", fix="quote it for the shell: '{\"id\": 7}'") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def key_of(parse: Callable[[str], Key], text: str) -> Key:
    """Read a public key as it was typed.

    Raises:
        UsageWrong: it is none.
    """
    try:
        return parse(text)
    except LedgerBroken as broken:
        raise UsageWrong(str(broken), fix=broken.fix) from broken


def span_of(text: str) -> Micros:
    """Read a span of time such as `15m`.

    Raises:
        UsageWrong: it is none.
    """
    read = DURATION.read(text_node(text, Place(file="command line")))
    if isinstance(read, Wrong) or not read:
        raise UsageWrong(f"`{text}` is no span of time", fix="write a number and a unit: `30s`, `15m`, `2h`, `1d`")
    return read


def name_of(text: str, what: str) -> str:
    """Take a word that goes into the ledger as a name.

    Raises:
        UsageWrong: it has spaces or characters that cannot be seen, or is too long.
    """
    if not 1 <= len(text) <= _NAME_MAX or not text.isprintable() or any(char.isspace() for char in text):
        raise UsageWrong(f"the {what} is no name", fix=f"use 1 to {_NAME_MAX} characters without spaces")
    return text


_NAME_MAX = 200
