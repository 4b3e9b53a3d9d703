"""The beginning that all entries about an action have in common; each kind adds what only it has."""

from interlock.core.ids import ProcessId
from interlock.ledger.seal import ActionEntry, Kind
from interlock.ports import ActionRow, Rows


def entry_of(rows: Rows, row: ActionRow, kind: Kind, process: ProcessId) -> ActionEntry:
    """Begin an entry about an action as its row stands."""
    return ActionEntry(
        kind=kind,
        at=rows.now,
        epoch=rows.door.epoch,
        process=process,
        action=row.action,
        state=row.state,
        fence=row.fence,
    )
