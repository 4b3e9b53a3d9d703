"""What people say to actions that wait: yes, no, or yes to something else. Each is a write, by any process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from interlock.approval.grant import Grant, opening
from interlock.approval.vote import NoVote, Voter, answerable, voted_already
from interlock.contract.ir import Approvals
from interlock.core.action import ActionState, step
from interlock.core.decision import Ask
from interlock.core.errors import ActionUnknown, NotPermitted, StoreBusy
from interlock.core.ids import ActionId, GrantId, PersonId, Role, RuleId
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.money import Money
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway import fresh
from interlock.gateway.asked import commitment, validate
from interlock.gateway.begin import Stale
from interlock.gateway.call import Gateway
from interlock.gateway.doors import Operator
from interlock.gateway.entry import entry_of
from interlock.gateway.force import Force
from interlock.gateway.keyed import digest
from interlock.gateway.people import (
    asked_by,
    authors_of,
    counting_today,
    named,
    person_of,
    roles_as_they_speak,
    since_adoption,
)
from interlock.gateway.proposal import Proposal, Proposed
from interlock.gateway.recall import row_of
from interlock.gateway.refuse import ADOPT
from interlock.gateway.revive import revived
from interlock.ledger.consent import BY_KEY, consent_text, proves
from interlock.ledger.seal import ActionEntry, Kind, Used
from interlock.ports import ActionRow, Changes, Halt, Needs, Notice, Payload, Rows, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """What a yes came to."""

    grant: GrantId
    answered: frozenset[RuleId]
    complete: bool
    """Whether every requirement is answered, so that the action can go on."""


async def agree(gateway: Gateway, store: TenantStore, id: ActionId, by: Operator, *, seen: str) -> Voted:
    """Say yes to exactly what was shown.

    Args:
        gateway: it knows the contract; nothing is carried out here.
        store: the tenant's part of the store.
        id: the action that waits.
        by: the person, and how they are known.
        seen: the hash of what the person was shown.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it does not wait, it shows something else by now, or this person may not say yes to it.
    """
    say = partial(_agree, seen=seen, id_of_new=fresh.grant_id())
    return await _said(gateway, store, id, by, say, opens=True)


async def deny(gateway: Gateway, store: TenantStore, id: ActionId, by: Operator) -> Refused:
    """Say no. One no is enough, and it stays the answer to this call.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it does not wait, or this person has no say in it.
    """
    return await _said(gateway, store, id, by, partial(_deny, new=fresh.grant_id()))


async def edit(gateway: Gateway, store: TenantStore, id: ActionId, arguments: str, by: Operator) -> None:
    """Change the arguments of an action that waits. It waits on, for others than whoever edited it.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it does not wait, this person has no say in it, or the arguments do not fit.
        PayloadErased: what was asked for has been erased.
    """
    row = await waiting(store, id)
    if row.action.undo_of is not None:
        raise NotPermitted(f"`{id}` is an undo, which does what the effect needs", fix="deny it, or leave it")
    asked = await revived(gateway, store, row)
    if isinstance(asked, Refused):
        raise NotPermitted(asked.why, fix=asked.fix)
    again = Proposal(tool=asked.action.tool, arguments=arguments)
    proposed = Proposed(caller=asked.action.caller, proposal=again, drawn=asked.drawn)
    read = validate(proposed, asked.tool, asked.force)
    if isinstance(read, Refused):
        wrong = ", ".join(f"{each.path} ({each.kind})" for each in read.wrong)
        raise NotPermitted(f"the arguments do not fit: {wrong}", fix="compare them with the schema of the tool")
    (arguments_id,) = fresh.payload_ids(gateway.clock.now(), 1)
    action = replace(
        asked.action,
        arguments=arguments_id,
        digest=digest(asked.action.caller, asked.action.tool, read.text, gateway.secrets),
        what=commitment(asked.salt, read.text),
    )
    author = named(by, person_of(asked.force.contract.approvals, by.person, by.known_by))
    changed = replace(asked, action=action, arguments=read)
    payload = changed.sealed_arguments(gateway.secrets)
    new = replace(
        row,
        action=action,
        # Until it is judged again, the new arguments are all there is to see: who saw the old ones looks again.
        seen=action.digest,
        asked_digest=row.asked_digest or row.action.digest,
        authors=(*row.authors, author),
        beside=(*row.beside, row.action.arguments),
    )
    await _said(gateway, store, id, by, partial(_edit, old=row, new=new, payload=payload))


async def waiting(store: TenantStore, id: ActionId) -> ActionRow:
    """Return an action that waits for a person.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it does not wait.
    """
    row = await row_of(store, id)
    if row is None:
        raise ActionUnknown(f"no action has the id `{id}`", fix="list what waits: `interlock approvals list`")
    if row.state is not ActionState.PARKED:
        raise NotPermitted(f"`{id}` does not wait: it is {row.state.value}", fix=f"run `interlock action show {id}`")
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """Who answers for an action, which of its rules, and the roles that let them."""

    by: Operator
    person: PersonId
    """As it is written down."""
    rules: frozenset[RuleId]
    roles: frozenset[Role]
    approvals: Approvals


Answer = TypeVar("Answer")
Say = Callable[[Rows, ActionRow, Ballot], tuple[Changes, Answer | NotPermitted]]
"""What a person's word does, given the rows, the action and what the person may say."""


