"""Where a secret lies in a store of secrets that others share: a path with all of its name in it."""

import re

from interlock.core.errors import UsageWrong
from interlock.secret.kept import SecretId

DEFAULT = "interlock/{tenant}/{workflow}/{environment}/{name}"
_NEEDED = ("{tenant}", "{workflow}", "{environment}", "{name}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def check_template(template: str) -> None:
    """See to it that no two secrets have the same path.

    Raises:
        UsageWrong: two could.
    """
    parts = template.split("/")
    plain = all(part in _NEEDED or _PART.fullmatch(part) for part in parts)
    if not plain or any(parts.count(part) != 1 for part in _NEEDED):
        raise UsageWrong(
            "a path of secrets names tenant, workflow, environment and name, each once and between `/`",
            fix=f"write one such as `{DEFAULT}`",
        )


def path_of(template: str, id: SecretId, where: str) -> str:
    """Return the path of a secret.

    Raises:
        SecretUnknown: a part of its name has no place in a path.
    """
    said = {"tenant": id.tenant, "workflow": id.workflow, "environment": id.environment, "name": id.name}
    for part in said.values():
        if not _PART.fullmatch(part):
            raise id.unknown(where, f"`{part}` has no place in a path: use letters, digits, `_`, `.` and `-`")
    return "/".join(said.get(part.strip("{}"), part) if part in _NEEDED else part for part in template.split("/"))
