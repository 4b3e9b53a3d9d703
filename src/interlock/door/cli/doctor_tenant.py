"""What the doctor looks at of one tenant: its ledger, its contracts, what is stopped, what waits."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from interlock.app import anchor_file, try_browser, trying
from interlock.contract.bundle import decode
from interlock.contract.ir import Contract, Tool
from interlock.contract.unenforced import REHEARSALS
from interlock.core.action import ActionState
from interlock.core.errors import InterlockError
from interlock.core.ids import Environment, Instant, Role
from interlock.core.limits import CLOCK_DRIFT_MICROS_MAX
from interlock.door.cli.doctor_check import Checked, ok, warning, wrong
from interlock.door.cli.render import age, count, listed, since, span
from interlock.door.cli.session import Session
from interlock.gateway.force import unfit
from interlock.gateway.history import key_of, own
from interlock.ledger import anchor as anchors
from interlock.ports import ActionRow, Wanted

_SOON = 3_600_000_000
_ANCHOR_AGE_MAX = 7 * 86_400_000_000
_LOOKED_AT_MAX = 1_000
_NAMED_MAX = 3


async def ledger(here: Session) -> Sequence[Checked]:
    """Look whether the head of the ledger is signed by our key, and belongs to the door."""
    note = await here.store.signed_head()
    rows = await here.rows()
    if not note:
        return [ok("ledger", "no entry yet")]
    generation, head = own(note, here.store, here.gateway.secrets)
    return [
        ok(
            "ledger",
            f"{count(head.size, 'entry', 'entries')}, signed by this key{_generation(generation)}; "
            f"epoch {rows.door.epoch}",
        )
    ]


def _generation(number: int) -> str:
    return f" of generation {number}" if number > 1 else ""


async def clock(here: Session, now: Instant) -> Sequence[Checked]:
    """Look whether the newest entry lies in the future: then this machine's clock was set back."""
    last = (await here.rows()).now
    if last - now > CLOCK_DRIFT_MICROS_MAX:
        what = f"the clock is {span(last - now)} behind the newest entry: it was set back"
        return [
            wrong("clock", what, "set it right; `interlock clock accept` vouches for it where actions are held back")
        ]
    return [ok("clock", "not behind the newest entry")]


async def anchor(here: Session, now: Instant) -> Sequence[Checked]:
    """Look how old the newest head is that was kept outside, and whether the ledger still goes that far."""
    named: str | None = here.typed.given.anchors
    file = anchor_file(here.typed.settings.keys / "anchors.jsonl" if named is None else Path(named))
    origin = key_of(here.store, here.gateway.secrets, 1).origin
    last = anchors.standing(file.read(), origin, (await here.rows()).entries, now)
    if last is None:
        if named is None:
            return [ok("anchor", "none is kept; `interlock ledger anchor --to FILE` begins with it")]
        return [
            warning("anchor", f"`{named}` has none of this ledger", f"make one: `interlock ledger anchor --to {named}`")
        ]
    if last.missing and (await here.rows()).door.restored:
        return [wrong("anchor", "the store was restored, and lacks entries", "run `interlock ledger adopt`")]
    if last.missing:
        what = f"an anchor is over {last.missing:,} entries more than the ledger has"
        return [wrong("anchor", what, "restore what is missing; `interlock ledger verify` says more")]
    said = f"the newest is {age(last.age)} old, and the ledger goes at least as far"
    if last.age > _ANCHOR_AGE_MAX:
        return [warning("anchor", said, f"make a new one: `interlock ledger anchor --to {file.path}`")]
    return [ok("anchor", said)]


async def contracts(here: Session) -> Sequence[Checked]:
    """Look at each contract that is in force: what it names and is not there, and what nobody honours."""
    found: list[Checked] = []
    published = (await here.rows()).door.published
    for place, each in sorted(published.items()):
        contract = decode(await here.store.contract(each.contract))
        found += [*_sources(here, place, contract), *_unenforced(place, contract), *_people(place, contract)]
    if not published:
        fix = "put one in force: `interlock contract publish FILE --env ENV`"
        return [warning("contracts", "none is in force, so everything is refused", fix)]
    modes = ", ".join(f"{place} in mode {each.mode.value}" for place, each in sorted(published.items()))
    return [*found, ok("contracts", f"in force: {modes}")]


async def statements(here: Session) -> Sequence[Checked]:
    """Have each database look at the statements of SQL tools, as it would be asked to carry them out."""
    found: list[Checked] = []
    taken = 0
    tries = trying(here.typed.settings.keys, here.typed.clock)
    for place, each in sorted((await here.rows()).door.published.items()):
        contract = decode(await here.store.contract(each.contract))
        environment = Environment(place.rpartition("/")[2])
        for tool, what, fix in await asyncio.to_thread(list, tries(contract, environment)):
            if what:
                found.append(wrong("statements", f"{place}: `{tool}`: {what}", fix))
            else:
                taken += 1
    if taken or found:
        found.append(ok("statements", f"{count(taken, 'statement is', 'statements are')} taken by the databases"))
    return found


