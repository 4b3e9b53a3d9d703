"""A condition in words, with the value that met it. For operators: an agent never sees these lines."""

from collections.abc import Mapping
from typing import assert_never, cast

import orjson

from interlock.core.canonical import JsonObject
from interlock.core.fact import Known
from interlock.policy.arguments import dotted, parts_of
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    Uncorroborated,
)
from interlock.policy.vocabulary import Question


def condition_words(condition: Condition, question: Question) -> str:
    """Say what a condition looks at and what is there, as a clause."""
    match condition:
        case Always():
            return "it is about every call"
        case Above(path=path, micros=micros):
            return f"{_quantity(path, question)}; the limit is {decimal(micros)}"
        case Outside(path=path, low=low, high=high):
            return f"{_quantity(path, question)}; the range is {decimal(low)} to {decimal(high)}"
        case OneOf(path=path, values=values):
            listed = ", ".join(f"`{value}`" for value in values)
            return f"`{dotted(path)}` is {_argument(path, question)}; it speaks of {listed}"
        case FactIsNot(name=name, value=value):
            return f"{fact_words(name, question)}; it speaks of anything but {as_text(value)}"
        case Before(instant=instant):
            return f"it is {question.now}; the end is {instant} (microseconds since 1970)"
        case AsUndo():
            return f"the call {'reverses' if question.undo else 'does not reverse'} an earlier one; it speaks of undos"
        case Uncorroborated():
            return (
                f"the run has {'' if question.tainted else 'not '}read text from outside, and its arguments are "
                f"{'' if question.corroborated else 'not '}vouched for by trusted sources"
            )
        case _:
            assert_never(condition)


def fact_words(name: str, question: Question) -> str:
    """Say what is known of a fact."""
    fact = question.facts.get(name)
    if isinstance(fact, Known):
        return f"`{name}` is {as_text(fact.value)}"
    return f"`{name}` is unknown" + (f" ({fact.why})" if fact is not None else "")


def decimal(micros: int) -> str:
    """Write millionths as a decimal number."""
    whole, rest = divmod(abs(micros), 1_000_000)
    shown = f"{whole:,}" + (f".{rest:06d}".rstrip("0") if rest else "")
    return f"-{shown}" if micros < 0 else shown


def as_text(value: object) -> str:
    """Write a JSON value on one line."""
    return orjson.dumps(value, default=repr).decode()


def value_at(path: tuple[str, ...], context: JsonObject, question: Question) -> str:
    """Say what Cedar found at a path of the context. Quantities stand there in millionths, as policies count them."""
    if path[0] == "facts" and len(path) > 1:
        return fact_words(path[1], question)
    return f"`context.{'.'.join(path)}` is {_found(path, context)}"


def _quantity(path: str, question: Question) -> str:
    micros = question.quantities.get(dotted(path))
    return f"`{dotted(path)}` is {'not there' if micros is None else decimal(micros)}"


def _argument(path: str, question: Question) -> str:
    return _found(parts_of(path), orjson.loads(question.arguments))


def _found(path: tuple[str, ...], here: object) -> str:
    for part in path:
        if not isinstance(here, Mapping) or part not in here:
            return "not there"
        here = cast("JsonObject", here)[part]
    return as_text(here)