async def _said(
    gateway: Gateway, store: TenantStore, id: ActionId, by: Operator, say: Say[Answer], *, opens: bool = False
) -> Answer:
    for _ in range(DECIDE_TRIES_MAX):
        row = await waiting(store, id)
        door = (await store.read(Needs())).door
        caller = row.action.caller
        force = await gateway.forces.of(store, door, caller.workflow, caller.environment)
        if force is None:
            raise NotPermitted("the workflow has no contract any more", fix="publish it again")
        change = partial(_heard, id=id, by=by, force=force, epoch=door.epoch, say=say, opens=opens)
        needs = Needs(actions=frozenset({id}), grants=frozenset({id}))
        answer = (await store.write(needs, change)).answer
        if isinstance(answer, NotPermitted):
            raise answer
        if not isinstance(answer, Stale):
            return answer
    raise StoreBusy("the rules changed during every try", fix="try again")


def _heard(
    rows: Rows, *, id: ActionId, by: Operator, force: Force, epoch: int, say: Say[Answer], opens: bool
) -> tuple[Changes, Answer | Stale | NotPermitted]:
    row = rows.actions[id]
    if rows.door.epoch != epoch or row is None or row.state is not ActionState.PARKED:
        return Changes(), Stale()
    if rows.now >= row.expires_at:
        return Changes(), NotPermitted(f"`{id}` expired", fix="the agent may ask again")
    if opens and rows.halt is Halt.RESTORED:
        return Changes(), NotPermitted("a yes of before a restored store is adopted opens nothing", fix=ADOPT)
    ballot = _ballot(rows, row, by, force.contract.approvals, opens=opens)
    return (Changes(), ballot) if isinstance(ballot, NotPermitted) else say(rows, row, ballot)


def _ballot(rows: Rows, row: ActionRow, by: Operator, approvals: Approvals, *, opens: bool) -> Ballot | NotPermitted:
    """Say what this person may answer; `opens` if their word may let something happen."""
    person = person_of(approvals, by.person, by.known_by)
    proved = proves(by.signature, by.known_by, consent_text(row.action.id, row.action.digest, row.seen))
    if opens and not proved and (by.signature or by.known_by.startswith(BY_KEY)):
        fix = f"look again, and sign: `interlock approvals show {row.action.id}`"
        return NotPermitted("the signature is not about what it says", fix=fix)
    roles = roles_as_they_speak(approvals, rows.door, rows.now, row.action.caller.workflow, person, by)
    rules = answerable(
        Voter(person=person, roles=roles, proved=proved or not opens),
        row.requirements,
        authors=authors_of(approvals, row),
        separation_of_duties=approvals.separation_of_duties,
        asked_by=asked_by(approvals, row),
    )
    if isinstance(rules, NoVote):
        return NotPermitted(rules.why, fix=rules.fix)
    return Ballot(by=by, person=named(by, person), rules=rules, roles=roles, approvals=approvals)


