"""Undo: a new, governed action that reverses an old one. Last in, first out; what cannot be undone is named before."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from interlock.core.action import ActionState
from interlock.core.canonical import Json, canonical
from interlock.core.effect import EffectClass
from interlock.core.errors import ActionUnknown, NotPermitted, StoreTampered
from interlock.core.fact import Known
from interlock.core.ids import ActionId, Instant, PrincipalId, ToolName
from interlock.core.outcome import Done, Outcome, Parked, Refused
from interlock.core.value import replace
from interlock.gateway import fresh
from interlock.gateway.call import Gateway
from interlock.gateway.doors import Operator, said_by
from interlock.gateway.paid import Purse
from interlock.gateway.proposal import Proposal
from interlock.gateway.recall import payload_of, row_of
from interlock.gateway.refuse import PASSING
from interlock.gateway.revive import revived
from interlock.ledger import change
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Needs, Notice, Rows, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """One effect of a plan: how it would be undone, or why it cannot be."""

    action: ActionId
    tool: ToolName
    undo_tool: ToolName | None = None
    arguments: bytes = b""
    until: Instant = Instant(0)
    why_not: str = ""


async def plan(gateway: Gateway, store: TenantStore, rows: Sequence[ActionRow]) -> tuple[Reversal, ...]:
    """List those of some actions whose effects stand, the last one first, each with how it can be undone."""
    seen, effects = await store.read(Needs()), [row for row in rows if stands(row)]
    return tuple([await _reversal(gateway, store, row, seen) for row in sorted(effects, key=_last_first)])


def stands(row: ActionRow) -> bool:
    """Whether an action has, or may have, an effect that nobody has undone."""
    known = row.state in _EFFECTS and row.action.effect is not EffectClass.READ
    return known and row.action.undo_of is None and row.undone_by is None


_EFFECTS = (ActionState.DONE, ActionState.UNCERTAIN, ActionState.STARTED, ActionState.ABANDONED)


def _last_first(row: ActionRow) -> tuple[int, str]:
    return -row.started_at, row.action.id


async def _reversal(gateway: Gateway, store: TenantStore, row: ActionRow, seen: Rows) -> Reversal:
    def cannot(why: str) -> Reversal:
        return Reversal(action=row.action.id, tool=row.action.tool, why_not=why)

    if row.pruned is not None:
        return cannot("it ended long ago, and what its undo needs was pruned")
    if row.state is ActionState.STARTED:
        return cannot("it is under way")
    if row.state is not ActionState.DONE:
        return cannot("nobody knows whether it happened: resolve it first")
    if row.undo is None:
        return cannot("the contract names no undo for it, or its result lacks what the undo needs")
    if seen.now >= row.undo_until:
        return cannot("the time in which it could be undone is over")
    kept = await payload_of(row.undo, store, gateway.secrets)
    if not isinstance(kept, dict):
        return cannot("what its undo needs was erased")
    undo_tool = ToolName(cast("str", kept["tool"]))
    caller = row.action.caller
    force = await gateway.forces.of(store, seen.door, caller.workflow, caller.environment)
    if force is None or undo_tool not in force.contract.tools:
        return cannot(f"the contract in force has no tool `{undo_tool}`")
    return Reversal(
        action=row.action.id,
        tool=row.action.tool,
        undo_tool=undo_tool,
        arguments=canonical(kept["arguments"]),
        until=row.undo_until,
    )


async def undo(
    gateway: Gateway, store: TenantStore, id: ActionId, by: Operator, *, even_if_changed: bool = False
) -> Outcome:
    """Undo one effect, by policy, under the tenant's own budget.

    Args:
        gateway: carries the undo out as an action of its own.
        store: the tenant's part of the store.
        id: the action to reverse.
        by: the person who asks for it.
        even_if_changed: go on although the record has changed since.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it cannot be undone, or the record has changed since and nobody said that this is fine.
    """
    row, step = await _undoable(gateway, store, id)
    if not even_if_changed and await has_changed(gateway, store, row):
        raise NotPermitted(f"what `{id}` left behind has changed since", fix=LOOK_AT_IT)
    proposal = Proposal(
        tool=step.undo_tool or step.tool,
        arguments=step.arguments,
        run=None if row.action.own_run else row.action.run,
        by=by.person,
        undo_of=id,
        even_if_changed=even_if_changed,
    )
    caller = replace(row.action.caller, principal=PrincipalId(by.person), known_by=by.known_by)
    return await gateway.call(caller, proposal)


async def _undoable(gateway: Gateway, store: TenantStore, id: ActionId) -> tuple[ActionRow, Reversal]:
    row = await row_of(store, id)
    if row is None:
        raise ActionUnknown(f"no action has the id `{id}`", fix="list them: `interlock action list`")
    steps = await plan(gateway, store, [row])
    if not steps or steps[0].undo_tool is None:
        why = steps[0].why_not if steps else "it has no effect that stands"
        raise NotPermitted(f"`{id}` cannot be undone: {why}", fix=f"run `interlock action show {id}`")
    return row, steps[0]


LOOK_AT_IT = "look at it, then say `--even-if-changed`"


async def has_changed(gateway: Gateway, store: TenantStore, row: ActionRow) -> bool:
    """Whether what the action left behind is not there any more as it was."""
    asked = await revived(gateway, store, row)
    if isinstance(asked, Refused) or asked.tool.after is None:
        return False
    kept = await payload_of(row.result, store, gateway.secrets)
    if not isinstance(kept, dict) or "after" not in kept:
        return True  # nobody knows what it left behind
    result: Json = kept.get("full", kept["shown"])
    seen = await store.read(Needs())
    purse = Purse(store=store, asked=asked, process=gateway.process, seen=seen, pays="tenant")
    found = await gateway.facts.look(asked, asked.tool.after, seen.now, purse, result=result)
    return not isinstance(found, Known) or found.value != kept["after"]


async def ask_for(
    gateway: Gateway, store: TenantStore, id: ActionId, by: Operator, *, even_if_changed: bool = False
) -> str:
    """Leave it to whoever performs on this store to undo an effect. What asks is written down, and so is who.

    Returns:
        The id of the line of the outbox that asks. It is done once it was answered.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it cannot be undone.
    """
    await _undoable(gateway, store, id)
    line_id = f"undo:{fresh.grant_id()}"  # a later wish says something else, and is answered by itself

    def turn(rows: Rows) -> tuple[Changes, None]:
        line = Notice(
            id=line_id,
            action=id,
            at=rows.now,
            by=by.person,
            known_by=by.known_by,
            even_if_changed=even_if_changed,
        )
        detail = change.undo_asked(id, even_if_changed=even_if_changed)
        return Changes(notices=(line,), entries=(said_by(rows, by, Kind.UNDO_ASKED, detail),)), None

    await store.write(Needs(), turn)
    return line_id


async def answer(gateway: Gateway, store: TenantStore, asked_for: Notice) -> Outcome | None:
    """Undo what somebody asked for beside this process, or write down that it cannot be done any more.

    Returns:
        How the undo ended; nothing where there was none.

    Raises:
        StoreError: the store is away. Whoever asked is answered later.
    """
    by = Operator(person=asked_for.by, known_by=asked_for.known_by, process=gateway.process)
    try:
        if asked_for.at < (await store.read(Needs())).door.adopted:
            raise NotPermitted("it may have been undone in entries that are lost", fix="look, then ask for it again")
        outcome = await undo(gateway, store, asked_for.action, by, even_if_changed=asked_for.even_if_changed)
    except (NotPermitted, ActionUnknown, StoreTampered):
        outcome = None
    if isinstance(outcome, Refused) and outcome.reason in PASSING:
        return outcome
    await store.write(
        Needs(actions=frozenset({asked_for.action})), partial(_answered, line=asked_for, by=by, how=outcome)
    )
    return outcome


def _answered(rows: Rows, *, line: Notice, by: Operator, how: Outcome | None) -> tuple[Changes, None]:
    """Somebody was told to wait for it, so that it was not done is told as well, unless another wish has done it."""
    done, row = replace(line, done=True), rows.actions[line.action]
    undone = row is not None and row.undone_by is not None
    if undone or isinstance(how, Done | Parked):
        return Changes(notices=(done,)), None
    told = Notice(id=f"incident:{line.id}", action=line.action, at=rows.now)
    entry = said_by(rows, by, Kind.UNDO_ASKED, change.not_undone(line.action))
    return Changes(notices=(done, told), entries=(entry,)), None
