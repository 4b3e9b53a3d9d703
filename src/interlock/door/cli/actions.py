"""`action`: list, show, resolve."""

from collections.abc import Mapping
from typing import Any, cast

from interlock.contract.problem import nearest
from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.errors import UsageWrong
from interlock.core.ids import Instant, RunId
from interlock.door.cli.outcomes import CODES, tell, text_of
from interlock.door.cli.payloads import shown
from interlock.door.cli.person import operator
from interlock.door.cli.reading import json_of
from interlock.door.cli.render import Time, block, clean, since, table, usd
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, performing, session
from interlock.door.told.action import row_data
from interlock.door.told.outcome import data_of
from interlock.door.told.payloads import Missing, arguments_of, member, opened
from interlock.gateway.draft import start_draft
from interlock.gateway.listing import Filter, page_of
from interlock.gateway.recall import row_of
from interlock.gateway.recover import reap
from interlock.gateway.resolve import Resolved, Verdict, resolve
from interlock.ports import ActionRow, Wanted

_LIST_MAX = 10_000
LOOKED_AT_MAX = 100_000


@awaited
async def listed(typed: Typed) -> int:
    """List actions, the newest first."""
    given = typed.given
    if not 1 <= given.limit <= _LIST_MAX:
        raise UsageWrong(f"a list has 1 to {_LIST_MAX:,} lines", fix="say `--limit 50`")
    run = RunId(given.run_id) if given.run_id is not None else None
    narrow = Filter(
        workflow=given.workflow,
        environment=given.env,
        agent=given.agent,
        principal=given.principal,
        tool=given.tool,
    )
    with session(typed) as here:
        wanted = Wanted(states=frozenset(map(_state_of, given.state or ())), run=run, limit=given.limit)
        rows, more = await page_of(here.store, wanted, narrow.fits, looks_at=LOOKED_AT_MAX)
        now = (await here.rows()).now
    lines = [[r.action.id, r.state.value, r.action.tool, _who(r), since(r.changed_at, now), remark(r)] for r in rows]
    text = table(["ID", "STATE", "TOOL", "AGENT FOR", "CHANGED", "REMARK"], lines, typed.screen.broad)
    typed.screen.show([row_data(row) for row in rows], text if rows else "no such action")
    note_the_rest(typed, len(rows), "actions", more=more is not None)
    return 0


def note_the_rest(typed: Typed, shown: int, what: str, *, more: bool) -> None:
    """Say beside a list that it is not all: it has as many lines as it may, or older ones were not looked at."""
    if shown == typed.given.limit:
        typed.screen.note(f"note: the newest {shown}; say `--limit N` for more")
    elif more:
        typed.screen.note(f"note: of the newest {LOOKED_AT_MAX:,} {what}; older ones were not looked at")


@awaited
async def show(typed: Typed) -> int:
    """Show where one action stands."""
    with session(typed) as here:
        row = await here.action(typed.given.id)
        now = (await here.rows()).now
        arguments = await arguments_of(here, row.action.arguments)
        result = member(await opened(here, row.result), "shown")
        undo = undo_words(row, now, await opened(here, row.undo))
    room = typed.screen.width - 12
    pairs = [
        ("action", row.action.id),
        ("state", f"{row.state.value}, {since(row.changed_at, now)}"),
        ("tool", f"{row.action.tool} ({row.action.effect.value}, {row.action.tier.value})"),
        ("arguments", shown(arguments, room) if arguments is not None else ""),
        ("agent", _who(row)),
        ("workflow", f"{row.action.caller.workflow} in {row.action.caller.environment}"),
        ("run", row.action.run),
        ("asked", Time(row.action.asked_at).short()),
        ("remark", remark(row)),
        ("result", shown(result, room) if row.result else ""),
        ("cost", str(usd(row.cost.micros)) if row.state in _PAID else ""),
        ("undo", undo),
        ("story", f"`interlock explain {row.action.id}`"),
    ]
    data = {**row_data(row), "arguments": arguments, "result": result}
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


