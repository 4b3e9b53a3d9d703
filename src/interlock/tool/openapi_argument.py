"""One argument of an operation: what it may be, and where it goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.tool.openapi_document import Found
from interlock.tool.openapi_plan import Sent
from interlock.tool.openapi_schema import Schema
from interlock.tool.openapi_style import Unsendable


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument, as agents see it."""

    sent: Sent
    schema: Schema
    needed: bool

    @property
    def name(self) -> str:
        return self.sent.argument


def sendable(
    found: Found, sent: Sent | Unsendable, what: str, schema: Schema, *, needed: bool, about: object = None
) -> Argument | Unsendable:
    """Make an argument of what can be sent. What cannot be is none.

    Args:
        found: the operation.
        sent: where it goes, or why it cannot go there.
        what: names it to people: `its query parameter`.
        schema: what it may be.
        needed: whether the operation cannot be asked without it.
        about: what the document says of it.

    Raises:
        ContractInvalid: it is needed, and cannot be sent.
    """
    if isinstance(sent, Unsendable):
        if needed:
            raise found.wrong(f"{what} `{sent.name}` {sent.why}", "name an operation without it")
        return sent
    if isinstance(about, str) and isinstance(schema, dict) and "description" not in schema:
        schema = {**schema, "description": about}
    return Argument(sent=sent, schema=schema, needed=needed)


def unlike(found: Found, arguments: Sequence[Argument]) -> dict[str, Argument]:
    """Return arguments by their names.

    Raises:
        ContractInvalid: two have one name.
    """
    named: dict[str, Argument] = {}
    for argument in arguments:
        other = named.setdefault(argument.name, argument)
        if other is not argument:
            places = f"into the {other.sent.place}, and into the {argument.sent.place}"
            fix = "give one of them another name in the document, if the other side allows it"
            raise found.wrong(f"two of its arguments are named `{argument.name}`: {places}", fix)
    return named


def notes_of(parts: Sequence[Argument | Unsendable]) -> Iterator[str]:
    """Say which parts are no arguments, and why."""
    return (f"`{part.name}` is no argument: it {part.why}" for part in parts if isinstance(part, Unsendable))
