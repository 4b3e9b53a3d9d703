"""Whether whoever asks is let in, and has signed what they ask for, as the door and the contract are now."""

from interlock.core.action import ActionState
from interlock.core.door import Door
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.gateway.access_check import Shut, keys_of, shut_out
from interlock.gateway.asked import Asked
from interlock.gateway.sessions import mark_of
from interlock.ports import Rows


def not_let_in(rows: Rows, asked: Asked) -> Refused | None:
    """Say why whoever asks is not let in any more, whatever they ask for, or nothing."""
    row = rows.actions[asked.action.id]
    waits = row is not None and row.state is ActionState.PARKED
    shut = shut_out(rows.door, asked.action, rows.now, waits=waits) or _over(rows, asked) or unsigned(rows.door, asked)
    if shut is None:
        return None
    why, fix = shut
    return Refused(action=asked.action.id, reason=Reason.TOOL_NOT_ALLOWED, why=why, fix=fix)


def _over(rows: Rows, asked: Asked) -> Shut | None:
    """Say that the session was ended which it is asked for in, or nothing."""
    if asked.session is None or rows.memos[mark_of(asked.session)] is None:
        return None
    return "its session was ended", "begin another session"


def unsigned(door: Door, asked: Asked) -> tuple[str, str] | None:
    """Say that its agent has not signed it with the key of today, or nothing."""
    action, agent = asked.action, asked.action.caller.agent
    keys = keys_of(door, action.caller, asked.force.contract.agents.get(agent, ""))
    if action.by is not None or keys <= {action.signed.key if action.signed is not None else ""}:
        return None
    why = f"agent `{agent}` has not signed it with the key that the contract or the token names"
    return why, "let it ask again, signed with that key"
