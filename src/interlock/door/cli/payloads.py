"""What was opened of an action, as text."""

from interlock.core.canonical import Json
from interlock.door.cli.render import json_text
from interlock.door.told.payloads import Missing


def shown(value: Json | Missing, width: int) -> str:
    """Write what was opened."""
    return str(value) if isinstance(value, Missing) else json_text(value, width)
