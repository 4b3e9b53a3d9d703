"""What performing needs to know of a tool: written down and pinned by publishing, and read back."""

from typing import TypeVar, cast

import msgspec

from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid

P = TypeVar("P", bound=msgspec.Struct)


def how_of(plan: msgspec.Struct) -> JsonObject:
    """Write a plan as a contract keeps it."""
    return cast("JsonObject", msgspec.json.decode(msgspec.json.encode(plan)))


def plan_of(how: JsonObject | None, kind: type[P]) -> P:
    """Read a plan back.

    Raises:
        ContractInvalid: another version wrote it.
    """
    try:
        return msgspec.convert(how, kind)
    except msgspec.ValidationError as error:
        fix = "publish the contract again: `interlock contract publish FILE --env ENV`"
        raise ContractInvalid("how it is carried out was pinned by another version", fix=fix) from error
