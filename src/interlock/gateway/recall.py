"""Step 3: what is already recorded under a key is the answer, so that a repetition has no second effect."""

import json
from typing import assert_never, cast

from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.errors import PayloadErased
from interlock.core.outcome import Done, Failed, Outcome, Parked, Refused, Suggested, Uncertain
from interlock.core.reason import Reason
from interlock.gateway.asked import Asked
from interlock.ports import ActionRow, Rows, Secrets, TenantStore


def recall(rows: Rows, asked: Asked) -> ActionRow | None:
    """(3) Return the action that answers this call, or nothing if it has to be judged.

    A refusal by rule or budget is judged again: its key is free. One that waits for a person is judged again
    only when it is resumed, under its own id.
    """
    own = rows.actions[asked.action.id]
    row = own or rows.keys[asked.action.key]
    if row is None or row.action.digest != asked.action.digest:
        return None
    return None if own is not None and own.state is ActionState.PARKED else row


async def outcome_of(row: ActionRow, store: TenantStore, secrets: Secrets) -> Outcome:
    """Tell again how an action ended, or where it stands."""
    id = row.action.id
    match row.state:
        case ActionState.DONE:
            result = await result_of(row, store, secrets)
            check = "failed" if row.check == "failed" else "passed" if row.check == "passed" else ""
            return Done(action=id, result=result, cost=row.cost, check=check, overrun=row.overrun, recalled=True)
        case ActionState.PARKED:
            return Parked(action=id, requirements=row.requirements, expires_at=row.expires_at, recalled=True)
        case ActionState.SUGGESTED:
            return Suggested(action=id, preview=None, draft=row.draft, recalled=True)
        case ActionState.FAILED:
            return Failed(action=id, why=row.why, recalled=True)
        case ActionState.STARTED | ActionState.UNCERTAIN | ActionState.ABANDONED:
            return Uncertain(action=id, recalled=True)
        case ActionState.REFUSED:
            why, _, fix = row.why.partition("\n")
            return Refused(action=id, reason=row.reason or Reason.INTERNAL, why=why, fix=fix, recalled=True)
        case ActionState.ASKED:
            raise AssertionError("what is only asked has no row")
        case _:
            assert_never(row.state)


async def result_of(row: ActionRow, store: TenantStore, secrets: Secrets) -> Json:
    """Read what an action brought back; nothing if it was erased since."""
    sealed = await store.payload(row.result) if row.result else None
    if row.result is None or sealed is None:
        return None
    try:
        return cast("Json", json.loads(secrets.open(store.tenant, row.result, sealed)))
    except PayloadErased:
        return None
