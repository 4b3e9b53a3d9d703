"""`keys new`: a key file that a person signs approvals with."""

from pathlib import Path

from interlock.core.errors import InterlockError, UsageWrong
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.identity.key_file import make_key


def new(typed: Typed) -> int:
    """Make a key file, readable by its owner alone."""
    name: str = typed.given.name
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
        raise UsageWrong(f"`{name}` cannot be the name of a key", fix="use letters, digits, `_`, `.` and `-`")
    path = Path(typed.given.out or f"{name}.pem")
    try:
        known_by = make_key(path)
    except FileExistsError as error:
        raise InterlockError(f"`{path}` is there already", fix="name another file: `--out FILE`") from error
    pairs = [
        ("key", path),
        ("known by", known_by),
        ("in the contract", f"approvals: {{ keys: {{ {name}: ['{known_by}'] }} }}"),
        ("to sign", f"`interlock approvals approve ACTION --sign-with {path}`"),
    ]
    typed.screen.show({"name": name, "file": str(path), "known_by": known_by}, block(pairs, typed.screen.width))
    return 0
