"""How the undo of effects would go, and how it went."""

from typing import Any

from interlock.door.told.measures import Time
from interlock.door.told.outcome import to_people
from interlock.gateway.reverse import Reversal
from interlock.gateway.reverse_run import RunUndone


def reversal_data(step: Reversal) -> dict[str, Any]:
    """Return how one effect would be undone, or why it cannot be, as data."""
    return {
        "effect": step.action,
        "tool": step.tool,
        "undo_tool": step.undo_tool,
        "arguments": step.arguments.decode() or None,
        "until": Time(step.until) if step.until else None,
        "why_not": step.why_not or None,
    }


def run_undone_data(done: RunUndone) -> dict[str, Any]:
    """Return how far the undo of a run has come as data."""
    return {
        "whole": done.whole,
        "undone": [{"effect": step.action, "undo": to_people(outcome)} for step, outcome in done.ended],
        "cannot_be_undone": list(map(reversal_data, done.cannot)),
        "not_tried": list(map(reversal_data, done.not_tried)),
        "waits": list(done.waits),
        "stopped": {"why": str(done.stopped), "fix": done.stopped.fix} if done.stopped is not None else None,
    }
