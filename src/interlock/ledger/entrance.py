"""What the detail of a change says about who may come in, written and read in one place."""

from collections.abc import Iterable, Mapping

from interlock.core.credential import Client, Credential, CredentialKind, Held, Issuer, Right, with_issued, with_rights
from interlock.core.door import Door
from interlock.core.ids import AgentId, CredentialId, Environment, Instant, PersonId, PrincipalId, WorkflowId
from interlock.core.value import replace
from interlock.ledger.reading import ChangeLine
from interlock.ledger.seal import Kind

Detail = Mapping[str, str | int]


def issued(new: Credential, *, replaces: CredentialId | None, until: Instant) -> Detail:
    """Say what a token opens. Since when, and by whom, are time and person of the entry.

    Args:
        new: the token.
        replaces: the one that it takes the place of,
        until: and until when that one still opens anything.
    """
    named = {
        "workflow": new.workflow,
        "environment": new.environment,
        "agents": _listed(new.agents),
        "roles": _listed(new.roles),
        "key": new.key,
        "replaces": replaces,
    }
    return {
        "credential": new.id,
        "to": "issued",
        "name": new.name,
        "kind": new.kind.value,
        "hash": new.hash,
        "principal": new.principal,
        "expires": new.expires_at,
        "rate": new.rate,
        **{name: value for name, value in named.items() if value},
        **({"until": until} if replaces else {}),
    }


def revoked(id: CredentialId) -> Detail:
    """Say that a token opens nothing any more."""
    return {"credential": id, "to": "revoked"}


def added(issuer: Issuer) -> Detail:
    """Say whose word counts, about whom, and for what."""
    groups = {f"group:{name}": _listed(held) for name, held in issuer.groups.items()}
    clients = {f"client:{name}": _client(client) for name, client in issuer.clients.items()}
    return {
        "issuer": issuer.name,
        "to": "added",
        "url": issuer.url,
        "audience": issuer.audience,
        "groups_claim": issuer.groups_claim,
        **groups,
        **clients,
    }


def removed(issuer: str) -> Detail:
    """Say whose word counts no more."""
    return {"issuer": issuer, "to": "removed"}


def given(right: Right) -> Detail:
    """Say which role a person holds, and until when."""
    return {
        "right": right.id,
        "to": "given",
        "person": right.person,
        "role": str(right.held),
        "until": right.until,
    }


def taken(right: str) -> Detail:
    """Say that a person holds a role no more."""
    return {"right": right, "to": "taken"}


def turned(door: Door, line: ChangeLine) -> Door:
    """Return the door after such a change, its epoch left as it was.

    Raises:
        KeyError: the entry does not say what changed.
        ValueError: what it says has no meaning.
    """
    match line.kind:
        case Kind.CREDENTIAL:
            return _credential_turned(door, line)
        case Kind.ISSUER:
            left = {name: one for name, one in door.issuers.items() if name != line.detail["issuer"]}
            new = _issuer_of(line) if line.detail["to"] == "added" else None
            return replace(door, issuers={**left, new.name: new} if new is not None else left)
        case Kind.RIGHT:
            if line.detail["to"] == "given":
                return replace(door, rights=with_rights(door.rights, _right_of(line), Instant(line.at)))
            return replace(door, rights=tuple(one for one in door.rights if one.id != line.detail["right"]))
        case _:
            return door


def replaced(door: Door, new: Credential, at: Instant, *, replaces: CredentialId | None, until: Instant) -> Door:
    """Return a door with a new token, and the end that the one has whose place it takes."""
    known = dict(door.credentials)
    if replaces is not None:
        old = known[replaces]
        known[replaces] = replace(old, expires_at=min(old.expires_at, until))
    return replace(door, credentials=with_issued(known, new, at))


def ended(door: Door, at: Instant) -> Door:
    """Return a door that nobody comes in at with what was issued or given for a while before."""
    known = {id: replace(one, expires_at=min(one.expires_at, at)) for id, one in door.credentials.items()}
    return replace(door, credentials=known, rights=())


def _credential_turned(door: Door, line: ChangeLine) -> Door:
    at, detail = Instant(line.at), line.detail
    id = CredentialId(str(detail["credential"]))
    if detail["to"] == "revoked":
        gone = replace(door.credentials[id], revoked_at=at)
        return replace(door, credentials={**door.credentials, id: gone})
    replaces = CredentialId(str(detail["replaces"])) if "replaces" in detail else None
    until = Instant(int(detail["until"])) if replaces is not None else Instant(0)
    return replaced(door, _credential_of(line), at, replaces=replaces, until=until)


def _credential_of(line: ChangeLine) -> Credential:
    detail = line.detail
    return Credential(
        id=CredentialId(str(detail["credential"])),
        name=str(detail["name"]),
        kind=CredentialKind(detail["kind"]),
        hash=str(detail["hash"]),
        workflow=WorkflowId(str(detail["workflow"])) if "workflow" in detail else None,
        environment=Environment(str(detail["environment"])) if "environment" in detail else None,
        agents=tuple(AgentId(name) for name in _words(detail.get("agents"))),
        principal=PrincipalId(str(detail["principal"])),
        roles=tuple(Held.read(text) for text in _words(detail.get("roles"))),
        created_at=Instant(line.at),
        by=PersonId(line.by),
        expires_at=Instant(int(detail["expires"])),
        rate=int(detail["rate"]),
        key=str(detail.get("key", "")),
    )


def _issuer_of(line: ChangeLine) -> Issuer:
    detail = line.detail
    groups = {
        name.removeprefix("group:"): tuple(Held.read(text) for text in _words(value))
        for name, value in detail.items()
        if name.startswith("group:")
    }
    clients = {
        name.removeprefix("client:"): _client_of(str(value))
        for name, value in detail.items()
        if name.startswith("client:")
    }
    return Issuer(
        name=str(detail["issuer"]),
        url=str(detail["url"]),
        audience=str(detail["audience"]),
        groups_claim=str(detail["groups_claim"]),
        groups=groups,
        clients=clients,
        by=PersonId(line.by),
        at=Instant(line.at),
    )


def _right_of(line: ChangeLine) -> Right:
    return Right(
        id=str(line.detail["right"]),
        person=PersonId(str(line.detail["person"])),
        held=Held.read(str(line.detail["role"])),
        by=PersonId(line.by),
        at=Instant(line.at),
        until=Instant(int(line.detail["until"])),
    )


def _client(client: Client) -> str:
    """Write a client in one line: its kind, workflow, environment, agents and roles, with a slash between them."""
    place = (client.workflow or "", client.environment or "")
    return "/".join((client.kind.value, *place, _listed(client.agents), _listed(client.roles)))


def _client_of(text: str) -> Client:
    kind, workflow, environment, agents, roles = text.split("/")
    return Client(
        kind=CredentialKind(kind),
        workflow=WorkflowId(workflow) if workflow else None,
        environment=Environment(environment) if environment else None,
        agents=tuple(AgentId(name) for name in _words(agents)),
        roles=tuple(Held.read(text) for text in _words(roles)),
    )


def _listed(names: Iterable[object]) -> str:
    return ",".join(map(str, names))


def _words(text: str | int | None) -> list[str]:
    return str(text).split(",") if text else []
