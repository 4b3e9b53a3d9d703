"""`access`: grant, revoke, show. Who may do what, and by which rule. `access_review` has the rest."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from interlock.contract.ir import Budget
from interlock.core.credential import AccessRole, Credential, CredentialKind, Held, Issuer, Right
from interlock.core.door import Door
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import AgentId, Environment, Instant, PersonId, Role, WorkflowId
from interlock.core.limits import RIGHT_MICROS_MAX
from interlock.core.unit import Unit
from interlock.door.cli.person import operator
from interlock.door.cli.reading import name_of, span_of
from interlock.door.cli.render import Time, block, clean, since, table
from interlock.door.cli.render import listed as in_words
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, meant, session
from interlock.door.cli.tokens import held_of, token_data
from interlock.gateway import access, fresh
from interlock.gateway.force import Force
from interlock.policy.load import Slice
from interlock.policy.rule import RuleEffect


@awaited
async def grant(typed: Typed) -> int:
    """Give a person a role for a while."""
    given, span = typed.given, span_of(typed.given.span)
    if span > RIGHT_MICROS_MAX:
        raise UsageWrong("a role for a while is for at most 31 days", fix="put the person into a group of the issuer")
    where = f"@{given.workflow}" if given.workflow is not None else ""
    held, person = held_of(f"{given.role}{where}"), PersonId(name_of(given.person, "person"))
    with session(typed) as here:
        by, now = await operator(here), (await here.rows()).now
        right = Right(id=fresh.right_id(), person=person, held=held, by=by.person, at=now, until=Instant(now + span))
        right = await access.give(here.store, right, by)
        unasked = await unasked_for(here, [held])
    text = f"{clean(person)} is {held} until {Time(right.until).short()} ({since(right.until, now)}): {right.id}"
    typed.screen.show(right_data(right), text)
    for note in unasked:
        typed.screen.note(note)
    return 0


@awaited
async def revoke(typed: Typed) -> int:
    """Take a role back."""
    id: str = typed.given.id
    with session(typed) as here:
        known = [one.id for one in (await here.rows()).door.rights]
        if not await access.take(here.store, id, await operator(here)):
            fix = meant(id, known, "list them: `interlock access review`")
            raise InterlockError(f"there is no such right, `{clean(id)}`", fix=fix)
    typed.screen.show({"id": id}, f"{id} is taken back")
    return 0


@awaited
async def show(typed: Typed) -> int:
    """Show all that an agent may do."""
    agent = AgentId(name_of(typed.given.agent, "agent"))
    with session(typed) as here:
        rows = await here.rows()
        places = [place async for place in _places(here, rows.door, agent)]
    data = [_place_data(rows.door, rows.now, agent, *place) for place in places]
    text = "\n\n".join(_place_text(each, typed.screen.width, typed.screen.broad) for each in data)
    typed.screen.show(data, text or f"no contract that is in force lets an agent `{clean(agent)}` do anything")
    open_to_all = [f"{workflow}/{environment}" for workflow, environment, force in places if not force.contract.agents]
    if open_to_all:
        what = "names no agents, so any agent may do this, by whatever name"
        typed.screen.note(f"note: the contract of {in_words(open_to_all)} {what}")
    return 0


async def unasked_for(here: Session, held: Iterable[Held]) -> list[str]:
    """Say of each role that the API does not have whether a contract in force names it; it may be published later."""
    door = (await here.rows()).door
    named: set[tuple[str, WorkflowId]] = set()
    for place in door.published:
        force = await force_of(here, door, place)
        if force is None:
            continue
        approvals = force.contract.approvals
        tiers = [tier.approvers for tier in (approvals.yellow, approvals.red) if tier is not None]
        policies = [policy for each in force.policies.slices.values() for policy in each.policies.values()]
        own = [policy.requirement.approvers for policy in policies if policy.requirement is not None]
        roles = frozenset[Role]().union(approvals.people, *tiers, *own)
        named |= {(role, force.contract.workflow) for role in roles}
    return [
        f"note: no contract in force names the role `{one.role}`"
        f"{'' if one.workflow is None else f' in `{one.workflow}`'},"
        " and the API has none of that name: nobody may do anything by it yet"
        for one in sorted(set(held))
        if one.role not in {role.value for role in AccessRole} and not any(one.covers(*each) for each in named)
    ]


Place = tuple[WorkflowId, Environment, Force]


async def _places(here: Session, door: Door, agent: AgentId) -> AsyncIterator[Place]:
    given = here.typed.given
    for name in sorted(door.published):
        workflow, _, environment = name.rpartition("/")
        if given.workflow not in (None, workflow) or given.env not in (None, environment):
            continue
        force = await force_of(here, door, name)
        if force is not None and (not force.contract.agents or agent in force.contract.agents):
            yield WorkflowId(workflow), Environment(environment), force


async def force_of(here: Session, door: Door, name: str) -> Force | None:
    """Return the contract that is in force for `workflow/environment`."""
    workflow, _, environment = name.rpartition("/")
    return await here.gateway.forces.of(here.store, door, WorkflowId(workflow), Environment(environment))


def _place_data(
    door: Door, now: Instant, agent: AgentId, workflow: WorkflowId, environment: Environment, force: Force
) -> dict[str, Any]:
    tools = [
        {
            "tool": name,
            "effect": tool.effect.value,
            "tier": tool.tier.value,
            "allowed_by": _rules(slice, RuleEffect.PERMIT),
            "asked_by": _rules(slice, RuleEffect.ASK),
            "denied_by": _rules(slice, RuleEffect.DENY),
        }
        for name, tool in sorted(force.contract.tools.items())
        if (slice := force.policies.slices.get(name)) is not None
        and slice.permitted
        and not tool.only_as_undo
        and not tool.only_for_facts
    ]
    limits = list(map(_limit, force.contract.budgets))
    tokens = [one for one in good(door.credentials, now) if _speaks_as(one, agent, workflow, environment)]
    clients = [
        f"{issuer.name}: {subject}"
        for issuer in issuers(door)
        for subject, client in sorted(issuer.clients.items())
        if (client.workflow, client.environment) == (workflow, environment) and agent in (client.agents or (agent,))
    ]
    return {
        "agent": agent,
        "workflow": workflow,
        "environment": environment,
        "mode": force.mode.value,
        "contract": force.hash,
        "signs_with": force.contract.agents.get(agent) or None,
        "tools": tools,
        "limits": limits,
        "tokens": [token_data(one, now) for one in tokens],
        "services": clients,
        "switches": [switch.id for switch in door.switches if switch.scope.workflow in (None, workflow)],
    }


def _limit(one: Budget) -> str:
    """Say how much of what a budget allows, and of which tool if it is about one."""
    what = " of arguments" if one.unit is Unit.USD_OF_ARGS else ""
    return f"{one.unit.show(one.limit)}{what} per {one.period}{f' by `{one.tool}`' if one.tool else ''}"


def _rules(slice: Slice, effect: RuleEffect) -> list[str]:
    return [f"{policy.id} ({policy.place})" for policy in slice.policies.values() if policy.effect is effect]


def _speaks_as(one: Credential, agent: AgentId, workflow: WorkflowId, environment: Environment) -> bool:
    here = (one.workflow, one.environment) == (workflow, environment)
    return one.kind is CredentialKind.AGENT and here and agent in (one.agents or (agent,))


def _place_text(data: Mapping[str, Any], width: int, broad: int) -> str:
    rows = [
        [each["tool"], each["tier"], in_words(each["allowed_by"]), in_words([*each["asked_by"], *each["denied_by"]])]
        for each in data["tools"]
    ]
    tokens = [f"{one['id']} ({one['name']}), until {one['expires_at'].short()}" for one in data["tokens"]]
    pairs = [
        ("agent", clean(f"{data['agent']} in {data['workflow']}, {data['environment']}")),
        ("mode", data["mode"]),
        ("signs with", data["signs_with"] or ""),
        ("limits", "\n".join(data["limits"]) or "none"),
        ("tokens", "\n".join([*tokens, *data["services"]]) or "none: it is let in by this machine alone"),
        ("switches", in_words(data["switches"])),
    ]
    tools = table(["TOOL", "TIER", "ALLOWED BY", "BUT ASKED OR DENIED BY"], rows, broad) if rows else "no tool is open"
    return f"{block(pairs, width)}\n\n{tools}"


def good(known: Mapping[Any, Credential], now: Instant) -> list[Credential]:
    """Return the tokens that open something, those first that end first."""
    return sorted((one for one in known.values() if now < one.ends_at), key=lambda one: (one.ends_at, one.id))


def issuers(door: Door) -> list[Issuer]:
    """Return the issuers by their names."""
    return [door.issuers[name] for name in sorted(door.issuers)]


def right_data(right: Right) -> dict[str, Any]:
    """Return a role for a while as data."""
    return {
        "id": right.id,
        "person": right.person,
        "role": str(right.held),
        "by": right.by,
        "at": Time(right.at),
        "until": Time(right.until),
    }
