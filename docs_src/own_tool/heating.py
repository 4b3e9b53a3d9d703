"""Heat the rooms of a house."""

import json
from pathlib import Path

STATE = Path("heating.json")


def _rooms() -> dict[str, int]:
    return json.loads(STATE.read_text("utf-8")) if STATE.exists() else {}


def set_target(room: str, degrees: int) -> dict[str, int]:
    """Set how warm a room is to be, in degrees Celsius."""
    before = _rooms().get(room, 18)
    STATE.write_text(json.dumps({**_rooms(), room: degrees}), "utf-8")
    return {"before": before, "now": degrees}
