"""The functions of `docs/contract.md`: rooms that are booked, kept in a file beside it."""

import json
from pathlib import Path

BOOKINGS = Path("bookings.json")


def book(room: str, day: str, seats: int = 4) -> dict[str, str]:
    """Book a room for a day."""
    BOOKINGS.write_text(json.dumps({**_read(), f"{room} {day}": seats}, indent=2), encoding="utf-8")
    return {"room": room, "day": day}


def cancel(room: str, day: str) -> dict[str, str]:
    """Give a room back."""
    kept = {name: seats for name, seats in _read().items() if name != f"{room} {day}"}
    BOOKINGS.write_text(json.dumps(kept, indent=2), encoding="utf-8")
    return {"room": room, "day": day}


def is_taken(room: str, day: str) -> bool:
    """Say whether somebody has booked a room for a day."""
    return f"{room} {day}" in _read()


def _read() -> dict[str, int]:
    return json.loads(BOOKINGS.read_text(encoding="utf-8")) if BOOKINGS.exists() else {}
