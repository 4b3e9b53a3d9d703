"""`issuer`: add, list, remove. Whose word about people and services counts."""

import re
from typing import Any

from interlock.core.credential import AccessRole, Client, CredentialKind, Held, Issuer
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import AgentId, Environment, PersonId, WorkflowId
from interlock.core.limits import ISSUERS_MAX
from interlock.door.cli.accesses import unasked_for
from interlock.door.cli.person import operator
from interlock.door.cli.render import Time, block, clean, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, meant, session
from interlock.door.cli.tokens import SCOPE_NAME, held_of
from interlock.gateway import access
from interlock.identity.fetch import may_be_asked

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")
_GROUP = re.compile(r"[\x20-\x7e]{1,200}")
_SUBJECT = re.compile(r"[A-Za-z0-9._|:+@-]{1,128}")
_API_ROLES = frozenset(role.value for role in AccessRole)


@awaited
async def add(typed: Typed) -> int:
    """Believe an issuer."""
    issuer = _wanted(typed)
    with session(typed) as here:
        known = (await here.rows()).door.issuers
        if issuer.name not in known and len(known) >= ISSUERS_MAX:
            raise InterlockError(
                f"a tenant has at most {ISSUERS_MAX} issuers", fix="remove one: `interlock issuer remove NAME`"
            )
        by = await operator(here)
        await access.add_issuer(here.store, issuer, by)
        added = (await here.rows()).door.issuers[issuer.name]
        unasked = await unasked_for(here, [held for roles in added.groups.values() for held in roles])
    typed.screen.show(issuer_data(added), _text(added, typed.screen.width))
    for note in unasked:
        typed.screen.note(note)
    return 0


@awaited
async def listed(typed: Typed) -> int:
    """List the issuers."""
    with session(typed) as here:
        known = sorted((await here.rows()).door.issuers.values(), key=lambda issuer: issuer.name)
    rows = [[one.name, one.url, one.audience, len(one.groups), len(one.clients), one.by] for one in known]
    text = table(["ISSUER", "URL", "AUDIENCE", "GROUPS", "SERVICES", "ADDED BY"], rows, typed.screen.broad)
    typed.screen.show(list(map(issuer_data, known)), text if rows else "no issuer is believed")
    return 0


@awaited
async def remove(typed: Typed) -> int:
    """Believe an issuer no more."""
    name: str = typed.given.name
    with session(typed) as here:
        by = await operator(here)
        known = list((await here.rows()).door.issuers)
        if not await access.remove_issuer(here.store, name, by):
            fix = meant(name, known, "list them: `interlock issuer list`")
            raise InterlockError(f"there is no issuer `{clean(name)}`", fix=fix)
        epoch = (await here.rows()).door.epoch
    text = f"the word of {name} counts no more, from the next transaction on (epoch {epoch})"
    typed.screen.show({"name": name, "epoch": epoch}, text)
    return 0


def _wanted(typed: Typed) -> Issuer:
    given = typed.given
    if not _NAME.fullmatch(given.name):
        raise UsageWrong("the issuer has no name", fix="use at most 32 lower-case letters, digits, `.` and `-`")
    if not may_be_asked(given.url):
        raise UsageWrong("this is no address of an issuer", fix="write it as it says of itself: `https://...`")
    for what, text in (("audience", given.audience), ("claim", given.groups_claim)):
        if not _GROUP.fullmatch(text):
            raise UsageWrong(f"the {what} is none", fix="use letters, digits and signs of ASCII")
    groups: dict[str, tuple[Held, ...]] = {}
    for said in given.map or ():
        group, role = _pair(said, "GROUP=ROLE")
        if not _GROUP.fullmatch(group):
            raise UsageWrong("the group has no name", fix="use letters, digits and signs of ASCII")
        groups[group] = (*groups.get(group, ()), held_of(role))
    clients = dict(_client(said) for said in given.map_sub or ())
    if not groups and not clients:
        raise UsageWrong("an issuer that gives nobody a role lets nobody do anything", fix="say `--map GROUP=ROLE`")
    return Issuer(
        name=given.name,
        url=given.url,
        audience=given.audience,
        groups_claim=given.groups_claim,
        groups=groups,
        clients=clients,
        by=PersonId(""),
    )


def _client(said: str) -> tuple[str, Client]:
    subject, what = _pair(said, "SUB=WHAT")
    if not _SUBJECT.fullmatch(subject):
        raise UsageWrong("the service has no name", fix="use letters, digits and `._|:+@-`")
    if "/" not in what:
        held = held_of(what)
        if held.role not in _API_ROLES:
            raise UsageWrong(f"`{held.role}` is no role on the API", fix=f"use one of {', '.join(sorted(_API_ROLES))}")
        return subject, Client(kind=CredentialKind.SERVICE, roles=(held,))
    parts = what.split("/")
    if len(parts) not in (2, 3) or not all(map(SCOPE_NAME.fullmatch, parts)):
        raise UsageWrong(
            "this is no place that a service proposes in", fix="write `WORKFLOW/ENV` or `WORKFLOW/ENV/AGENT`"
        )
    return subject, Client(
        kind=CredentialKind.AGENT,
        workflow=WorkflowId(parts[0]),
        environment=Environment(parts[1]),
        agents=tuple(map(AgentId, parts[2:])),
    )


def _pair(said: str, form: str) -> tuple[str, str]:
    name, there, value = said.rpartition("=")
    if not there or not name or not value:
        raise UsageWrong(f"`{clean(said)}` gives nothing to anybody", fix=f"write `{form}`")
    return name, value


def issuer_data(issuer: Issuer) -> dict[str, Any]:
    """Return an issuer as data."""
    return {
        "name": issuer.name,
        "url": issuer.url,
        "audience": issuer.audience,
        "groups_claim": issuer.groups_claim,
        "groups": {group: list(map(str, held)) for group, held in sorted(issuer.groups.items())},
        "services": {subject: _client_words(client) for subject, client in sorted(issuer.clients.items())},
        "added_by": issuer.by,
        "at": Time(issuer.at),
    }


def _client_words(client: Client) -> str:
    if client.kind is CredentialKind.SERVICE:
        return ", ".join(map(str, client.roles))
    return "/".join([client.workflow or "", client.environment or "", *client.agents])


def _text(issuer: Issuer, width: int) -> str:
    groups = [f"{group}: {', '.join(map(str, held))}" for group, held in sorted(issuer.groups.items())]
    services = [f"{subject}: {_client_words(client)}" for subject, client in sorted(issuer.clients.items())]
    pairs = [
        ("issuer", f"{issuer.name} ({issuer.url})"),
        ("audience", issuer.audience),
        (f"groups in {issuer.groups_claim}", "\n".join(groups)),
        ("services", "\n".join(services)),
        ("people", f"log in with `interlock login --issuer {issuer.name}`" if issuer.groups else ""),
        ("added", f"by {issuer.by}, {Time(issuer.at).short()}"),
    ]
    return block(pairs, width)
