"""Step 3: what is already recorded under a key is the answer, so that a repetition has no second effect."""

import json
from typing import assert_never, cast

from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.decision import Allow, Ask, Deny, Suggest
from interlock.core.errors import PayloadErased
from interlock.core.ids import ActionId, PayloadId
from interlock.core.outcome import Done, Failed, Outcome, Parked, Refused, Suggested, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked, key_is_one
from interlock.gateway.claims import Names, draft_claim, last_suggestion
from interlock.gateway.judge import Judged
from interlock.gateway.keyed import given_key
from interlock.gateway.proposal import Proposed
from interlock.ports import ActionRow, Needs, Rows, Secrets, TenantStore


def recall(rows: Rows, asked: Asked) -> ActionRow | None:
    """(3) Return the action that answers this call, or nothing if it has to be judged.

    A refusal by rule or budget is judged again: its key is free. One that waits for a person is judged again
    only when it is resumed, under its own id.
    """
    own = rows.actions[asked.action.id]
    row = own or rows.keys[asked.action.key]
    if row is None or asked.action.digest not in (row.action.digest, row.asked_digest):
        return None
    return None if own is not None and own.state is ActionState.PARKED else row


async def if_key_is_in_use(store: TenantStore, proposed: Proposed, why: Refused, secrets: Secrets) -> Refused:
    """(3) Say why a call is refused that has no canonical form: also whether its key stands for an action already.

    The contract may have changed since then. Whether this call is that action, nobody can compare any more, and to
    refuse it for its form would sound as if nothing had been done.
    """
    caller, proposal = proposed.caller, proposed.proposal
    if proposal.key is None or not key_is_one(proposal):
        return why
    key = given_key(caller, proposal.key, secrets, by_person=proposal.by is not None)
    known = (await store.read(Needs(keys=frozenset({key})))).keys[key]
    if known is None:
        return why
    also = f"the key belongs to `{known.action.id}` already, and this call does not fit the contract: {why.why}"
    return replace(why, reason=Reason.DUPLICATE, why=also, fix="use a new key for a new call", wrong=())


async def remembered(
    rows: Rows, asked: Asked, names: Names, judged: Judged, preview: Json, store: TenantStore, secrets: Secrets
) -> Outcome | None:
    """(3) Answer what has been judged from what an equal call came to lately, where nothing would be different."""
    match judged.decision:
        case Allow():
            return await _read_before(rows, names, store, secrets)
        case Suggest():
            would_say = Suggested(action=asked.action.id, preview=preview, draft=judged.decision.draft)
            return await _suggested_before(rows, asked, names, judged, would_say, store, secrets)
        case Ask() | Deny():
            return None
        case _:
            assert_never(judged.decision)


async def _read_before(rows: Rows, names: Names, store: TenantStore, secrets: Secrets) -> Outcome | None:
    """Answer a read from what it answered lately, where the contract allows it."""
    claim = rows.claims[names.cache] if names.cache else None
    if claim is None or rows.now >= claim.until:
        return None
    row = await row_of(store, claim.action)
    if row is None or row.state is not ActionState.DONE:
        return None
    outcome = await outcome_of(row, store, secrets)
    return outcome if isinstance(outcome, Done) and outcome.result is not None else None


async def _suggested_before(
    rows: Rows,
    asked: Asked,
    names: Names,
    judged: Judged,
    would_say: Suggested,
    store: TenantStore,
    secrets: Secrets,
) -> Suggested | None:
    """Tell of the same suggestion again: what judges it and what it shows is the same, and no person has started it."""
    claim = last_suggestion(rows, names)
    if claim is None or rows.now >= claim.until or rows.actions[asked.action.id] is not None:
        return None
    started = draft_claim(asked, claim.action, secrets)
    found = await store.read(Needs(actions=frozenset({claim.action}), claims=frozenset({started})))
    row = found.actions[claim.action]
    if row is None or row.state is not ActionState.SUGGESTED or found.claims[started] is not None:
        return None
    if (row.action.digest, row.bound) != (asked.action.digest, judged.bound):
        return None
    outcome, same = await outcome_of(row, store, secrets), replace(would_say, action=row.action.id, recalled=True)
    return outcome if isinstance(outcome, Suggested) and outcome == same else None


async def outcome_of(row: ActionRow, store: TenantStore, secrets: Secrets) -> Outcome:
    """Tell again how an action ended, or where it stands."""
    id = row.action.id
    match row.state:
        case ActionState.DONE:
            shown = await payload_of(row.result, store, secrets)
            result = shown["shown"] if isinstance(shown, dict) else None
            check = "failed" if row.check == "failed" else "passed" if row.check == "passed" else ""
            told = Done(action=id, result=result, cost=row.cost, check=check, overrun=row.overrun, recalled=True)
            return replace(told, undone_by=row.undone_by)
        case ActionState.PARKED:
            return Parked(action=id, requirements=row.requirements, expires_at=row.expires_at, recalled=True)
        case ActionState.SUGGESTED:
            preview = await payload_of(row.preview, store, secrets)
            return Suggested(action=id, preview=preview, draft=row.draft, recalled=True)
        case ActionState.FAILED:
            said = await payload_of(row.said, store, secrets)
            text = str(said["said"]) if isinstance(said, dict) else ""
            return Failed(action=id, why=row.why, said=text, recalled=True)
        case ActionState.STARTED | ActionState.UNCERTAIN | ActionState.ABANDONED:
            return Uncertain(action=id, why=row.why, recalled=True)
        case ActionState.REFUSED:
            why, _, fix = row.why.partition("\n")
            return Refused(action=id, reason=row.reason or Reason.INTERNAL, why=why, fix=fix, recalled=True)
        case ActionState.ASKED:
            raise AssertionError("what is only asked has no row")


async def row_of(store: TenantStore, id: ActionId) -> ActionRow | None:
    """Return the row of an action as it is now."""
    rows = await store.read(Needs(actions=frozenset({id})))
    return rows.actions[id]


async def payload_of(id: PayloadId | None, store: TenantStore, secrets: Secrets) -> Json:
    """Read a payload; nothing if there is none, or if it was erased since."""
    sealed = await store.payload(id) if id else None
    if id is None or sealed is None:
        return None
    try:
        return cast("Json", json.loads(secrets.open(store.tenant, id, sealed)))
    except PayloadErased:
        return None
