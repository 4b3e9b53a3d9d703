"""Single values, read exactly: money, durations, percentages, rates, dates, names. What would be rounded is refused."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, Literal, TypeVar

from interlock.contract.expr import parse as parse_expression
from interlock.contract.node import Scalar, flag_of
from interlock.contract.path import parse as parse_path
from interlock.contract.path import parse_label
from interlock.contract.problem import nearest
from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Instant, Micros
from interlock.core.limits import SAFE_INTEGER
from interlock.core.money import micros_of

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
W = TypeVar("W", bound=str)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a value cannot be read."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf(Generic[T_co]):
    """A kind of single value: what it is in words, how it is read, and its JSON Schema."""

    says: str
    read: Callable[[Scalar], T_co | Wrong]
    schema: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in an hour or a day."""

    count: int
    period: Literal["hour", "day"]


def matching(says: str, pattern: str, example: str) -> Leaf[str]:
    """Make the kind of texts that match a pattern as a whole."""

    def read(scalar: Scalar) -> str | Wrong:
        if scalar.kind != "text":
            return _not_text(scalar, says)
        if not re.fullmatch(pattern, scalar.text):
            return Wrong(f"expected {says}, found {scalar}", f"write one such as `{example}`")
        return scalar.text

    return Leaf(says=says, read=read, schema={"type": "string", "pattern": f"^(?:{pattern})$", "description": says})


def _not_text(scalar: Scalar, says: str) -> Wrong:
    if scalar.kind == "nothing":
        return Wrong(f"expected {says}, found nothing", "write it, or remove the key")
    return Wrong(f"expected {says}, found the {scalar.kind} {scalar}", f'put it in quotes: `"{scalar.text[:60]}"`')


def one_of(*words: W) -> Leaf[W]:
    """Make the kind of texts that are one of a closed list."""
    named = {str(word): word for word in words}
    says = "one of " + ", ".join(f"`{word}`" for word in words)

    def read(scalar: Scalar) -> W | Wrong:
        # YAML reads a bare `no` or `on` as a flag; in a closed list its text is what was meant.
        if scalar.kind in {"number", "nothing"} or scalar.text not in named:
            return Wrong(f"unknown word {scalar}", nearest(scalar.text, named))
        return named[scalar.text]

    return Leaf(says=says, read=read, schema={"enum": list(words)})


def _number(says: str, example: str, convert: Callable[[str], T | None], schema: Mapping[str, Json]) -> Leaf[T]:
    """Make a kind of plain decimal numbers: no exponent, no sign of a plus, no underscores, no other base."""

    def read(scalar: Scalar) -> T | Wrong:
        value = convert(scalar.text) if scalar.kind == "number" and is_plain_number(scalar.text) else None
        if value is None:
            return Wrong(f"expected {says}, found {scalar}", f"write a plain number such as `{example}`")
        return value

    return Leaf(says=says, read=read, schema={**schema, "description": says})


def is_plain_number(text: str) -> bool:
    """Whether it is a decimal number of at most 15 digits, which every reader of JSON understands alike."""
    return bool(_PLAIN.fullmatch(text)) and sum(map(str.isdigit, text)) <= _DIGITS_MAX


def _between(low: int, high: int, convert: Callable[[str], int | None]) -> Callable[[str], int | None]:
    def bounded(text: str) -> int | None:
        value = convert(text)
        return value if value is not None and low <= value <= high else None

    return bounded


def _whole(text: str) -> int | None:
    return None if "." in text else int(text)


def _read_text(scalar: Scalar) -> str | Wrong:
    if scalar.kind != "text":
        return _not_text(scalar, "text")
    if not scalar.text.strip() or len(scalar.text) > _TEXT_MAX:
        return Wrong(f"expected text of 1 to {_TEXT_MAX:,} characters", "write it, or remove the key")
    return scalar.text


def _read_flag(scalar: Scalar) -> bool | Wrong:
    if scalar.kind != "flag":
        return Wrong(f"expected `true` or `false`, found {scalar}", "write `true` or `false`, without quotes")
    return flag_of(scalar)


def _read_duration(scalar: Scalar) -> Micros | Wrong:
    found = _DURATION.fullmatch(scalar.text)
    micros = int(found["count"]) * DURATION_UNITS[found["unit"]] if found else SAFE_INTEGER + 1
    if micros > SAFE_INTEGER:
        return Wrong(
            f"expected {_A_DURATION}, found {scalar}",
            "write a whole number and a unit: `200ms`, `6s`, `10m`, `48h`, `14d`, `7y`",
        )
    return Micros(micros)


