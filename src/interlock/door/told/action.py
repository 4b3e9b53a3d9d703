"""Where an action stands."""

from typing import Any

from interlock.door.told.measures import Time, usd
from interlock.ports import ActionRow


def row_data(row: ActionRow) -> dict[str, Any]:
    """Return where an action stands as data."""
    action, caller = row.action, row.action.caller
    return {
        "id": action.id,
        "state": row.state.value,
        "tool": action.tool,
        "effect": action.effect.value,
        "tier": action.tier.value,
        "workflow": caller.workflow,
        "environment": caller.environment,
        "agent": caller.agent,
        "principal": caller.principal,
        "run": action.run,
        "asked_by": action.by,
        "asked_at": Time(action.asked_at),
        "changed_at": Time(row.changed_at),
        "cost_usd": usd(row.cost.micros),
        "check": row.check,
        "reason": row.reason.value if row.reason else None,
        "why": row.why.partition("\n")[0] or None,
        "undo_of": action.undo_of,
        "retry_of": action.retry_of,
        "draft_of": action.draft_of,
        "undone_by": row.undone_by,
        "undo_until": Time(row.undo_until) if row.undo_until else None,
        "pruned": row.pruned is not None,
    }
