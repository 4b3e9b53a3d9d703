"""What is kept about somebody: looked up, held for a court, or erased for good while the ledger still verifies."""

import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from interlock.core.action import ActionState
from interlock.core.door import Erasing, LegalHold
from interlock.core.errors import NotPermitted
from interlock.core.ids import ActionId, PayloadId, SubjectId, SubjectName
from interlock.core.value import replace
from interlock.gateway.doors import Operator, changed
from interlock.gateway.refuse import HALTS
from interlock.ledger import change
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Needs, Rows, Secrets, TenantStore

OPEN = (ActionState.STARTED, ActionState.UNCERTAIN)
"""Whoever wants to know how one of these ended needs its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is kept of a subject."""

    name: SubjectName
    payloads: frozenset[PayloadId]
    actions: tuple[ActionRow, ...]
    """Those that any of the payloads belongs to."""
    readable: bool
    """Whether there is a key to read them with."""
    legal_hold: LegalHold | None
    being_erased: bool
    """Whether somebody decided to erase it, and its key may still be there."""

    @property
    def open(self) -> tuple[ActionRow, ...]:
        """Nobody knows yet how these ended."""
        return tuple(row for row in self.actions if row.state in OPEN)

    @property
    def waiting(self) -> tuple[ActionRow, ...]:
        """Without their arguments these cannot go on."""
        return tuple(row for row in self.actions if row.state is ActionState.PARKED)


def named(subject: SubjectId) -> str:
    """Write a subject as it is typed behind a command."""
    kind, _, name = subject.partition(":")
    return f"--run {shlex.quote(name)}" if kind == "run" else shlex.quote(name)


async def about(store: TenantStore, secrets: Secrets, subject: SubjectId) -> About:
    """Find everything that takes the key of a subject to read. It looks at every payload and every action."""
    name = secrets.subject_name(store.tenant, subject)
    payloads = await store.payloads_under(name)
    rows = [row async for row in every_action(store) if payloads & payloads_of(row)] if payloads else []
    door = (await store.read(Needs())).door
    return About(
        name=name,
        payloads=payloads,
        actions=tuple(rows),
        readable=secrets.has_key(name),
        legal_hold=next((hold for hold in door.legal_holds if hold.subject == name), None),
        being_erased=any(one.subject == name for one in door.erasing),
    )


async def every_action(store: TenantStore) -> AsyncIterator[ActionRow]:
    """Return every action there is, a page at a time."""
    after: ActionId | None = None
    while rows := await store.actions_from(after):
        for row in rows:
            yield row
        after = rows[-1].action.id


def payloads_of(row: ActionRow) -> frozenset[PayloadId]:
    """Name what is kept encrypted about an action as it stands."""
    named = (row.action.arguments, row.question, row.preview, row.result, row.said, row.undo, *row.beside)
    return frozenset(id for id in named if id)


async def erase(
    store: TenantStore, secrets: Secrets, subject: SubjectId, by: Operator, *, even_if_open: bool = False
) -> About:
    """Destroy the key of a subject, so that nobody can read what is kept of it, and write down that it was done.

    That it is being erased is written first, and from then on nobody can hold it for law. If the process dies before
    the key is destroyed, erasing again ends it, and so does whoever attends.

    Args:
        store: the tenant's.
        secrets: has the keys.
        subject: whose data.
        by: the person who answers for it.
        even_if_open: whether what nobody knows the end of may lose its arguments as well.

    Returns:
        What was readable until now.

    Raises:
        NotPermitted: a legal hold forbids it, nothing is kept, or an action is still open.
    """
    found = await about(store, secrets, subject)
    if not found.readable and not found.being_erased:
        if found.payloads:
            secrets.destroy(found.name)  # a crash may have left its bytes in a log
        why = "it is erased already" if found.payloads else "nothing is kept of it"
        raise NotPermitted(f"there is nothing to erase: {why}", fix="name the subject as the tool names it")
    if found.open and not even_if_open:
        raise NotPermitted(
            f"nobody knows how `{found.open[0].action.id}` ended, and who resolves it needs its arguments",
            fix=f"say what became of it, `interlock action resolve {found.open[0].action.id} happened` or `interlock "
            f"action resolve {found.open[0].action.id} did-not-happen`, or say `--even-if-open`",
        )
    turn = partial(_erasing, name=found.name, payloads=len(found.payloads), by=by)
    forbidden = (await store.write(Needs(), turn)).answer
    if forbidden is not None:
        fix = f"first run `interlock data release {named(subject)}`"
        raise NotPermitted(f"`{forbidden.by}` holds it for law ({forbidden.why})", fix=fix)
    await end_erasing(store, secrets, found.name, by)
    return found