def _read_days(scalar: Scalar) -> int | Wrong:
    found = _DAYS.fullmatch(scalar.text)
    if not found:
        return Wrong(f"expected {_WHOLE_DAYS}, found {scalar}", "write days or years: `30d`, `90d`, `7y`")
    return int(found["count"]) * DURATION_UNITS[found["unit"]] // DURATION_UNITS["d"]


def _read_percent(scalar: Scalar) -> int | Wrong:
    number = scalar.text.removesuffix("%")
    micros = micros_of(number) if number != scalar.text and is_plain_number(number) else None
    if micros is None or not 0 <= micros <= 100_000_000:
        return Wrong(f"expected {_A_PERCENTAGE}, found {scalar}", "write `0%` to `100%`, such as `0.5%`")
    return micros


def _read_rate(scalar: Scalar) -> Rate | Wrong:
    found = _RATE.fullmatch(scalar.text)
    if not found:
        return Wrong(f"expected {_A_RATE}, found {scalar}", "write calls an hour or a day: `30/h`, `100/d`")
    return Rate(int(found["count"]), "hour" if found["unit"] == "h" else "day")


def _read_date(scalar: Scalar) -> Instant | Wrong:
    try:
        day = date.fromisoformat(scalar.text) if _DATE.fullmatch(scalar.text) else None
    except ValueError:
        day = None
    if day is None or day.year < 1970:
        return Wrong(f"expected {_A_DATE}, found {scalar}", "write year, month and day: `2026-12-19`")
    return Instant((day.toordinal() - date(1970, 1, 1).toordinal()) * DURATION_UNITS["d"])


def _read_hook_argument(scalar: Scalar) -> str | Wrong:
    if scalar.kind == "text" and scalar.text.startswith("$."):
        return PATH.read(scalar)
    if scalar.kind == "text" and _MEANT_AS_PATH.match(scalar.text):
        # Sent as it is written, it would be a wrong value that nobody notices.
        return Wrong(f"{scalar} would be sent as a text", "write a path as `$.args.customer_id`")
    return _read_text(scalar)


def _parsed(says: str, parse: Callable[[str], object], schema: Mapping[str, Json]) -> Leaf[str]:
    """Make the kind of texts that a parser accepts."""

    def read(scalar: Scalar) -> str | Wrong:
        if scalar.kind != "text":
            return _not_text(scalar, says)
        try:
            parse(scalar.text)
        except ContractInvalid as error:
            return Wrong(str(error), error.fix)
        return scalar.text

    return Leaf(says=says, read=read, schema={"type": "string", "description": says, **schema})


