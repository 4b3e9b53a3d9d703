"""`undo`: reverse one effect, or those of a run, the last one first."""

from asyncio import sleep
from collections.abc import Sequence
from functools import partial
from time import monotonic

from interlock.core.errors import NotPermitted, Occupied, StoreBusy, UsageWrong
from interlock.core.ids import ActionId, Instant, RunId
from interlock.core.limits import SAFE_INTEGER
from interlock.core.outcome import Done, Outcome
from interlock.core.value import replace
from interlock.door.cli.outcomes import CODES, tell, text_of
from interlock.door.cli.person import operator
from interlock.door.cli.render import Time, block, clean, table
from interlock.door.cli.runs import unknown
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, performing, session
from interlock.door.told.undone import reversal_data, run_undone_data
from interlock.gateway import reverse
from interlock.gateway.doors import Operator
from interlock.gateway.listing import each_of_run
from interlock.gateway.recall import outcome_of
from interlock.gateway.reverse import Reversal, stands
from interlock.gateway.reverse_run import RunUndone, Undoing, concerns, undo_run
from interlock.ports import ActionRow, Wanted

ANSWER_SECONDS = 150
"""How long is waited for the process that performs: longer than one call takes."""
_LOOK_SECONDS = 0.2
_ELSEWHERE = "note: another process performs on this store, and undoes it"


@awaited
async def undo(typed: Typed) -> int:
    """Undo, or say what would be undone."""
    given = typed.given
    if (given.id is None) == (given.run_id is None):
        what = "say what is to be undone" if given.id is None else "an action and `--run` exclude each other"
        raise UsageWrong(what, fix="name one action, or `--run RUN`")
    if given.plan:
        return await _planned(typed)
    try:
        with performing(typed) as here:
            by = await operator(here)
            one = partial(reverse.undo, here.gateway, here.store, by=by, even_if_changed=given.even_if_changed)
            if given.run_id is not None:
                return await _run(here, one)
            return tell(typed, await one((await here.action(given.id)).action.id))
    except Occupied:
        with session(typed) as here:
            if given.run_id is not None:
                return await _run(here, partial(_by_another, here, await operator(here)), elsewhere=True)
            typed.screen.note(_ELSEWHERE)
            return await _asked_for(here)


async def _planned(typed: Typed) -> int:
    """Say what would be undone, and do nothing."""
    given = typed.given
    with session(typed) as here:
        rows = [await here.action(given.id)] if given.id is not None else await _effects(here)
        steps = await reverse.plan(here.gateway, here.store, rows)
    typed.screen.show(list(map(reversal_data, steps)), _plan_text(steps, typed.screen.width))
    return 0


async def _asked_for(here: Session) -> int:
    """Leave one effect to the process that performs on this store, and say so."""
    typed = here.typed
    id, by = (await here.action(typed.given.id)).action.id, await operator(here)
    await reverse.ask_for(here.gateway, here.store, id, by, even_if_changed=typed.given.even_if_changed)
    typed.screen.show(
        {"asked_for": id, "by": by.person, "known_by": by.known_by},
        block(
            [
                ("asked for", f"the undo of {id}"),
                ("by", f"{by.person} ({by.known_by})"),
                ("next", f"`interlock action show {id}`"),
            ],
            typed.screen.width,
        ),
    )
    return 0


async def _by_another(here: Session, by: Operator, id: ActionId) -> Outcome:
    """Leave an effect to the process that performs on this store, and wait until it has answered.

    Raises:
        NotPermitted: it could not be undone.
        StoreBusy: that process does not answer. What was asked for stays asked for.
    """
    changed: bool = here.typed.given.even_if_changed
    since = (await here.rows()).now
    line = await reverse.ask_for(here.gateway, here.store, id, by, even_if_changed=changed)
    until = monotonic() + ANSWER_SECONDS
    while line in {each.id for each in await here.store.notices(before=_EVER, topics=("undo",))}:
        if monotonic() > until:
            why = f"the process that performs on this store has not undone `{id}` within {ANSWER_SECONDS} s"
            raise StoreBusy(why, fix=f"see `interlock action show {id}`: it stays asked for")
        await sleep(_LOOK_SECONDS)
    for row in await here.store.actions(Wanted(undo_of=id, limit=1)):
        if row.action.asked_at < since:
            break  # of an earlier wish
        return replace(await outcome_of(row, here.store, here.gateway.secrets), recalled=False)
    raise NotPermitted(f"`{id}` could not be undone", fix=f"see `interlock explain {id}`")


_EVER = Instant(SAFE_INTEGER)


async def _effects(here: Session) -> list[ActionRow]:
    """Find the actions of a run that its undo has to know of."""
    run = RunId(here.typed.given.run_id)
    rows, found = list[ActionRow](), False
    async for row in each_of_run(here.store, run):
        found = True
        if concerns(row):
            rows.append(row)
    if not found:
        raise unknown(run)
    return rows


async def _run(here: Session, undo_one: Undoing, *, elsewhere: bool = False) -> int:
    """Undo a run, and say how far that has come."""
    effects, screen = await _effects(here), here.typed.screen
    if elsewhere and any(map(stands, effects)):
        screen.note(_ELSEWHERE)
    done = await undo_run(here.gateway, here.store, effects, undo_one)
    screen.show(run_undone_data(done), _run_text(done, screen.width))
    last = done.ended[-1][1] if done.ended else None
    if last is not None and not isinstance(last, Done):
        return CODES[type(last)]
    return 0 if done.whole else 1


def _run_text(done: RunUndone, width: int) -> str:
    parts = [f"{step.tool} {step.action}:\n{text_of(outcome, width)}" for step, outcome in done.ended]
    if done.cannot:
        parts.append(f"left as they are, because they cannot be undone:\n{_plan_text(done.cannot, width)}")
    if done.not_tried:
        why = f"{done.stopped}: {done.stopped.fix}" if done.stopped is not None else "a later effect still stands"
        parts.append(f"not tried, because {clean(why)}:\n{_plan_text(done.not_tried, width)}")
    if done.waits:
        no = "\n".join(f"  `interlock approvals deny {id}`" for id in done.waits)
        parts.append(f"still waiting for a person, and would happen with a yes:\n{no}")
    return "\n\n".join(parts) or "no effect of this run stands"


def _plan_text(steps: Sequence[Reversal], width: int) -> str:
    rows = [
        [step.action, step.tool, f"cannot be undone: {step.why_not}" if step.why_not else _how(step)] for step in steps
    ]
    return table(["EFFECT", "TOOL", "UNDO"], rows, width) if rows else "no effect that stands"


def _how(step: Reversal) -> str:
    return clean(f"{step.undo_tool} {step.arguments.decode()}, until {Time(step.until).short()}")
