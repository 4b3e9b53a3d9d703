"""`undo`: reverse one effect, or those of a run, the last one first."""

from collections.abc import Sequence
from typing import Any

from interlock.core.errors import NotPermitted, Occupied, UsageWrong
from interlock.core.ids import RunId
from interlock.core.outcome import Done, Outcome
from interlock.door.cli.outcomes import CODES, tell, text_of
from interlock.door.cli.person import operator
from interlock.door.cli.render import Time, block, clean, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, performing, session
from interlock.door.told.outcome import data_of
from interlock.gateway import reverse
from interlock.gateway.reverse import Reversal


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
        steps = await _steps(here)
        if given.plan:
            typed.screen.show(list(map(_data, steps)), _plan_text(steps, typed.screen.width))
            return 0
        if given.id is not None:
            outcome = await _one(here, steps[0] if steps else None, (await here.action(given.id)).action.id)
            return tell(typed, outcome)
        return await _run(here, steps)


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


async def _steps(here: Session) -> tuple[Reversal, ...]:
    given = here.typed.given
    if given.id is not None:
        return await reverse.plan(here.gateway, here.store, id=(await here.action(given.id)).action.id)
    return await reverse.plan(here.gateway, here.store, run=RunId(given.run_id))


async def _one(here: Session, step: Reversal | None, id: str) -> Outcome:
    by = await operator(here)
    if step is None:
        raise NotPermitted(f"`{id}` has no effect that stands", fix=f"run `interlock action show {id}`")
    changed: bool = here.typed.given.even_if_changed
    return await reverse.undo(here.gateway, here.store, step.action, by, even_if_changed=changed)


async def _run(here: Session, steps: Sequence[Reversal]) -> int:
    """Undo a run. An effect that cannot be undone is named and left; one that is not undone yet stops the rest."""
    typed, ended = here.typed, list[tuple[Reversal, Outcome]]()
    left = [step for step in steps if step.why_not]
    for step in steps:
        if step.why_not:
            continue
        ended.append((step, await _one(here, step, step.action)))
        if not isinstance(ended[-1][1], Done):
            break
    rest = [step for step in steps if not step.why_not][len(ended) :]
    data = {
        "undone": [{"undo_of": step.action, **data_of(outcome)} for step, outcome in ended],
        "cannot_be_undone": list(map(_data, left)),
        "not_tried": list(map(_data, rest)),
    }
    typed.screen.show(data, _run_text(ended, left, rest, typed.screen.width))
    if not ended or isinstance(ended[-1][1], Done):
        return 1 if left else 0
    return CODES[type(ended[-1][1])]


def _run_text(
    ended: Sequence[tuple[Reversal, Outcome]], left: Sequence[Reversal], rest: Sequence[Reversal], width: int
) -> str:
    parts = [f"{step.tool} {step.action}:\n{text_of(outcome, width)}" for step, outcome in ended]
    parts += [f"left as they are, because they cannot be undone:\n{_plan_text(left, width)}"] if left else []
    parts += [f"not tried, because a later effect still stands:\n{_plan_text(rest, width)}"] if rest else []
    return "\n\n".join(parts) or "no effect of this run stands"


def _plan_text(steps: Sequence[Reversal], width: int) -> str:
    rows = [
        [step.action, step.tool, f"cannot be undone: {step.why_not}" if step.why_not else _how(step)] for step in steps
    ]
    return table(["EFFECT", "TOOL", "UNDO"], rows, width) if rows else "no effect that stands"


def _how(step: Reversal) -> str:
    return clean(f"{step.undo_tool} {step.arguments.decode()}, until {Time(step.until).short()}")


def _data(step: Reversal) -> dict[str, Any]:
    return {
        "action": step.action,
        "tool": step.tool,
        "undo_tool": step.undo_tool,
        "arguments": step.arguments.decode() or None,
        "until": Time(step.until) if step.until else None,
        "why_not": step.why_not or None,
    }