async def browser(here: Session) -> Sequence[Checked]:
    """Start the browser of this machine, where a contract has tools that need one."""
    needing = [
        place
        for place, each in sorted((await here.rows()).door.published.items())
        if any(_is_browsing(tool) for tool in decode(await here.store.contract(each.contract)).tools.values())
    ]
    if not needing:
        return []
    try:
        return [ok("browser", f"{await asyncio.to_thread(try_browser)} starts")]
    except InterlockError as error:
        return [wrong("browser", f"{', '.join(needing)}: {error}", error.fix)]


def _is_browsing(tool: Tool) -> bool:
    return tool.source.startswith("browser:")


def _sources(here: Session, place: str, contract: Contract) -> Iterator[Checked]:
    for tool, refused in unfit(contract, here.gateway.performers).items():
        yield wrong("contracts", f"{place}: `{tool}` cannot be carried out here: {refused.why}", refused.fix)


def _unenforced(place: str, contract: Contract) -> Iterator[Checked]:
    if contract.unenforced:
        names = listed({f"`{each.section}`" for each in contract.unenforced})
        fix = "do not rely on them: `interlock contract check FILE` says who will honour each"
        yield warning("contracts", f"{place}: not enforced in this version: {names}", fix)


def _people(place: str, contract: Contract) -> Iterator[Checked]:
    both = (contract.approvals.yellow, contract.approvals.red)
    wanted = frozenset[Role]().union(*(each.approvers for each in both if each is not None))
    held: Mapping[Role, frozenset[str]] = contract.approvals.people
    for role in sorted(role for role in wanted if not held.get(role)):
        fix = f"name people under `approvals.people.{role}`, and publish it again"
        yield warning("contracts", f"{place}: nobody holds the role `{role}`, so what it approves waits", fix)


async def is_production(here: Session) -> bool:
    """Whether a contract is in force somewhere that is not for rehearsing."""
    return any(place.rpartition("/")[2] not in REHEARSALS for place in (await here.rows()).door.published)


async def stopped(here: Session) -> Sequence[Checked]:
    """Look what a person has stopped, and what they let through in spite of a mode."""
    rows = await here.rows()
    found: list[Checked] = []
    if rows.door.restored:
        fix = "say what it may lack: `interlock ledger adopt`"
        found.append(wrong("stopped", "the store came out of a backup and is not adopted: nothing starts", fix))
    found += [
        warning(
            "stopped",
            f"{each.kind.value} for {each.scope}, thrown by {each.by} {since(each.at, rows.now)}",
            f"take it back when you may: `interlock switch resume {each.id}`",
        )
        for each in rows.door.switches
    ]
    found += [
        warning(
            "stopped", f"glass `{each.id}` of {each.by} lets {each.scope} act", f"it ends {since(each.until, rows.now)}"
        )
        for each in rows.door.glass
        if rows.now < each.until
    ]
    return found or [ok("stopped", "no switch is thrown, no glass is broken")]


async def waiting(here: Session) -> Sequence[Checked]:
    """Look what waits for a person, or for a process that looks after it."""
    now = (await here.rows()).now
    states = (ActionState.UNCERTAIN, ActionState.PARKED, ActionState.STARTED)
    unsure, parked, started = [await _of(here, state) for state in states]
    soon = [row for row in parked if row.expires_at - now < _SOON]
    late = [row for row in started if row.lease_until < now]
    found: list[Checked] = []
    if unsure:
        fix = "find out what became of each: `interlock action resolve ACTION VERDICT`"
        found.append(warning("waiting", f"{_count(unsure)} uncertain: {_named(unsure)}", fix))
    if soon:
        fix = "answer them: `interlock approvals list`"
        found.append(warning("waiting", f"{_count(soon)} parked, and within the hour too late: {_named(soon)}", fix))
    if late:
        fix = "look after them: `interlock attend --once`"
        found.append(warning("waiting", f"{_count(late)} started, by a process that is gone: {_named(late)}", fix))
    return found or [ok("waiting", f"{len(parked)} parked, {len(started)} in flight, none uncertain")]


async def _of(here: Session, state: ActionState) -> tuple[ActionRow, ...]:
    return await here.store.actions(Wanted(states=frozenset({state}), limit=_LOOKED_AT_MAX))


def _count(rows: Sequence[ActionRow]) -> str:
    return "1 action is" if len(rows) == 1 else f"{len(rows)} actions are"


def _named(rows: Sequence[ActionRow]) -> str:
    more = ", ..." if len(rows) > _NAMED_MAX else ""
    return ", ".join(f"{row.action.id} ({row.action.tool})" for row in rows[:_NAMED_MAX]) + more
