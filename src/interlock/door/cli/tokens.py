"""`token`: new, list, show, revoke, rotate. The text of a token is printed once and kept nowhere."""

import re
from pathlib import Path
from typing import Any

from interlock.contract.problem import nearest
from interlock.core.credential import ANYBODY, AccessRole, Credential, CredentialKind, Held
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import (
    AgentId,
    CredentialId,
    Environment,
    Instant,
    Micros,
    PersonId,
    PrincipalId,
    Role,
    WorkflowId,
)
from interlock.core.limits import ROTATION_MICROS_MAX
from interlock.core.value import replace
from interlock.door.cli.person import operator
from interlock.door.cli.reading import code_of, name_of, span_of
from interlock.door.cli.render import Time, block, clean, since, table
from interlock.door.cli.render import listed as in_words
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import NameAmbiguous, Session, awaited, meant, session
from interlock.gateway import access
from interlock.identity.public_key import read_public_key
from interlock.identity.token import Drawn, draw

SCOPE_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
"""What a workflow, an environment, an agent or a role may be called: as long as a contract lets it be."""


@awaited
async def new(typed: Typed) -> int:
    """Issue a token."""
    given = typed.given
    span = span_of(given.expires)
    wanted = _wanted(typed)
    with session(typed) as here:
        rows = await here.rows()
        if wanted.kind is CredentialKind.AGENT and rows.door.of(*_place(wanted)) is None:
            here.typed.screen.note(
                f"note: nothing is published for `{wanted.workflow}` in `{wanted.environment}` yet, so it opens nothing"
            )
        drawn = draw(typed.settings.tenant)
        by = await operator(here)
        token = replace(wanted, id=drawn.id, hash=drawn.hash, expires_at=Instant(rows.now + span))
        issued = await access.issue(here.store, token, by)
        _print(typed, drawn, issued, rows.now)
    return 0


@awaited
async def listed(typed: Typed) -> int:
    """List tokens, those first that end first."""
    with session(typed) as here:
        rows = await here.rows()
    known = sorted(rows.door.credentials.values(), key=lambda one: (one.ends_at, one.id))
    shown = [one for one in known if typed.given.all or rows.now < one.ends_at]
    lines = [[one.id, one.name, one.kind.value, _for(one), in_words(one.roles), _ends(one, rows.now)] for one in shown]
    text = table(["TOKEN", "NAME", "KIND", "FOR", "ROLES", "GOOD"], lines, typed.screen.broad)
    typed.screen.show([token_data(one, rows.now) for one in shown], text if shown else "there is no token")
    return 0


@awaited
async def show(typed: Typed) -> int:
    """Show what a token opens."""
    with session(typed) as here:
        now, token = (await here.rows()).now, await _meant(here)
    typed.screen.show(token_data(token, now), _text(token, now, typed.screen.width))
    return 0


@awaited
async def revoked(typed: Typed) -> int:
    """Let the holder in no more."""
    with session(typed) as here:
        token = await _meant(here)
        by = await operator(here)
        gone = await access.revoke(here.store, token.id, by)
        epoch = (await here.rows()).door.epoch
    data = {**token_data(gone, gone.revoked_at), "epoch": epoch}
    typed.screen.show(data, f"{gone.id} ({gone.name}) opens nothing, from the next transaction on (epoch {epoch})")
    return 0


@awaited
async def rotated(typed: Typed) -> int:
    """Put a new token in the place of an old one."""
    given = typed.given
    overlap = span_of(given.overlap)
    if overlap > ROTATION_MICROS_MAX:
        raise UsageWrong("the old token would go on for too long", fix="say `--overlap 24h`, at most 30 days")
    with session(typed) as here:
        old, now = await _meant(here), (await here.rows()).now
        span = span_of(given.expires) if given.expires is not None else Micros(old.expires_at - old.created_at)
        drawn = draw(typed.settings.tenant)
        by = await operator(here)
        wanted = replace(old, id=drawn.id, hash=drawn.hash, expires_at=Instant(now + span))
        until = Instant(now + overlap)
        issued = await access.rotate(here.store, old.id, wanted, by, until=until)
        ends = (await here.rows()).door.credentials[old.id].expires_at
        _print(typed, drawn, issued, now, replaces=(old.id, ends))
    return 0


def held_of(text: str) -> Held:
    """Read a role, in one workflow or in all of the tenant: `viewer`, `viewer@shop`.

    Raises:
        UsageWrong: it is none.
    """
    role, at, workflow = text.partition("@")
    if not SCOPE_NAME.fullmatch(role) or (at and not SCOPE_NAME.fullmatch(workflow)):
        raise UsageWrong(f"`{clean(text)}` is no role", fix="write `viewer`, or `viewer@WORKFLOW`")
    return Held(Role(role), WorkflowId(workflow) if at else None)


def _access_role(text: str) -> Held:
    held, known = held_of(text), {role.value: role for role in AccessRole}
    if held.role not in known:
        raise UsageWrong(f"`{held.role}` is no role on the API", fix=nearest(held.role, known))
    return held


