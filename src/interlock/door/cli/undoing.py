"""`undo`: reverse one effect, or those of a run, the last one first."""

from collections.abc import Sequence

from interlock.core.errors import Occupied, UsageWrong
from interlock.core.ids import RunId
from interlock.core.outcome import Done
from interlock.door.cli.outcomes import CODES, tell, text_of
from interlock.door.cli.person import operator
from interlock.door.cli.render import Time, block, clean, table
from interlock.door.cli.runs import unknown
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, performing, session
from interlock.door.told.undone import reversal_data, run_undone_data
from interlock.gateway import reverse
from interlock.gateway.listing import each_of_run
from interlock.gateway.reverse import Reversal
from interlock.gateway.reverse_run import RunUndone, undo_run
from interlock.ports import ActionRow


@awaited
async def undo(typed: Typed) -> int:
    """Undo, or say what would be undone."""
    given = typed.given
    if (given.id is None) == (given.run_id is None):
        raise UsageWrong("say what is to be undone", fix="name one action, or `--run RUN`")
    try:
        return await _undo(typed)
    except Occupied:
        if given.id is None:
            raise
    return await _asked_for(typed)


async def _undo(typed: Typed) -> int:
    given = typed.given
    with (session if given.plan else performing)(typed) as here:
        rows = [await here.action(given.id)] if given.id is not None else await _effects(here, RunId(given.run_id))
        if given.plan:
            steps = await reverse.plan(here.gateway, here.store, rows)
            typed.screen.show(list(map(reversal_data, steps)), _plan_text(steps, typed.screen.width))
            return 0
        by, changed = await operator(here), given.even_if_changed
        if given.id is not None:
            id = rows[0].action.id
            return tell(typed, await reverse.undo(here.gateway, here.store, id, by, even_if_changed=changed))
        return _told(typed, await undo_run(here.gateway, here.store, rows, by, even_if_changed=changed))


async def _asked_for(typed: Typed) -> int:
    """Leave it to the process that performs on this store."""
    with session(typed) as here:
        id = (await here.action(typed.given.id)).action.id
        by = await operator(here)
        await reverse.ask_for(here.gateway, here.store, id, by, even_if_changed=typed.given.even_if_changed)
    typed.screen.note("note: another process performs on this store; it undoes the effect")
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


async def _effects(here: Session, run: RunId) -> list[ActionRow]:
    """Find the actions of a run whose effects stand."""
    rows, found = list[ActionRow](), False
    async for row in each_of_run(here.store, run):
        found = True
        if reverse.stands(row):
            rows.append(row)
    if not found:
        raise unknown(run)
    return rows


def _told(typed: Typed, done: RunUndone) -> int:
    """Say how far the undo of a run has come."""
    typed.screen.show(run_undone_data(done), _run_text(done, typed.screen.width))
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
    return "\n\n".join(parts) or "no effect of this run stands"


def _plan_text(steps: Sequence[Reversal], width: int) -> str:
    rows = [
        [step.action, step.tool, f"cannot be undone: {step.why_not}" if step.why_not else _how(step)] for step in steps
    ]
    return table(["EFFECT", "TOOL", "UNDO"], rows, width) if rows else "no effect that stands"


def _how(step: Reversal) -> str:
    return clean(f"{step.undo_tool} {step.arguments.decode()}, until {Time(step.until).short()}")