_DIGITS_MAX = 15  # a float keeps as many, so that sections that are kept as JSON stay exact
_TEXT_MAX = 10_000
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DURATION = re.compile(r"(?P<count>0|[1-9][0-9]{0,9})(?P<unit>ms|[smhdy])")
_DAYS = re.compile(r"(?P<count>[1-9][0-9]{0,4})(?P<unit>[dy])")
_RATE = re.compile(r"(?P<count>[1-9][0-9]{0,8})/(?P<unit>[hd])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MEANT_AS_PATH = re.compile(r"\$|(?:args|result)[.\[]")
_A_DURATION = "a duration such as `6s`"
_WHOLE_DAYS = "whole days such as `90d`"
_A_PERCENTAGE = "a percentage such as `0.5%`"
_A_RATE = "a rate such as `30/h`"
_A_DATE = "a date such as `2026-12-19`"

DURATION_UNITS: Mapping[str, int] = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60 * 1_000_000,
    "h": 3_600 * 1_000_000,
    "d": 86_400 * 1_000_000,
    "y": 365 * 86_400 * 1_000_000,
}
"""Microseconds in a unit; a year has 365 days."""

TEXT = Leaf(says="text", read=_read_text, schema={"type": "string", "minLength": 1, "maxLength": _TEXT_MAX})
NAME = matching("a name of letters, digits, `_`, `.` and `-`", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "support-refunds")
LOGIN = matching(
    "the fingerprint of a key, or a login at an issuer",
    r"key:SHA256:[A-Za-z0-9+/]{43}|[A-Za-z0-9._|:+@-]{1,128}@[A-Za-z0-9_.-]{1,64}",
    "key:SHA256:" + "A" * 43,
)
PERSON = matching("a person's name in this system, without spaces", r"[^\s]{1,200}", "ada@example.com")
SOURCE = matching("a source", r"(?:python|mcp|openapi|sql|page|browser):\S{1,500}", "mcp:desk/send_reply")
DOCUMENT = matching("a file as `from` names it", r"[^\s#]{1,500}", "billing.yaml")
ADDRESS = matching("an address", r"https?://\S{1,500}", "https://billing.example.com/v1")
POSTGRES = matching("an address of Postgres", r"postgres(?:ql)?://\S{1,500}", "postgresql://reader@db.example.com/crm")
SETTING = matching("the name of a setting of Postgres", r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*", "app.tenant")
FLAG = Leaf(says="`true` or `false`", read=_read_flag, schema={"type": "boolean"})
VERSION = _number("`1`, the version of this format", "1", _between(1, 1, _whole), {"const": 1})
COUNT = _number("a whole number, 0 or more", "8", _between(0, SAFE_INTEGER, _whole), {"type": "integer", "minimum": 0})
POSITIVE = _number(
    "a whole number, 1 or more", "1", _between(1, SAFE_INTEGER, _whole), {"type": "integer", "minimum": 1}
)
MONEY = _number(
    "an amount of US dollars, 0 or more, with at most 6 decimals",
    "49.99",
    _between(0, SAFE_INTEGER, micros_of),
    {"type": "number", "minimum": 0},
)
DECIMAL = _number(
    "a number, 0 or more, with at most 6 decimals",
    "2.5",
    _between(0, SAFE_INTEGER, micros_of),
    {"type": "number", "minimum": 0},
)
ANY_NUMBER = _number("a number", "2.5", _between(-SAFE_INTEGER, SAFE_INTEGER, micros_of), {"type": "number"})
RATIO = _number(
    "a number from 0 to 1", "0.95", _between(0, 1_000_000, micros_of), {"type": "number", "minimum": 0, "maximum": 1}
)
DURATION = Leaf(
    says=_A_DURATION,
    read=_read_duration,
    schema={"type": "string", "pattern": r"^(?:0|[1-9][0-9]{0,9})(?:ms|[smhdy])$", "description": _A_DURATION},
)
DAYS = Leaf(
    says=_WHOLE_DAYS,
    read=_read_days,
    schema={"type": "string", "pattern": r"^[1-9][0-9]{0,4}[dy]$", "description": _WHOLE_DAYS},
)
"""A number of days; a year has 365."""
PERCENT = Leaf(
    says=_A_PERCENTAGE,
    read=_read_percent,
    schema={"type": "string", "pattern": r"^[0-9]+(?:\.[0-9]+)?%$", "description": _A_PERCENTAGE},
)
"""In millionths of a percent."""
RATE = Leaf(
    says=_A_RATE,
    read=_read_rate,
    schema={"type": "string", "pattern": r"^[1-9][0-9]{0,8}/[hd]$", "description": _A_RATE},
)
DATE = Leaf(
    says=_A_DATE,
    read=_read_date,
    schema={"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": _A_DATE},
)
"""The beginning of that day in UTC."""
PATH = _parsed("a path such as `args.invoice_id`", parse_path, {})
LABEL_PATH = _parsed("a path such as `$.invoices[*].id`", parse_label, {"pattern": r"^\$"})
EXPRESSION = _parsed("an expression such as `result.amount == args.amount_usd`", parse_expression, {})
HOOK_ARGUMENT = Leaf(says="a path or a text", read=_read_hook_argument, schema={"type": "string", "minLength": 1})
HOOK_TOOL = matching(
    "a tool or a source",
    r"(?:python|mcp|openapi|sql|page|browser):\S{1,500}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
    "list_chargebacks",
)
BREAKER_CONDITION = matching(
    "a condition over a window of time",
    r"[a-z_][a-z0-9_.]* (?:>|>=|<|<=) [0-9]+(?:\.[0-9]+)?(?:%|x baseline)? over [1-9][0-9]*(?:ms|[smhd])",
    "action_error_rate > 0.5% over 5m",
)
SHADOW = matching("a number of runs", r"[1-9][0-9]{0,8} runs?", "200 runs")
ROUTE = matching("a provider and a model", r"[A-Za-z0-9_.-]+:[^\s]{1,200}", "openai:gpt-small")
GLOB = matching("a path of policy files", r"[^\s]{1,500}\.cedar", "org/*.cedar")
