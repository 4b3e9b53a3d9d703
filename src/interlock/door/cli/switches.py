"""`switch`: stop, suggest, read-only, resume, show. A stop works even where the database does not."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from interlock.contract.problem import nearest
from interlock.core.action import ActionState
from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass
from interlock.core.errors import InterlockError, StoreError, UsageWrong
from interlock.core.ids import AgentId, Environment, Instant, ToolName, WorkflowId
from interlock.door.cli.advice import advised
from interlock.door.cli.person import operator, stopper, stopper_without_store
from interlock.door.cli.reading import name_of
from interlock.door.cli.render import Time, block, clean, since, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import NameAmbiguous, Session, awaited, meant, session
from interlock.door.told.switch import action_data, glass_data, switch_data
from interlock.gateway import fresh
from interlock.gateway.doors import resume_switch, stop_file_removed, throw
from interlock.ports import ActionRow, Wanted

_LEAVES = {
    SwitchKind.STOP: "nothing starts",
    SwitchKind.SUGGEST: "reads start, writes end as previews",
    SwitchKind.READ_ONLY: "reads start, writes are refused",
}
_IN_FLIGHT_MAX = 1_000


@awaited
async def stop(typed: Typed) -> int:
    """Throw a switch; if the database cannot be written, leave a stop file beside it."""
    try:
        with session(typed) as here:
            return await _throw(here, SwitchKind.STOP)
    except StoreError as down:
        _leave_file(typed, down)
    return await _stopped_by_file(typed)


@awaited
async def suggest(typed: Typed) -> int:
    """Let reads start, and end writes as previews."""
    with session(typed) as here:
        return await _throw(here, SwitchKind.SUGGEST)


@awaited
async def read_only(typed: Typed) -> int:
    """Let reads start, and refuse writes."""
    with session(typed) as here:
        return await _throw(here, SwitchKind.READ_ONLY)


@awaited
async def resume(typed: Typed) -> int:
    """Take a switch back, and remove a stop file."""
    given, file = typed.given, stop_file(typed)
    removed = given.id is None and file is not None and file.is_file()
    with session(typed) as here:
        if removed and file is not None:
            removed = await _remove(here, file)
        taken = await _take_back(here, removed=removed)
        left = (await here.rows()).door.switches
    lines = [f"taken back: {_named(switch)}" for switch in taken]
    lines += [f"removed: {file}"] if removed else []
    lines += [f"still thrown: {_named(switch)}" for switch in left]
    data = {"taken_back": list(map(switch_data, taken)), "stop_file_removed": removed}
    typed.screen.show({**data, "still_thrown": list(map(switch_data, left))}, "\n".join(lines) or "nothing was stopped")
    return 0


@awaited
async def show(typed: Typed) -> int:
    """Show every switch, the stop file, broken glass, whether it is restored, and what is in flight."""
    with session(typed) as here:
        rows = await here.rows()
        flying = await _in_flight(here, Scope())
    file, switches = stop_file(typed), rows.door.switches
    glass = [each for each in rows.door.glass if rows.now < each.until]
    there = file is not None and file.is_file()
    restored = rows.door.restored
    data = {
        "switches": list(map(switch_data, switches)),
        "stop_file": str(file) if there else None,
        "restored": restored,
        "glass": list(map(glass_data, glass)),
        "in_flight": [action_data(row) for row in flying],
    }
    parts = [f"stop file: {file}: nothing starts in any tenant"] if there else []
    waits = advised(typed, "restored, and not adopted: nothing starts until `interlock ledger adopt`")
    parts += [waits] if restored else []
    parts += [_switch_table(switches, rows.now, typed.screen.broad)] if switches else []
    parts += [f"glass `{each.id}` of {each.by} lets {each.scope} act {_until(each, rows.now)}" for each in glass]
    parts = parts or ["no switch is thrown"]
    typed.screen.show(data, "\n\n".join([*parts, flying_text(flying, rows.now, typed.screen.width)]))
    return 0


async def _remove(here: Session, file: Path) -> bool:
    """Take the stop file away, unless somebody has stopped again meanwhile."""
    said = file.read_bytes()
    # Written down first: a file that is gone leaves no other trace.
    await stop_file_removed(here.store, await operator(here))
    taken = file.with_name(f"{file.name}.{fresh.salt()[:8]}")
    file.rename(taken)
    if taken.read_bytes() != said:
        taken.rename(file)
        here.typed.screen.note(f"note: somebody has stopped again meanwhile, so `{file}` stays")
        return False
    taken.unlink()
    here.typed.screen.note(f"note: `{file}` is gone; what else holds actions back stands below")
    return True


def stop_file(typed: Typed) -> Path | None:
    """Name the file that stops all starts on a database file."""
    file = typed.settings.file
    return file.with_name(file.name + ".stop") if file is not None else None


def scope_of(typed: Typed) -> Scope:
    """Read what a switch is about. Nothing said is the whole tenant."""

    def named(name: str) -> str | None:
        said: str | None = getattr(typed.given, name)
        return name_of(said, name) if said is not None else None

    workflow, env, agent, tool, effect = map(named, ("workflow", "env", "agent", "tool", "effect"))
    classes = {each.value: each for each in EffectClass}
    if effect is not None and effect not in classes:
        raise UsageWrong(f"`{effect}` is no effect class", fix=nearest(effect, classes))
    return Scope(
        workflow=WorkflowId(workflow) if workflow else None,
        environment=Environment(env) if env else None,
        agent=AgentId(agent) if agent else None,
        tool=ToolName(tool) if tool else None,
        effect=classes[effect] if effect else None,
    )


def flying_text(flying: Sequence[ActionRow], now: Instant, width: int) -> str:
    """List what was started and has not ended."""
    if not flying:
        return "in flight: nothing"
    rows = [[r.action.id, r.action.tool, r.action.caller.agent, since(r.started_at, now)] for r in flying]
    more = f" (the newest {_IN_FLIGHT_MAX})" if len(flying) == _IN_FLIGHT_MAX else ""
    return f"in flight{more}, and followed until it ends:\n" + table(["ID", "TOOL", "AGENT", "SINCE"], rows, width)


async def _throw(here: Session, kind: SwitchKind) -> int:
    typed = here.typed
    by = await (stopper if kind is SwitchKind.STOP else operator)(here)
    id = f"s{fresh.salt()[:6]}"
    switch = Switch(id=id, kind=kind, scope=scope_of(typed), by=by.person, at=Instant(0), undo_too=typed.given.undo_too)
    await throw(here.store, switch, by)
    rows = await here.rows()
    thrown = next((each for each in rows.door.switches if each.id == id), switch)
    flying = await _in_flight(here, switch.scope)
    pairs = [
        ("switch", f"{id} ({kind.value})"),
        ("scope", clean(str(switch.scope)) + (", undos too" if switch.undo_too else "")),
        ("from now on", _LEAVES[kind]),
        ("by", f"{by.person} ({by.known_by}), {Time(thrown.at).short()}"),
        ("take back", f"`interlock switch resume {id}`"),
    ]
    data = {
        **switch_data(thrown),
        "known_by": by.known_by,
        "epoch": rows.door.epoch,
        "in_flight": [action_data(row) for row in flying],
    }
    width = typed.screen.width
    typed.screen.show(data, f"{block(pairs, width)}\n\n{flying_text(flying, rows.now, width)}")
    return 0


async def _in_flight(here: Session, scope: Scope) -> tuple[ActionRow, ...]:
    rows = await here.store.actions(Wanted(states=frozenset({ActionState.STARTED}), limit=_IN_FLIGHT_MAX))
    return tuple(r for r in rows if scope.covers(r.action.caller, r.action.tool, r.action.effect))


async def _take_back(here: Session, *, removed: bool) -> tuple[Switch, ...]:
    given = here.typed.given
    thrown = (await here.rows()).door.switches
    found = [switch for switch in thrown if given.id is None or switch.id == given.id]
    if given.id is not None and not found:
        ids = [switch.id for switch in thrown]
        fix = meant(given.id, ids, f"thrown are: {', '.join(ids) or 'none'}")
        raise InterlockError(f"no switch has the id `{given.id}`", fix=fix)
    if len(found) > 1 and not given.all:
        if removed:
            return ()
        lines = "\n".join(_named(switch) for switch in found)
        raise NameAmbiguous(f"several switches are thrown\n{lines}", fix="name one, or say `--all`")
    by = await operator(here)
    return tuple([switch for switch in found if await resume_switch(here.store, switch.id, by)])


def _leave_file(typed: Typed, down: StoreError) -> None:
    """Stop everything without the database: each batch of a gateway looks for this file."""
    file = stop_file(typed)
    if file is None:
        raise InterlockError(
            f"the switch is not thrown: {down}", fix="end the processes of the gateways, then try again"
        ) from down
    by = stopper_without_store(typed, fresh.process_id())
    line = f"stopped by {by.person} ({by.known_by}), {Time(Instant(time.time_ns() // 1_000)).short()}\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(line)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise InterlockError(
            f"NOTHING IS STOPPED: neither the database nor `{file}` can be written ({error.strerror})",
            fix="run it as the owner of the folder, or end the processes of the gateways",
        ) from error
    typed.screen.note(f"note: the database did not take the switch ({down}), so a stop file lies beside it")


async def _stopped_by_file(typed: Typed) -> int:
    file, width = stop_file(typed), typed.screen.width
    pairs = [
        ("stop file", file),
        ("scope", "everything on this database, in every tenant"),
        ("from now on", "nothing starts"),
        ("take back", "`interlock switch resume`"),
    ]
    try:
        with session(typed) as here:
            flying, now = await _in_flight(here, Scope()), (await here.rows()).now
    except InterlockError:
        typed.screen.show(
            {"stop_file": str(file), "in_flight": None},
            f"{block(pairs, width)}\n\nin flight: nobody can say, the database cannot be read",
        )
        return 0
    data = {"stop_file": str(file), "in_flight": [action_data(row) for row in flying]}
    typed.screen.show(data, f"{block(pairs, width)}\n\n{flying_text(flying, now, width)}")
    return 0


def _switch_table(switches: Sequence[Switch], now: Instant, width: int) -> str:
    rows = [
        [
            each.id,
            each.kind.value,
            each.by,
            since(each.at, now),
            f"{each.scope}{', undos too' if each.undo_too else ''}",
        ]
        for each in switches
    ]
    return table(["SWITCH", "KIND", "BY", "THROWN", "SCOPE"], rows, width)


def _named(switch: Switch) -> str:
    return clean(f"{switch.id} ({switch.kind.value}) for {switch.scope}, thrown by {switch.by}")


def _until(glass: BreakGlass, now: Instant) -> str:
    return f"until {Time(glass.until).short()} ({since(glass.until, now)})"