def _wanted(typed: Typed) -> Credential:
    """Read all that the line says of a token. What is drawn, and its end, are put in later."""
    given = typed.given
    workflow, environment = _name(given.workflow, "workflow"), _name(given.env, "environment")
    agents = tuple(dict.fromkeys(AgentId(_name(each, "agent") or "") for each in given.agent or ()))
    roles = tuple(dict.fromkeys(_access_role(each) for each in given.role or ()))
    kind = CredentialKind.SERVICE if given.service else CredentialKind.AGENT
    if kind is CredentialKind.AGENT and (workflow is None or environment is None):
        fix = "say `--workflow W --env E`, or `--service` for what proposes nothing"
        raise UsageWrong("the token of an agent is for one workflow in one environment", fix=fix)
    if kind is CredentialKind.SERVICE and not roles:
        raise UsageWrong("a service without a role can do nothing", fix="give it one: `--role viewer`")
    if kind is CredentialKind.SERVICE and (agents or given.principal or given.key):
        raise UsageWrong("a service proposes nothing", fix="leave out `--agent`, `--for` and `--key`, or `--service`")
    if given.rate < 0:
        raise UsageWrong("a rate is a number of calls a minute", fix="say `--rate 60`, or leave it out")
    principal = name_of(given.principal, "principal") if given.principal is not None else ANYBODY
    return Credential(
        id=CredentialId(""),
        name=_code(given.name),
        kind=kind,
        hash="",
        workflow=WorkflowId(workflow) if workflow else None,
        environment=Environment(environment) if environment else None,
        agents=agents,
        principal=PrincipalId(principal),
        roles=roles,
        by=PersonId(""),
        expires_at=Instant(0),
        rate=given.rate,
        key=read_public_key(Path(given.key)) if given.key is not None else "",
    )


def _code(text: str) -> str:
    try:
        return code_of(text)
    except UsageWrong as error:
        fix = "use letters, digits and `._:/-`, as in `refund-bot`: it stands in the ledger"
        raise UsageWrong(f"a token cannot be called `{clean(text)}`", fix=fix) from error


def _name(text: str | None, what: str) -> str | None:
    if text is not None and not SCOPE_NAME.fullmatch(text):
        raise UsageWrong(f"the {what} is no name", fix="use 1 to 128 letters, digits and `_.:-`")
    return text


def _place(token: Credential) -> tuple[WorkflowId, Environment]:
    assert token.workflow is not None and token.environment is not None, "an agent has one of each"
    return token.workflow, token.environment


async def _meant(here: Session) -> Credential:
    said: str = here.typed.given.id
    known = (await here.rows()).door.credentials
    found = [one for id, one in sorted(known.items()) if id.startswith(said)] if said else []
    if len(found) == 1:
        return found[0]
    if found:
        lines = "\n".join(clean(f"{one.id} ({one.name})") for one in found)
        raise NameAmbiguous(f"several tokens begin with `{clean(said)}`\n{lines}", fix="type more of it")
    raise InterlockError(
        f"there is no token `{clean(said)}`", fix=meant(said, list(known), "list them: `interlock token list`")
    )


def _print(
    typed: Typed,
    drawn: Drawn,
    issued: Credential,
    now: Instant,
    *,
    replaces: tuple[CredentialId, Instant] | None = None,
) -> None:
    data = {"token": drawn.text, **token_data(issued, now)}
    typed.screen.note_block(_text(issued, now, typed.screen.width))
    if replaces is not None:
        old, until = replaces
        data |= {"replaces": old, "replaced_until": Time(until)}
        typed.screen.note(f"note: {old} goes on until {Time(until).short()} ({since(until, now)})")
    typed.screen.note("note: this is the only time that the token is shown")
    typed.screen.show(data, drawn.text)


def token_data(token: Credential, now: Instant) -> dict[str, Any]:
    """Return a token as data, without its hash."""
    return {
        "id": token.id,
        "name": token.name,
        "kind": token.kind.value,
        "workflow": token.workflow,
        "environment": token.environment,
        "agents": list(token.agents),
        "principal": token.principal,
        "roles": [str(held) for held in token.roles],
        "rate_per_minute": token.rate or None,
        "key": token.key or None,
        "created_at": Time(token.created_at),
        "created_by": token.by,
        "expires_at": Time(token.expires_at),
        "revoked_at": Time(token.revoked_at) if token.revoked_at else None,
        "good": now < token.ends_at,
    }


def _text(token: Credential, now: Instant, width: int) -> str:
    pairs = [
        ("token", f"{token.id} ({token.name})"),
        ("kind", token.kind.value),
        ("for", _for(token)),
        ("as", _as(token)),
        ("on behalf of", "" if token.kind is CredentialKind.SERVICE else _behalf(token.principal)),
        ("roles", in_words(token.roles)),
        ("rate", f"{token.rate} calls a minute" if token.rate else ""),
        ("signs with", token.key),
        ("issued", f"by {token.by}, {Time(token.created_at).short()}"),
        ("good", _ends(token, now)),
    ]
    return block(pairs, width)


def _for(token: Credential) -> str:
    if token.workflow is None:
        return "all workflows"
    return f"{token.workflow} in {token.environment}" if token.environment else token.workflow


def _as(token: Credential) -> str:
    if token.kind is CredentialKind.SERVICE:
        return ""
    return in_words(token.agents) if token.agents else "any agent of the contract"


def _behalf(principal: PrincipalId) -> str:
    return "whomever it names" if principal == ANYBODY else principal


def _ends(token: Credential, now: Instant) -> str:
    if token.revoked_at:
        return f"revoked {since(token.revoked_at, now)}"
    if now >= token.expires_at:
        return f"expired {since(token.expires_at, now)}"
    return f"until {Time(token.expires_at).short()} ({since(token.expires_at, now)})"
