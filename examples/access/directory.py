"""A toy company directory: who may use which system. Each function is a tool; its types are its schema."""

import json
from pathlib import Path

GRANTS = Path("grants.json")


def grant_access(user: str, system: str) -> dict[str, str]:
    """Let a user into a system."""
    grants = _read()
    grants[f"{user}/{system}"] = "granted"
    GRANTS.write_text(json.dumps(grants, indent=2), encoding="utf-8")
    return {"user": user, "system": system}


def revoke_access(user: str, system: str) -> dict[str, str]:
    """Shut a user out of a system."""
    grants = _read()
    grants.pop(f"{user}/{system}", None)
    GRANTS.write_text(json.dumps(grants, indent=2), encoding="utf-8")
    return {"user": user, "system": system}


def list_access(user: str) -> list[str]:
    """List the systems that a user may use."""
    return [name.partition("/")[2] for name in _read() if name.partition("/")[0] == user]


def _read() -> dict[str, str]:
    return json.loads(GRANTS.read_text(encoding="utf-8")) if GRANTS.exists() else {}
