"""Logs of a server: one JSON object a line, on standard error. They hold no header, no body and no token."""

import logging
import sys
from typing import Any

import msgspec

from interlock.core.ids import Instant
from interlock.door.moment import iso


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        more: dict[str, Any] = getattr(record, "more", {})
        said = {
            "at": iso(Instant(int(record.created * 1_000_000))),
            "level": record.levelname.lower(),
            "says": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The words of an exception may hold anything that somebody sent.
            said["error"] = record.exc_info[0].__name__
        return msgspec.json.encode({**said, **more}).decode()


def to_standard_error(level: int = logging.INFO) -> None:
    """Send what this program says of itself to standard error, and quiet the libraries below it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("interlock", "uvicorn.error"):
        log = logging.getLogger(name)
        log.handlers = [handler]
        log.propagate = False
        log.setLevel(level if name == "interlock" else logging.WARNING)