@awaited
async def start(typed: Typed) -> int:
    """Start a draft. What is red waits for others, and nothing is done by this command alone."""
    with performing(typed) as here:
        row = await here.action(typed.given.id)
        outcome = await start_draft(here.gateway, here.store, row.action.id, await operator(here))
    return tell(typed, outcome)


@awaited
async def resolved(typed: Typed) -> int:
    """Take a person's word for what became of an action."""
    given = typed.given
    verdict = cast("Verdict", given.verdict.replace("-", "_"))
    if given.result is not None and verdict != "happened":
        raise UsageWrong("`--result` belongs to `happened`", fix="leave it out")
    result = json_of(given.result, "the result") if given.result is not None else None
    # A retry is a new effect, so it takes the right to perform; the rest is somebody's word.
    with (performing if verdict == "retry" else session)(typed) as here:
        row = await _given_up(here, await here.action(given.id))
        by = await operator(here)
        done = await resolve(
            here.gateway,
            here.store,
            row.action.id,
            verdict,
            by,
            result=result,
            may_still_happen=given.first_may_still_happen,
        )
        after = await row_of(here.store, row.action.id) or row
        data = {**row_data(after), "verdict": verdict, "by": by.person, "known_by": by.known_by}
        told = f"{row.action.id} is {after.state.value}, by the word of {by.person} ({by.known_by})"
        return _told(typed, done, data, told)


def _told(typed: Typed, done: Resolved, data: Mapping[str, Any], told: str) -> int:
    if done.retried is None:
        typed.screen.show({**data, "retried": None}, told)
        return 0
    text = text_of(done.retried, typed.screen.width)
    typed.screen.show({**data, "retried": data_of(done.retried)}, f"{told}\n\nit was done again:\n{text}")
    return CODES[type(done.retried)]


async def _given_up(here: Session, row: ActionRow) -> ActionRow:
    """Give an action up whose lease has passed and whose process nobody has looked after since."""
    if row.state is not ActionState.STARTED or (await here.rows()).now < row.lease_until:
        return row
    await reap(here.store, here.gateway.process)
    return await row_of(here.store, row.action.id) or row


def remark(row: ActionRow) -> str:
    """Say on one line what is worth knowing beside the state."""
    said = [
        f"{row.reason.value}: {row.why.partition(chr(10))[0]}" if row.reason else row.why.partition("\n")[0],
        "check failed" if row.check == "failed" else "",
        "cost more than was held" if row.overrun else "",
        f"undone by {row.undone_by}" if row.undone_by else "",
        f"undoes {row.action.undo_of}" if row.action.undo_of else "",
        f"does {row.action.retry_of} again" if row.action.retry_of else "",
        "a draft" if row.draft else "",
    ]
    return clean("; ".join(each for each in said if each))


def undo_words(row: ActionRow, now: Instant, needs: Json | Missing) -> str:
    """Say whether an effect can be taken back, given what its undo needs."""
    if row.undone_by:
        return f"undone by {row.undone_by}"
    if row.undo is None or row.state is not ActionState.DONE:
        return ""
    if now >= row.undo_until:
        return f"not any more: the time was over {Time(row.undo_until).short()}"
    if isinstance(needs, Missing):
        return f"not any more: what it needs is {needs.why}"
    return f"until {Time(row.undo_until).short()}: `interlock undo {row.action.id}`"


def _who(row: ActionRow) -> str:
    if row.action.by:
        return f"{row.action.by}, a person"
    caller = row.action.caller
    return clean(f"{caller.agent} for {caller.principal}") if row.pruned is None else ""


def _state_of(text: str) -> ActionState:
    states = {state.value: state for state in ActionState}
    if text not in states:
        raise UsageWrong(f"`{text}` is no state", fix=nearest(text, states))
    return states[text]


_PAID = (ActionState.DONE, ActionState.FAILED, ActionState.ABANDONED)
