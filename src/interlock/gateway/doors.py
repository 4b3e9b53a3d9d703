"""What a person changes about the doors: contracts, modes, switches. Each is a write of its own, by any process."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.contract.bundle import decode, encode
from interlock.contract.ir import Contract
from interlock.contract.unenforced import relied_on
from interlock.core.credential import Held
from interlock.core.door import BreakGlass, Door, Published, Switch
from interlock.core.effect import Mode
from interlock.core.errors import ContractInvalid
from interlock.core.ids import ContractHash, Environment, Instant, PersonId, ProcessId, WorkflowId
from interlock.core.value import replace
from interlock.ledger import change
from interlock.ledger.seal import ChangeEntry, Kind
from interlock.ports import Changes, Needs, Rows, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """The person at the door, and how they are known."""

    person: PersonId
    known_by: str
    """`os:1000` for a user of this machine, `key:` and a fingerprint for a key that signed."""
    process: ProcessId
    signature: str = ""
    """With a word of consent: key and signature over what it is about, in hex."""
    roles: tuple[Held, ...] = ()
    """What an issuer says that they hold, where one vouches for them."""


async def publish(store: TenantStore, contract: Contract, environment: Environment, by: Operator) -> ContractHash:
    """Put a contract in force for its workflow in one environment, from the next start on."""
    hash, body = encode(contract)
    mode = contract.modes.get(environment, Mode.READ_ONLY)

    def turn(rows: Rows) -> tuple[Changes, None]:
        name = f"{contract.workflow}/{environment}"
        new = Published(contract=hash, mode=mode)
        door = replace(rows.door, epoch=rows.door.epoch + 1, published={**rows.door.published, name: new})
        return changed(rows, door, by, Kind.PUBLISHED, change.published(name, new), contracts={hash: body}), None

    await store.write(Needs(), turn)
    return hash


async def set_mode(
    store: TenantStore, workflow: WorkflowId, environment: Environment, mode: Mode, by: Operator
) -> None:
    """Say how far a workflow may go from the next start on.

    Raises:
        ContractInvalid: nothing is published, or mode `act` would rely on what is not enforced.
    """
    name = f"{workflow}/{environment}"
    while True:
        looked_at = (await store.read(Needs())).door.of(workflow, environment)
        await _check_mode(store, looked_at, name, environment, mode)

        def turn(rows: Rows, looked_at: Published | None = looked_at) -> tuple[Changes, bool]:
            known = rows.door.of(workflow, environment)
            if known is None or looked_at is None or known.contract != looked_at.contract:
                return Changes(), False  # another contract is in force by now: look at that one
            published = {**rows.door.published, name: replace(known, mode=mode)}
            door = replace(rows.door, epoch=rows.door.epoch + 1, published=published)
            return changed(rows, door, by, Kind.MODE, change.mode(name, mode)), True

        if (await store.write(Needs(), turn)).answer:
            return


async def _check_mode(
    store: TenantStore, published: Published | None, name: str, environment: Environment, mode: Mode
) -> None:
    if published is None:
        raise ContractInvalid(
            f"no contract is published for `{name}`", fix=f"run `interlock contract publish FILE --env {environment}`"
        )
    sections = relied_on(decode(await store.contract(published.contract)), environment, mode)
    if sections:
        raise ContractInvalid(
            f"mode `act` in `{environment}` relies on `{sections[0].section}`, which is not enforced",
            fix=f"use mode `ask`, or publish with `accept_unenforced: [{sections[0].section}]`",
        )


async def throw(store: TenantStore, switch: Switch, by: Operator) -> None:
    """Throw a switch. Once this returns, nothing of its scope starts."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        thrown = replace(switch, at=rows.now)
        door = replace(rows.door, epoch=rows.door.epoch + 1, switches=(*rows.door.switches, thrown))
        return changed(rows, door, by, Kind.SWITCH, change.thrown(thrown)), None

    await store.write(Needs(), turn)


async def resume_switch(store: TenantStore, id: str, by: Operator) -> bool:
    """Take a switch back. Returns whether there was one."""

    def turn(rows: Rows) -> tuple[Changes, bool]:
        left = tuple(switch for switch in rows.door.switches if switch.id != id)
        if len(left) == len(rows.door.switches):
            return Changes(), False
        door = replace(rows.door, epoch=rows.door.epoch + 1, switches=left)
        return changed(rows, door, by, Kind.SWITCH, change.taken_back(id)), True

    return (await store.write(Needs(), turn)).answer


STOP_FILE = "stop-file"
"""What stands for the file beside the database where the entries name a switch."""


async def stop_file_removed(store: TenantStore, by: Operator) -> None:
    """Write down that a stop file is taken away: while it lay there, nothing could be written about it."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        door = replace(rows.door, epoch=rows.door.epoch + 1)
        return changed(rows, door, by, Kind.SWITCH, change.taken_back(STOP_FILE)), None

    await store.write(Needs(), turn)


async def break_glass(store: TenantStore, glass: BreakGlass, by: Operator) -> None:
    """Let a scope act for a while in spite of a mode or a switch. A stop stays a stop."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        kept = tuple(one for one in rows.door.glass if rows.now < one.until)
        broken = replace(glass, at=rows.now)
        door = replace(rows.door, epoch=rows.door.epoch + 1, glass=(*kept, broken))
        return changed(rows, door, by, Kind.GLASS, change.broken(broken)), None

    await store.write(Needs(), turn)


async def accept_clock(store: TenantStore, by: Operator) -> None:
    """Vouch for a clock that has jumped, so that actions start again."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        accepted = Instant(rows.now + 1)
        door = replace(rows.door, epoch=rows.door.epoch + 1, clock_accepted=accepted)
        return changed(rows, door, by, Kind.CLOCK, change.accepted(accepted)), None

    await store.write(Needs(), turn)


def changed(
    rows: Rows,
    door: Door,
    by: Operator,
    kind: Kind,
    detail: change.Detail,
    *,
    contracts: Mapping[ContractHash, bytes] | None = None,
) -> Changes:
    """Put a new door and the entry that says who changed it into one write."""
    entry = replace(said_by(rows, by, kind, detail), epoch=door.epoch)
    return Changes(door=door, entries=(entry,), contracts=contracts or {})


def said_by(rows: Rows, by: Operator, kind: Kind, detail: change.Detail) -> ChangeEntry:
    """Write the entry of what a person changed."""
    return ChangeEntry(
        kind=kind,
        at=rows.now,
        epoch=rows.door.epoch,
        process=by.process,
        by=by.person,
        known_by=by.known_by,
        detail=detail,
    )
