"""What a person says of an action whose end nobody knows: it happened, it did not, give up, or do it again."""

from dataclasses import dataclass
from functools import partial
from typing import Literal, assert_never

from interlock.budget.hold import settle
from interlock.core.action import ActionState, step
from interlock.core.canonical import Json
from interlock.core.errors import ActionUnknown, NotPermitted
from interlock.core.ids import ActionId
from interlock.core.money import Money
from interlock.core.outcome import Outcome, Refused
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.call import Gateway
from interlock.gateway.claims import given_back
from interlock.gateway.closing import close, happened, needs_to_end
from interlock.gateway.doors import Operator
from interlock.gateway.entry import entry_of
from interlock.gateway.people import askers_of
from interlock.gateway.perform import NeverHappened
from interlock.gateway.proposal import Proposal
from interlock.gateway.recall import row_of
from interlock.gateway.revive import revived
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Rows, TenantStore

Verdict = Literal["happened", "did_not_happen", "abandon", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What became of the uncertain action, and of the new one if it was done again."""

    state: ActionState
    retried: Outcome | None = None


async def resolve(
    gateway: Gateway,
    store: TenantStore,
    id: ActionId,
    verdict: Verdict,
    by: Operator,
    *,
    result: Json = None,
    may_still_happen: bool = False,
) -> Resolved:
    """Put an end to not knowing.

    Args:
        gateway: carries out a retry.
        store: the tenant's part of the store.
        id: the uncertain action.
        verdict: `retry` gives this one up and makes a new action with a decision, holds and consent of its own.
        by: the person, whose word it is.
        result: with `happened`, the fields of the result that an undo needs: evidence of that person.
        may_still_happen: with `retry`, that the person knows the first one may still happen.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: nobody doubts how it ended, or a retry needs `may_still_happen`.
    """
    row = await _uncertain(store, id)
    said = (("verdict", verdict), ("by", by.person), ("known_by", by.known_by))
    if verdict in ("abandon", "retry"):
        return await _given_up(gateway, store, row, verdict, by, may_still_happen=may_still_happen)
    asked = await _revived(gateway, store, row)
    ending = (
        happened(row, result)
        if verdict == "happened"
        else NeverHappened(why=f"`{by.person}` says that it did not happen", attempts=0)
    )
    outcome = await close(gateway, store, row, asked, ending, by=said)
    if outcome is None:
        raise NotPermitted(f"`{id}` was resolved meanwhile", fix=f"run `interlock action show {id}`")
    return Resolved(state=ActionState.DONE if verdict == "happened" else ActionState.FAILED)


async def _given_up(
    gateway: Gateway,
    store: TenantStore,
    row: ActionRow,
    verdict: Literal["abandon", "retry"],
    by: Operator,
    *,
    may_still_happen: bool,
) -> Resolved:
    match verdict:
        case "abandon":
            await _abandon(store, row, by, verdict)
            return Resolved(state=ActionState.ABANDONED)
        case "retry":
            if row.owner == gateway.process:
                raise NotPermitted(
                    f"this process has started `{row.action.id}` itself, so it may still happen",
                    fix="say what became of it; or end this process, and have it made again by the next one",
                )
            if not may_still_happen:
                raise NotPermitted(
                    f"nobody knows whether the owner of `{row.action.id}` is gone, so it may still happen",
                    fix="make sure that its process has ended, then say that you know: `--first-may-still-happen`, or "
                    "`first_may_still_happen` over HTTP",
                )
            asked = await _revived(gateway, store, row)
            await _abandon(store, row, by, verdict)
            again = Proposal(
                tool=asked.action.tool,
                arguments=asked.arguments.text,
                run=None if row.action.own_run else row.action.run,
                by=by.person,
                retry_of=row.action.id,
                undo_of=row.action.undo_of,
                draft_of=row.action.draft_of,
                authors=row.authors,
                askers=askers_of(row),
            )
            caller = replace(row.action.caller, known_by=by.known_by)
            return Resolved(state=ActionState.ABANDONED, retried=await gateway.call(caller, again))
        case _:
            assert_never(verdict)


async def _abandon(store: TenantStore, row: ActionRow, by: Operator, verdict: str) -> None:
    written = await store.write(needs_to_end(row), partial(_abandoned, row=row, by=by, verdict=verdict))
    if not written.answer:
        raise NotPermitted(
            f"`{row.action.id}` was resolved meanwhile", fix=f"run `interlock action show {row.action.id}`"
        )


def _abandoned(rows: Rows, *, row: ActionRow, by: Operator, verdict: str) -> tuple[Changes, bool]:
    """Give up finding out: what was held is charged, because it may have happened."""
    found = rows.actions[row.action.id]
    if found is None or (found.state, found.fence) != (row.state, row.fence):
        return Changes(), False
    row = found
    costs = {charge.budget: charge.amount for charge in row.holds}
    moved = replace(
        row,
        state=step(row.state, ActionState.ABANDONED),
        holds=(),
        cost=Money(row.price + row.gathered),
        changed_at=rows.now,
    )
    let_go = [given_back(claim) for claim in rows.claims.values() if claim and claim.action == row.action.id]
    if verdict == "abandon":
        let_go = [claim for claim in let_go if claim.serial]
    entry = replace(
        entry_of(rows, moved, Kind.RESOLVED, by.process),
        contract=moved.contract,
        costs=costs,
        cost=moved.cost,
        detail={"verdict": verdict, "by": by.person, "known_by": by.known_by},
    )
    return Changes(
        actions=(moved,),
        budgets=settle(rows.budgets, row.holds, costs),
        claims=tuple(let_go),
        entries=(entry,),
    ), True


async def _uncertain(store: TenantStore, id: ActionId) -> ActionRow:
    row = await row_of(store, id)
    if row is None:
        raise ActionUnknown(f"no action has the id `{id}`", fix="list them: `interlock action list --state uncertain`")
    if row.state is ActionState.STARTED:
        raise NotPermitted(
            f"`{id}` is under way, as far as anybody knows",
            fix="once its lease is over, whoever attends gives it up (`interlock attend --once`); then say this again",
        )
    if row.state is not ActionState.UNCERTAIN:
        raise NotPermitted(
            f"nobody doubts how `{id}` ended: it is {row.state.value}", fix=f"run `interlock action show {id}`"
        )
    return row


async def _revived(gateway: Gateway, store: TenantStore, row: ActionRow) -> Asked:
    asked = await revived(gateway, store, row)
    if isinstance(asked, Refused):
        raise NotPermitted(asked.why, fix=f"give it up: `interlock action resolve {row.action.id} abandon`")
    return asked
