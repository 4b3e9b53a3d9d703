"""`mode`, `glass`, `clock accept`: how far workflows may go, and by whose word."""

from interlock.contract.problem import nearest
from interlock.core.door import BreakGlass
from interlock.core.effect import Mode
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import Environment, Instant, WorkflowId
from interlock.door.cli.person import operator
from interlock.door.cli.reading import span_of
from interlock.door.cli.render import Time, block, clean, since, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, place_meant, session
from interlock.door.cli.switches import scope_of
from interlock.door.told.switch import glass_data
from interlock.gateway import fresh
from interlock.gateway.doors import accept_clock, break_glass, set_mode


@awaited
async def mode(typed: Typed) -> int:
    """Say how far a workflow may go, or show it."""
    with session(typed) as here:
        if typed.given.mode is None:
            return await _show_modes(here)
        new = mode_of(typed.given.mode)
        workflow, environment = await here.place()
        name = f"{workflow}/{environment}"
        before = (await here.rows()).door.published[name].mode
        by = await operator(here)
        await set_mode(here.store, workflow, environment, new, by)
        epoch = (await here.rows()).door.epoch
        said = {"workflow": workflow, "environment": environment, "mode": new.value}
        data = {**said, "before": before.value, "by": by.person, "known_by": by.known_by, "epoch": epoch}
        text = f"{workflow} in {environment}: {before.value} -> {new.value}, from the next start on (epoch {epoch})"
        typed.screen.show(data, text)
    return 0


async def _show_modes(here: Session) -> int:
    given, door = here.typed.given, (await here.rows()).door
    found = [
        (*_split(name), published)
        for name, published in sorted(door.published.items())
        if given.workflow in (None, _split(name)[0]) and given.env in (None, _split(name)[1])
    ]
    if not found and given.workflow is not None:
        fix = place_meant(given.workflow, given.env, door.published) if door.published else "nothing is published yet"
        raise InterlockError(f"no contract is published for `{given.workflow}`", fix=fix)
    data = [
        {"workflow": workflow, "environment": environment, "mode": each.mode.value, "contract": each.contract}
        for workflow, environment, each in found
    ]
    rows = [[workflow, environment, each.mode.value, each.contract[:12]] for workflow, environment, each in found]
    text = table(["WORKFLOW", "ENVIRONMENT", "MODE", "CONTRACT"], rows, here.typed.screen.broad)
    here.typed.screen.show({"epoch": door.epoch, "published": data}, text if rows else "nothing is published")
    return 0


def _split(name: str) -> tuple[WorkflowId, Environment]:
    workflow, _, environment = name.rpartition("/")
    return WorkflowId(workflow), Environment(environment)


def mode_of(text: str) -> Mode:
    """Read a mode.

    Raises:
        UsageWrong: there is no such mode.
    """
    modes = {mode.value: mode for mode in Mode}
    found = modes.get(text.replace("-", "_"))
    if found is None:
        raise UsageWrong(f"`{text}` is no mode", fix=nearest(text, modes))
    return found


@awaited
async def glass(typed: Typed) -> int:
    """Let a scope act for a while in spite of its mode."""
    span = span_of(typed.given.span)
    with session(typed) as here:
        by = await operator(here)
        now = (await here.rows()).now
        broken = BreakGlass(
            id=f"g{fresh.salt()[:6]}", scope=scope_of(typed), by=by.person, at=now, until=Instant(now + span)
        )
        await break_glass(here.store, broken, by)
        pairs = [
            ("glass", broken.id),
            ("scope", clean(str(broken.scope))),
            ("until", f"{Time(broken.until).short()} ({since(broken.until, now)})"),
            ("by", f"{by.person} ({by.known_by})"),
            ("then", "the mode holds again by itself; a thrown `switch stop` holds all the time"),
        ]
        typed.screen.show(glass_data(broken), block(pairs, typed.screen.width))
    return 0


@awaited
async def accept_the_clock(typed: Typed) -> int:
    """Vouch for a clock that has jumped."""
    with session(typed) as here:
        by = await operator(here)
        await accept_clock(here.store, by)
        now = (await here.rows()).now
        data = {"accepted": Time(now), "by": by.person, "known_by": by.known_by}
        typed.screen.show(data, f"accepted: it is {Time(now).short()}, by the word of {by.person} ({by.known_by})")
    return 0
