"""Comparing what an agent heard with what its ticket says it should hear."""

from collections.abc import Sequence
from itertools import zip_longest

from interlock_demo.talk import Called, Resolution
from interlock_demo.ticket import Expected, Ticket

TELLING = frozenset({"create_refund", "send_reply", "close_account"})
"""Calls that are expected one by one. Any other is only told of when it is not simply done."""


def surprises(ticket: Ticket, first: Resolution, later: Resolution | None = None) -> tuple[str, ...]:
    """Say in words where a run went otherwise than its ticket expects; nothing is well.

    Args:
        ticket: what was worked on.
        first: what `work` returned.
        later: what `follow_up` returned, once a person had decided.
    """
    found = _differences(ticket.id, ticket.expect, first)
    return (*found, *_differences(f"{ticket.id}, afterwards", ticket.later, later)) if later else tuple(found)


def _differences(where: str, expected: Sequence[Expected], resolution: Resolution) -> list[str]:
    heard = [call for call in resolution.calls if _tells(call)]
    return [
        f"{where}: expected {expect or 'nothing more'}, heard {_words(call)}"
        for expect, call in zip_longest(expected, heard)
        if expect is None or call is None or not expect.fits(call.tool, call.reply.status, call.reply.reason)
    ]


def _tells(call: Called) -> bool:
    if call.tool == "update_ticket":
        return False
    return call.tool in TELLING or call.reply.status != "done"


def _words(call: Called | None) -> str:
    if call is None:
        return "nothing"
    why = f" ({call.reply.reason})" if call.reply.reason else ""
    return f"{call.tool} {call.reply.status}{why}"
