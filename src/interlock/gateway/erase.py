"""What is kept about somebody: looked up, held for a court, or erased for good while the ledger still verifies."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from interlock.core.action import ActionState
from interlock.core.door import LegalHold
from interlock.core.errors import NotPermitted
from interlock.core.ids import ActionId, PayloadId, SubjectId, SubjectName
from interlock.core.value import replace
from interlock.gateway.doors import Operator, changed, said_by
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

    @property
    def open(self) -> tuple[ActionRow, ...]:
        """Nobody knows yet how these ended."""
        return tuple(row for row in self.actions if row.state in OPEN)

    @property
    def waiting(self) -> tuple[ActionRow, ...]:
        """Without their arguments these cannot go on."""
        return tuple(row for row in self.actions if row.state is ActionState.PARKED)


async def about(store: TenantStore, secrets: Secrets, subject: SubjectId) -> About:
    """Find everything that takes the key of a subject to read. It looks at every payload and every action."""
    name = secrets.subject_name(store.tenant, subject)
    payloads = await store.payloads_under(name)
    rows = [row async for row in _every_action(store) if payloads & payloads_of(row)] if payloads else []
    door = (await store.read(Needs())).door
    return About(
        name=name,
        payloads=payloads,
        actions=tuple(rows),
        readable=secrets.has_key(name),
        legal_hold=next((hold for hold in door.legal_holds if hold.subject == name), None),
    )


async def _every_action(store: TenantStore) -> AsyncIterator[ActionRow]:
    after: ActionId | None = None
    while rows := await store.actions_from(after):
        for row in rows:
            yield row
        after = rows[-1].action.id


def payloads_of(row: ActionRow) -> frozenset[PayloadId]:
    """Name what is kept encrypted about an action as it stands."""
    named = (row.action.arguments, row.question, row.preview, row.result, row.said, row.undo)
    return frozenset(id for id in named if id)


async def erase(
    store: TenantStore, secrets: Secrets, subject: SubjectId, by: Operator, *, even_if_open: bool = False
) -> About:
    """Destroy the key of a subject, so that nobody can read what is kept of it, and write down that it was done.

    The entry is written first: if the process dies before the key is destroyed, `verify_state` finds the key, and
    erasing again finishes it.

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
    if not found.readable:
        if found.payloads:
            secrets.destroy(store.tenant, subject)  # a crash may have left its bytes in a log
        why = "it is erased already" if found.payloads else "nothing is kept of it"
        raise NotPermitted(f"there is nothing to erase: {why}", fix="name the subject as the tool names it")
    if found.open and not even_if_open:
        raise NotPermitted(
            f"nobody knows how `{found.open[0].action.id}` ended, and who resolves it needs its arguments",
            fix=f"run `interlock action resolve {found.open[0].action.id} VERDICT`, or say `--even-if-open`",
        )
    turn = partial(_erased, name=found.name, payloads=len(found.payloads), by=by)
    forbidden = (await store.write(Needs(), turn)).answer
    if forbidden is not None:
        raise NotPermitted(
            f"`{forbidden.by}` holds it for law ({forbidden.why})", fix="run `interlock data release SUBJECT` first"
        )
    secrets.destroy(store.tenant, subject)
    return found


def _erased(rows: Rows, *, name: SubjectName, payloads: int, by: Operator) -> tuple[Changes, LegalHold | None]:
    held = next((hold for hold in rows.door.legal_holds if hold.subject == name), None)
    if held is not None:
        return Changes(), held
    return Changes(entries=(said_by(rows, by, Kind.ERASED, change.erased(name, payloads=payloads)),)), None


async def hold_for_law(store: TenantStore, secrets: Secrets, subject: SubjectId, by: Operator, *, why: str) -> None:
    """Forbid that what is kept of a subject is erased, until a person releases it.

    Raises:
        NotPermitted: it is erased already.
    """
    name = secrets.subject_name(store.tenant, subject)
    if not secrets.has_key(name):
        raise NotPermitted("nothing that can be read is kept of it", fix="name the subject as the tool names it")
    await store.write(Needs(), partial(_held, name=name, by=by, why=why))


def _held(rows: Rows, *, name: SubjectName, by: Operator, why: str) -> tuple[Changes, None]:
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
