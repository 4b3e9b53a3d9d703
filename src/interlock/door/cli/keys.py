"""`keys new`: a key file that a person signs approvals with, or an agent what it proposes."""

from pathlib import Path

from interlock.core.errors import InterlockError, UsageWrong
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.identity.key_file import make_key, public_text
from interlock.owned import write_new


def new(typed: Typed) -> int:
    """Make a key file, readable by its owner alone."""
    name: str = typed.given.name
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
        raise UsageWrong(f"`{name}` cannot be the name of a key", fix="use letters, digits, `_`, `.` and `-`")
    path = Path(typed.given.out or f"{name}.pem")
    try:
        known_by = make_key(path)
        if typed.given.public is not None:
            write_new(Path(typed.given.public), public_text(path))
    except FileExistsError as error:
        raise InterlockError(f"`{error.filename}` is there already", fix="name another file: `--out FILE`") from error
    public = typed.given.public
    pairs = [
        ("key", path),
        ("public key", public or ""),
        ("known by", known_by),
        ("in the contract", "\n".join(_in_the_contract(name, known_by, public))),
        ("to sign", f"`interlock approvals approve ACTION --sign-with {path}`"),
    ]
    typed.screen.show(
        {"name": name, "file": str(path), "public": public, "known_by": known_by}, block(pairs, typed.screen.width)
    )
    return 0


def _in_the_contract(name: str, known_by: str, public: str | None) -> list[str]:
    """Say what names the key: of a person who approves, and, where there is a file of it, of an agent."""
    person = f"approvals: {{ keys: {{ {name}: ['{known_by}'] }} }}"
    if public is None:
        return [person]
    return [f"of a person: {person}", f"of an agent: agents: {{ {name}: {{ key: {public} }} }}"]