async def end_erasing(store: TenantStore, secrets: Secrets, name: SubjectName, by: Operator) -> None:
    """Destroy a key that was decided to be destroyed, and write down that it is gone. Doing it twice is doing it once.

    Raises:
        StoreBusy: the key is destroyed and somebody keeps its bytes from being overwritten; to be done again.
    """
    secrets.destroy(name)
    await store.write(Needs(), partial(_erased, name=name, by=by))


def _erasing(rows: Rows, *, name: SubjectName, payloads: int, by: Operator) -> tuple[Changes, LegalHold | None]:
    held = next((hold for hold in rows.door.legal_holds if hold.subject == name), None)
    if held is not None or any(one.subject == name for one in rows.door.erasing):
        return Changes(), held
    one = Erasing(subject=name, by=by.person, at=rows.now, payloads=payloads)
    door = replace(rows.door, epoch=rows.door.epoch + 1, erasing=(*rows.door.erasing, one))
    return changed(rows, door, by, Kind.ERASING, change.erased(name, payloads=payloads)), None


def _erased(rows: Rows, *, name: SubjectName, by: Operator) -> tuple[Changes, None]:
    one = next((one for one in rows.door.erasing if one.subject == name), None)
    if one is None:
        return Changes(), None  # somebody else has ended it
    left = tuple(other for other in rows.door.erasing if other.subject != name)
    door = replace(rows.door, epoch=rows.door.epoch + 1, erasing=left)
    return changed(rows, door, by, Kind.ERASED, change.erased(name, payloads=one.payloads)), None


async def hold_for_law(store: TenantStore, secrets: Secrets, subject: SubjectId, by: Operator, *, why: str) -> None:
    """Forbid that what is kept of a subject is erased or expires, until a person releases it.

    Raises:
        NotPermitted: it is erased already, or somebody is destroying keys at this moment.
    """
    name = secrets.subject_name(store.tenant, subject)
    gone = NotPermitted("nothing that can be read is kept of it", fix="name the subject as the tool names it")
    if not secrets.has_key(name):
        raise gone
    too_late = (await store.write(Needs(), partial(_held, name=name, by=by, why=why))).answer
    if too_late is not None:
        raise NotPermitted(too_late[0], fix=too_late[1])
    if not secrets.has_key(name):
        # Between the look above and the entry somebody began to erase it, and has ended.
        await store.write(Needs(), partial(_released, name=name, by=by))
        raise gone


def _held(rows: Rows, *, name: SubjectName, by: Operator, why: str) -> tuple[Changes, tuple[str, str] | None]:
    erasing = next((one for one in rows.door.erasing if one.subject == name), None)
    if erasing is not None:
        return Changes(), (f"`{erasing.by}` is erasing it", "look what is left: `interlock data show SUBJECT`")
    if rows.door.expiring is not None:
        what = "what is older than its days is being made unreadable"
        ended = "run `interlock data expire`, which ends it"
        if rows.halt is None:
            return Changes(), (f"{what} at this moment", f"{ended}, and hold it then")
        _, halted, fix = HALTS[rows.halt]
        return Changes(), (f"{what}, and cannot be ended: {halted}", f"{fix}; then {ended}, and hold it after that")
    others = tuple(hold for hold in rows.door.legal_holds if hold.subject != name)
    hold = LegalHold(subject=name, by=by.person, at=rows.now, why=why)
    door = replace(rows.door, epoch=rows.door.epoch + 1, legal_holds=(*others, hold))
    return changed(rows, door, by, Kind.LEGAL_HOLD, change.held_for_law(name, why)), None


async def release(store: TenantStore, secrets: Secrets, subject: SubjectId, by: Operator) -> bool:
    """Take a legal hold back. Returns whether there was one."""
    name = secrets.subject_name(store.tenant, subject)
    return (await store.write(Needs(), partial(_released, name=name, by=by))).answer


def _released(rows: Rows, *, name: SubjectName, by: Operator) -> tuple[Changes, bool]:
    left = tuple(hold for hold in rows.door.legal_holds if hold.subject != name)
    if len(left) == len(rows.door.legal_holds):
        return Changes(), False
    door = replace(rows.door, epoch=rows.door.epoch + 1, legal_holds=left)
    return changed(rows, door, by, Kind.LEGAL_HOLD, change.released(name)), True
