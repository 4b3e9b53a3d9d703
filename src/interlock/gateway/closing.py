"""The end of an action that somebody else had started: a verdict, an answer to a question, another round."""

from functools import partial

from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.charge import Unit
from interlock.core.ids import ActionId, Micros
from interlock.core.outcome import Outcome
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.call import Gateway
from interlock.gateway.check import said_apart, seen_apart
from interlock.gateway.perform import Ending, Happened, Unheard
from interlock.gateway.settle import End, ended
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Needs, Rows, TenantStore


def needs_to_end(row: ActionRow) -> Needs:
    """Name the rows that the end of an action reads or writes."""
    reversed_one = frozenset({row.action.undo_of}) if row.action.undo_of else frozenset[ActionId]()
    return Needs(
        actions=frozenset({row.action.id}) | reversed_one,
        budgets=frozenset(charge.budget for charge in row.holds),
        claims=frozenset(row.claims),
    )


def happened(row: ActionRow, result: Json) -> Happened:
    """Take somebody's word that it happened. Nobody says what it cost, so it is what was set aside for it."""
    return Happened(result=result, costs={Unit.USD.value: row.price}, attempts=0, took=Micros(0))


async def end_of(
    gateway: Gateway, row: ActionRow, asked: Asked, ending: Ending, *, fence: int, kind: Kind = Kind.ENDED
) -> End:
    """Put together how an action ended, with what is to be seen of its record afterwards."""
    return End(
        id=row.action.id,
        fence=fence,
        ending=ending,
        checked=await gateway.checked(asked, ending, {}) if isinstance(ending, Happened) else None,
        process=gateway.process,
        said=None if isinstance(ending, Happened) else said_apart(asked, ending.said, gateway.secrets),
        seen=seen_apart(asked, ending, gateway.secrets, gateway.clock.now()),
        undo_within=asked.tool.undo.within if asked.tool.undo else Micros(0),
        price=asked.tool.price or 0,
        round_price=asked.price or 0,
        looked_up=asked.price_after if kind is Kind.ENDED else 0,
        held=row.holds,
        kind=kind,
    )


async def close(
    gateway: Gateway,
    store: TenantStore,
    row: ActionRow,
    asked: Asked,
    ending: Ending,
    *,
    by: tuple[tuple[str, str], ...],
) -> Outcome | None:
    """Write down what somebody found out about an uncertain action; nothing if it has ended otherwise meanwhile."""
    how = replace(await end_of(gateway, row, asked, ending, fence=row.fence, kind=Kind.RESOLVED), by=by)
    return (await store.write(needs_to_end(row), partial(_closed, how=how))).answer


def _closed(rows: Rows, *, how: End) -> tuple[Changes, Outcome | None]:
    row = rows.actions[how.id]
    open_states = (ActionState.STARTED, ActionState.UNCERTAIN)
    if row is None or row.fence != how.fence or row.state not in open_states:
        return Changes(), None
    if row.state is ActionState.UNCERTAIN and isinstance(how.ending, Unheard):
        return Changes(), None
    return ended(rows, row, how)
