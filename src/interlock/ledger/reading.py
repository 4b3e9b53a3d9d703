"""An entry, read back from its bytes. What is not exactly as `seal` writes it is not an entry.

The fields stand in the order of their names, so that writing an entry again gives the same bytes.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Tier
from interlock.core.errors import LedgerBroken
from interlock.core.reason import Reason
from interlock.ledger.seal import Kind

Format = Literal[1]


class HoldLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was set aside in one budget."""

    amount: int
    budget: str
    limit: int
    unit: Unit


class UsedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grant that opened the action."""

    grant: str
    known_by: str
    person: str


class ActionLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happened to an action."""

    action: str
    agent: str
    asked_at: int
    asked_by: str
    at: int
    check: str
    contract: str
    cost: int
    costs: Mapping[str, int]
    decision: str
    detail: Mapping[str, str]
    draft_of: str
    effect: EffectClass
    environment: str
    epoch: int
    facts: str
    fence: int
    format: Format
    grants: tuple[UsedLine, ...]
    holds: tuple[HoldLine, ...]
    kind: Kind
    known_by: str = ""
    """Left out where nobody said how the agent was known."""
    label: str
    lease_until: int
    overrun: bool
    principal: str
    process: str
    reason: str
    result: str
    retry_of: str
    rules: tuple[str, ...]
    run: str
    slice: str
    state: ActionState
    tenant: str
    tier: Tier
    tool: str
    undo_of: str
    what: str
    workflow: str


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person changed."""

    at: int
    by: str
    detail: Mapping[str, str | int]
    epoch: int
    format: Format
    kind: Kind
    known_by: str
    process: str


EntryLine = ActionLine | ChangeLine

_ACTION = msgspec.json.Decoder(ActionLine)
_CHANGE = msgspec.json.Decoder(ChangeLine)
_REASONS = frozenset({"", *(reason.value for reason in Reason)})
_encode = msgspec.json.Encoder(order="deterministic").encode


def read(line: bytes) -> EntryLine:
    """Read the bytes of an entry.

    Raises:
        LedgerBroken: they are not an entry of a known format, or not in canonical form.
    """
    decoder = _ACTION if line.startswith(b'{"action":') else _CHANGE
    try:
        entry = decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _not_an_entry("it is not an entry of a known format") from error
    if isinstance(entry, ActionLine) and entry.reason not in _REASONS:
        raise _not_an_entry("its reason is not one of the list")
    if _encode(entry) != line:
        raise _not_an_entry("its bytes are not in canonical form")
    return entry


def _not_an_entry(why: str) -> LedgerBroken:
    return LedgerBroken(why, fix="read it with a version of Interlock that knows its format, or restore it")
