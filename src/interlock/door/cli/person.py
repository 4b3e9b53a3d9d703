"""Who types: whoever they say to be, else whoever has logged in, else the user of this machine.

A login that is there and not good is an error, and never passed over: who believes to act as themselves would act as
the account of the machine. What is said on the line comes first: `--account`, the holder of a key file, or, for the
tenant `demo` alone, anybody.
"""

import asyncio
import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from interlock.config import DEMO
from interlock.core.errors import NotLoggedIn, NotPermitted, UsageWrong
from interlock.core.ids import PersonId, ProcessId, TenantId
from interlock.core.limits import LOGIN_STOP_SECONDS_MAX
from interlock.door.cli.logins import is_kept, logged_in
from interlock.door.cli.render import listed
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session
from interlock.gateway.doors import Operator
from interlock.identity.key_file import sign
from interlock.ledger.consent import consent_text
from interlock.ports import ActionRow


async def operator(here: Session, about: bytes | None = None) -> Operator:
    """Say who types, and how they are known.

    Args:
        here: the store that they work on; `--account`, `--sign-with` and `--as` are options of its line.
        about: what a key signs; nothing said is no more than that the key is there.

    Raises:
        NotLoggedIn: somebody has logged in, and it is no longer good.
        NotPermitted: `--as` for a tenant that is not the demo, or a key that is none.
        UsageWrong: they say to be several.
    """
    process = here.gateway.process
    said = _said(here.typed, process, about)
    if said is not None:
        return said
    found = await logged_in(here)
    if found is None:
        return account(process)
    kept, bearer = found
    return Operator(person=kept.person, known_by=bearer.known_by, process=process, roles=bearer.roles)


def operator_without_store(typed: Typed, process: ProcessId, tenants: Iterable[TenantId] = ()) -> Operator:
    """Say who types where there is no store yet that could tell whose word counts.

    Args:
        typed: the line.
        process: this process.
        tenants: whose data it is about, beside that of the line.

    Raises:
        NotLoggedIn: somebody has logged in for one of them, and nothing is there to hold that against.
    """
    said = _said(typed, process, None)
    into = [each for each in sorted({typed.settings.tenant, *tenants}) if is_kept(typed, each)]
    if said is None and into:
        for_them = f"for {listed(f'`{each}`' for each in into)}"
        why = f"somebody has logged in {for_them}, and there is no store that says whose word counts"
        raise NotLoggedIn(why, fix="be the user of this machine: `--account`")
    return said or account(process)


async def stopper(here: Session) -> Operator:
    """Say who stops. A stop waits for no issuer: where a login cannot be shown at once, the account throws it.

    Raises:
        NotPermitted, UsageWrong: as for everything else, of whoever they say to be.
    """
    try:
        async with asyncio.timeout(LOGIN_STOP_SECONDS_MAX):
            return await operator(here)
    except NotLoggedIn as no:
        why = str(no)
    except TimeoutError:
        why = f"the issuer has not answered within {LOGIN_STOP_SECONDS_MAX} s"
    here.typed.screen.note(f"note: you stop as the user of this machine, and not by your login: {why}")
    return account(here.gateway.process)


def stopper_without_store(typed: Typed, process: ProcessId) -> Operator:
    """Say who stops where no store can tell whose word counts: the account, whoever has logged in."""
    said = _said(typed, process, None)
    if said is None and is_kept(typed):
        typed.screen.note("note: you stop as the user of this machine: without the store nobody knows your login")
    return said or account(process)


async def voter(here: Session, row: ActionRow, seen: str) -> Operator:
    """Say who answers a question. A key signs the digest of the action and what was seen of it."""
    return await operator(here, consent_text(row.action.id, row.action.digest, seen))


def account(process: ProcessId) -> Operator:
    """Say that the user of this machine types."""
    return Operator(person=PersonId(user_name()), known_by=f"os:{os.getuid()}", process=process)


def user_name() -> str:
    """Name the user of this machine. The environment is not asked: everybody can set it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def _said(typed: Typed, process: ProcessId, about: bytes | None) -> Operator | None:
    """Return whoever they say to be, if they say so."""
    given = typed.given
    if sum(map(bool, (given.account, given.sign_with is not None, given.as_name is not None))) > 1:
        raise UsageWrong("nobody is several people at once", fix="say one of `--account`, `--sign-with` and `--as`")
    if given.sign_with is not None:
        return _holder(Path(given.sign_with), process, about)
    if given.account:
        return account(process)
    if given.as_name is None:
        return None
    if typed.settings.tenant != DEMO:
        raise NotPermitted(
            f"`--as` is believed for the tenant `{DEMO}` alone, and this is `{typed.settings.tenant}`",
            fix="leave it out, and log in (`interlock login`) or sign: `--sign-with KEY`",
        )
    return Operator(person=PersonId(given.as_name), known_by=f"demo:os:{os.getuid()}", process=process)


def _holder(key: Path, process: ProcessId, about: bytes | None) -> Operator:
    text = about or b"interlock command 1\n"
    signature = sign(key, text)
    signature.check(text)
    kept = f"{signature.public_key.hex()}:{signature.signature.hex()}" if about else ""
    # A key has no name but its fingerprint: `approvals.people` of the contract says what its holder may do,
    # or `approvals.keys` whose it is.
    known_by = signature.known_by
    return Operator(person=PersonId(known_by), known_by=known_by, process=process, signature=kept)
