"""Who types: the user of this machine, the holder of a key file, or, for the tenant `demo` alone, whoever they say."""

import os
import pwd
from pathlib import Path

from interlock.config import DEMO
from interlock.core.errors import NotPermitted
from interlock.core.ids import PersonId, ProcessId
from interlock.door.cli.screen import Typed
from interlock.gateway.doors import Operator
from interlock.identity.key_file import sign
from interlock.ledger.consent import consent_text
from interlock.ports import ActionRow


def operator(typed: Typed, process: ProcessId, about: bytes | None = None) -> Operator:
    """Say who types, and how they are known.

    Args:
        typed: the line; `--sign-with` and `--as` are options of it.
        process: this process, as the ledger names it.
        about: what a key signs; nothing said is no more than that the key is there.

    Raises:
        NotPermitted: `--as` for a tenant that is not the demo, or a key that is none.
    """
    key: str | None = typed.given.sign_with
    name: str | None = typed.given.as_name
    if key is not None:
        text = about or b"interlock command 1\n"
        signature = sign(Path(key), text)
        signature.check(text)
        kept = f"{signature.public_key.hex()}:{signature.signature.hex()}" if about else ""
        # A key has no name but its fingerprint: `approvals.people` of the contract says what its holder may do,
        # or `approvals.keys` whose it is.
        known_by = signature.known_by
        return Operator(person=PersonId(known_by), known_by=known_by, process=process, signature=kept)
    known_by = f"os:{os.getuid()}"
    if name is None:
        return Operator(person=PersonId(user_name()), known_by=known_by, process=process)
    if typed.settings.tenant != DEMO:
        raise NotPermitted(
            f"`--as` is believed for the tenant `{DEMO}` alone, and this is `{typed.settings.tenant}`",
            fix="leave it out and be the user of this machine, or sign: `--sign-with KEY`",
        )
    return Operator(person=PersonId(name), known_by=f"demo:{known_by}", process=process)


def voter(typed: Typed, process: ProcessId, row: ActionRow, seen: str) -> Operator:
    """Say who answers a question. A key signs the digest of the action and what was seen of it."""
    return operator(typed, process, consent_text(row.action.id, row.action.digest, seen))


def user_name() -> str:
    """Name the user of this machine. The environment is not asked: everybody can set it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
