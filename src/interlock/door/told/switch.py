"""What is thrown, what is let act in spite of it, and what goes on meanwhile."""

from typing import Any

from interlock.core.door import BreakGlass, Switch
from interlock.door.told.measures import Time
from interlock.ports import ActionRow


def action_data(row: ActionRow) -> dict[str, Any]:
    """Return an action in flight as data."""
    caller = row.action.caller
    return {"id": row.action.id, "tool": row.action.tool, "agent": caller.agent, "since": Time(row.started_at)}


def switch_data(switch: Switch) -> dict[str, Any]:
    """Return a switch as data."""
    return {
        "id": switch.id,
        "kind": switch.kind.value,
        "scope": str(switch.scope),
        "by": switch.by,
        "at": Time(switch.at),
        "undo_too": switch.undo_too,
    }


def glass_data(glass: BreakGlass) -> dict[str, Any]:
    """Return broken glass as data."""
    return {
        "id": glass.id,
        "scope": str(glass.scope),
        "by": glass.by,
        "at": Time(glass.at),
        "until": Time(glass.until),
    }