def _agree(
    rows: Rows, row: ActionRow, ballot: Ballot, *, seen: str, id_of_new: GrantId
) -> tuple[Changes, Voted | NotPermitted]:
    id = row.action.id
    if seen != row.seen:
        why = f"what `{id}` shows has changed since you looked"
        return Changes(), NotPermitted(why, fix=f"look again: `interlock approvals show {id}`")
    votes = since_adoption(rows.door, rows.grants[id])
    new = Grant(
        id=id_of_new,
        action=id,
        digest=row.action.digest,
        bound=row.bound,
        rules=ballot.rules,
        seen=seen,
        person=ballot.person,
        roles=ballot.roles,
        known_by=ballot.by.known_by,
        signature=ballot.by.signature,
        given_at=rows.now,
        expires_at=row.expires_at,
    )
    known = voted_already(votes, new)
    grant = known or new
    everyone = counting_today(ballot.approvals, row, (*votes, grant), rows.door, rows.now)
    ask = Ask(requirements=row.requirements)
    opened = opening(ask, everyone, digest=grant.digest, bound=grant.bound, seen=seen, now=rows.now)
    voted = Voted(grant=grant.id, answered=grant.rules, complete=opened is not None)
    if known is not None:
        return Changes(), voted
    entry = replace(
        _entry(rows, row, Kind.GRANTED, ballot, grant.id),
        rules=tuple(sorted(ballot.rules)),
        detail={
            "seen": seen,
            **({"digest": grant.digest, "signature": ballot.by.signature} if ballot.by.signature else {}),
        },
    )
    wake = Notice(id=f"resume:{grant.id}", action=id, at=rows.now)
    return Changes(grants=(grant,), notices=(wake,), entries=(entry,)), voted


def _deny(rows: Rows, row: ActionRow, ballot: Ballot, *, new: GrantId) -> tuple[Changes, Refused | NotPermitted]:
    refused = Refused(
        action=row.action.id,
        reason=Reason.APPROVAL_DENIED,
        why=f"`{ballot.person}` said no",
        fix="ask them why, or ask for something else",
    )
    moved = replace(
        row,
        state=step(row.state, ActionState.REFUSED),
        reason=refused.reason,
        why=f"{refused.why}\n{refused.fix}",
        cost=Money(row.gathered),
        changed_at=rows.now,
    )
    entry = replace(
        _entry(rows, moved, Kind.DENIED, ballot, new),
        rules=tuple(sorted(ballot.rules)),
        reason=refused.reason,
        cost=moved.cost,
    )
    return Changes(actions=(moved,), entries=(entry,)), refused


def _edit(
    rows: Rows, row: ActionRow, ballot: Ballot, *, old: ActionRow, new: ActionRow, payload: Payload
) -> tuple[Changes, None | NotPermitted]:
    if row != old:
        return Changes(), NotPermitted("it changed meanwhile", fix="look again, and edit what stands there now")
    entry = replace(_entry(rows, new, Kind.EDITED, ballot, GrantId("")), rules=tuple(sorted(ballot.rules)))
    moved = replace(new, changed_at=rows.now)
    wake = Notice(id=f"resume:{payload.id}", action=row.action.id, at=rows.now)
    return Changes(actions=(moved,), payloads=(payload,), notices=(wake,), entries=(entry,)), None


def _entry(rows: Rows, row: ActionRow, kind: Kind, ballot: Ballot, grant: GrantId) -> ActionEntry:
    return replace(
        entry_of(rows, row, kind, ballot.by.process),
        slice=row.slice,
        contract=row.contract,
        grants=(Used(grant=grant, person=ballot.person, known_by=ballot.by.known_by),),
    )
