"""What performing needs to know of a tool, as publishing pinned it."""

from typing import TypeVar

import msgspec

from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid

P = TypeVar("P", bound=msgspec.Struct)


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
