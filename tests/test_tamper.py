"""The tamper matrix: whatever is done to the database without the keys is found, or refused by the next call.

What cannot be found is asserted too, and is told of in `docs/ledger.md`.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from inline_snapshot import snapshot

from interlock.app import Opened, open_store
from interlock.core.errors import StoreClosed, StoreTampered
from interlock.core.ids import TenantId
from interlock.ledger.seal import ChangeEntry, Kind, seal
from interlock.ports import Changes, Needs, Rows
from tamper import GLOBAL, Intruder, Row, Watched, watched
from test_store import execute
from world import KIM, HandClock, World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger")]

Cases = dict[tuple[str, str], set[frozenset[str]]]
"""By what was done and to what: who noticed, each time."""
EVERYONE = frozenset({"audit", "refused", "state"})


@pytest.fixture
async def watching(world: World, where: str) -> AsyncIterator[Watched]:
    """A filled ledger, what was kept of it, and somebody in the database."""
    filled = await watched(world, where)
    yield filled
    filled.intruder.close()


def forged(value: Any) -> Iterator[Any]:
    """Other values of the same type."""
    match value:
        case int():
            yield from (value + 1_000, 0)
        case str():
            yield from (f"{value}x", "")
        case bytes():
            yield from (value[:-1] + bytes([value[-1] ^ 1]), b"")
        case _:
            yield "x"


def sample(rows: list[Row]) -> list[Row]:
    """The first, one between and the last: of entries, two are in a tile and one is not."""
    return rows if len(rows) <= 3 else [rows[0], rows[len(rows) // 2], rows[-1]]


async def seen(watching: Watched, found: Cases, case: str, where: str) -> None:
    found.setdefault((case, where), set()).add(await watching.noticed())


def unnoticed(found: Cases) -> list[str]:
    return sorted(": ".join(case) for case, ways in found.items() if frozenset[str]() in ways)


def by_whom(found: Cases) -> dict[str, dict[str, str]]:
    """Group the cases by who noticed them every time."""
    told: dict[str, dict[str, str]] = {}
    for (case, where), ways in sorted(found.items()):
        whom = told.setdefault(" + ".join(sorted(EVERYONE.intersection(*ways))) or "nobody", {})
        whom[case] = f"{whom.get(case, '')} {where}".strip()
    return told


async def test_nothing_is_wrong_with_a_ledger_that_nobody_touched(watching: Watched) -> None:
    assert await watching.noticed() == frozenset()
    everything = watching.intruder.everything()
    assert all(everything.values()), "every table has a row to touch"
    assert set(watching.intruder.columns) - set(everything) <= GLOBAL, "every table is a tenant's, or known not to be"
    watching.intruder.repair()
    assert watching.intruder.everything() == everything, "a repair of what is whole changes nothing"


@pytest.mark.slow
async def test_every_column_of_every_table(watching: Watched) -> None:
    intruder, found = watching.intruder, Cases()
    for table in intruder.tables:
        for row in sample(intruder.rows(table)):
            for column, old in zip(intruder.columns[table], row, strict=True):
                for value in forged(old):
                    new = intruder.having(table, row, **{column: value})
                    if new == row:
                        continue
                    moved = intruder.having(table, new, tenant=intruder.other) if column == "tenant" else new
                    if intruder.replace(table, row, moved):
                        await seen(watching, found, table, column)
                        intruder.replace(table, moved, row)
    assert await watching.noticed() == frozenset()
    assert unnoticed(found) == []
    assert by_whom(found) == snapshot(
        {
            "refused + state": {
                "action": "body id mac",
                "budget": "body id mac",
                "claim": "body id mac",
                "contract": "body hash tenant",
                "door": "body mac tenant",
                "granted": "body id mac",
                "head": "at epoch mac note peaks size",
                "payload": "sealed",
                "run": "body id mac",
            },
            "state": {
                "action": "changed_at held_key lease_until run state tenant undo_of",
                "budget": "period tenant",
                "claim": "tenant",
                "entry": "action index",
                "granted": "action tenant",
                "memo": "body id mac tenant until",
                "notice": "at body done id mac tenant",
                "payload": "id tenant",
                "run": "tenant",
                "tile": "hashes index level root tenant",
            },
            "audit + state": {"entry": "line tenant"},
            "audit + refused + state": {"head": "tenant"},
        }
    )


async def test_rows_that_are_gone_doubled_or_swapped(watching: Watched) -> None:
    intruder, found = watching.intruder, Cases()
    for table in intruder.tables:
        rows = intruder.rows(table)
        for row in sample(rows):
            intruder.delete(table, row)
            await seen(watching, found, "one is gone", table)
            intruder.insert(table, row)
            copy = doubled(intruder, table, row)
            if intruder.add(table, copy):
                await seen(watching, found, "one is doubled", table)
                intruder.delete(table, copy)
        for one, two in zip(sample(rows), sample(rows)[1:], strict=False):
            intruder.restore(table, {*rows, *swapped(intruder, table, one, two)} - {one, two})
            await seen(watching, found, "two are swapped", table)
            intruder.restore(table, rows)
        intruder.restore(table, [])
        await seen(watching, found, "all are gone", table)
        intruder.restore(table, rows)
    assert await watching.noticed() == frozenset()
    assert unnoticed(found) == snapshot(
        [
            "all are gone: memo",
            "all are gone: notice",
            "one is doubled: payload",
            "one is gone: memo",
            "one is gone: notice",
        ]
    )
    assert by_whom(found) == snapshot(
        {
            "state": {
                "all are gone": "action budget claim granted payload run tile",
                "one is doubled": "contract door entry head memo notice tile",
                "one is gone": "action budget claim granted payload run tile",
                "two are swapped": "memo notice",
            },
            "refused + state": {
                "all are gone": "contract door",
                "one is doubled": "action budget claim granted run",
                "one is gone": "contract door",
                "two are swapped": "action claim granted payload run",
            },
            "audit + state": {"all are gone": "entry", "one is gone": "entry", "two are swapped": "entry"},
            "audit + refused + state": {"all are gone": "head", "one is gone": "head"},
            "nobody": {"all are gone": "memo notice", "one is doubled": "payload", "one is gone": "memo notice"},
        }
    )


def doubled(intruder: Intruder, table: str, row: Row) -> Row:
    """The same row under another name."""
    name = intruder.keys[table][-1]
    key = intruder.value(table, row, name)
    other = intruder.other if name == "tenant" else key + 1_000 if isinstance(key, int) else f"{key}x"
    # No key is held twice: without one, the database has nothing against it.
    return intruder.having(table, row, **{name: other, "held_key": None})


def swapped(intruder: Intruder, table: str, one: Row, two: Row) -> set[Row]:
    """Each row under the name of the other."""
    names = intruder.keys[table]
    return {
        intruder.having(table, here, **{name: intruder.value(table, there, name) for name in names})
        for here, there in ((one, two), (two, one))
    }


def a_forged_line(world: World) -> bytes:
    """An entry as it would be, had it been written."""
    return seal(
        ChangeEntry(
            kind=Kind.BUDGET,
            at=world.clock.at,
            epoch=1,
            process=KIM.process,
            by="kim",
            known_by="os:1000",
            detail={"budget": "support:prod/usd/day:2026-01-01", "by_amount": 10**9, "reopen": 1},
        )
    )


def rewritten(intruder: Intruder, entries: list[Row], n: int, line: bytes) -> dict[str, list[Row]]:
    """What history may be made to look like at one entry."""
    row, other = entries[n], entries[n - 1]
    changed = intruder.having("entry", row, line=line, action="")
    others = [old for old in entries if old is not row]
    return {
        "edited": [changed, *others],
        "inserted": [*entries, intruder.having("entry", changed, index=len(entries) + n)],
        "deleted": others,
        "cut": entries[:n],
        "moved": [old for old in others if old is not other] + sorted(swapped(intruder, "entry", row, other)),
    }


@pytest.mark.parametrize("repaired", [False, True])
async def test_history_that_was_rewritten(watching: Watched, repaired: bool) -> None:
    intruder, found = watching.intruder, Cases()
    before = intruder.everything()
    entries = before["entry"]
    for n in (0, 1, len(entries) // 2, len(entries) - 2, len(entries) - 1):
        for case, rows in rewritten(intruder, entries, n, a_forged_line(watching.world)).items():
            intruder.restore("entry", rows)
            if repaired:
                intruder.repair()
            await seen(watching, found, case, "entry")
            for table in ("entry", "tile", "head"):
                intruder.restore(table, before[table])
    assert await watching.noticed() == frozenset()
    assert unnoticed(found) == []
    assert by_whom(found) == (WITH_REPAIR if repaired else WITHOUT)


WITHOUT = snapshot(
    {
        "audit + state": {"cut": "entry", "deleted": "entry", "edited": "entry", "moved": "entry"},
        "state": {"inserted": "entry"},
    }
)
WITH_REPAIR = snapshot(
    {"refused + state": {"cut": "entry", "deleted": "entry", "edited": "entry", "inserted": "entry", "moved": "entry"}}
)


async def test_rows_that_were_true_once_and_are_put_back(watching: Watched) -> None:
    intruder, found = watching.intruder, Cases()
    for table in intruder.tables:
        now, then = intruder.rows(table), watching.early[table]
        keys = intruder.keys[table]
        for row in then:
            (stands,) = [
                r for r in now if all(intruder.value(table, r, k) == intruder.value(table, row, k) for k in keys)
            ]
            if stands != row:
                intruder.replace(table, stands, row)
                await seen(watching, found, "one is as it was", table)
                intruder.replace(table, row, stands)
        if then != now:
            intruder.restore(table, then)
            await seen(watching, found, "all are as they were", table)
            intruder.restore(table, now)
    assert await watching.noticed() == frozenset()
    assert unnoticed(found) == snapshot(
        [
            "all are as they were: memo",
            "all are as they were: notice",
            "one is as it was: memo",
            "one is as it was: notice",
        ]
    )
    assert by_whom(found) == snapshot(
        {
            "state": {
                "all are as they were": "action budget claim granted payload run tile",
                "one is as it was": "action budget granted run",
            },
            "refused + state": {"all are as they were": "door", "one is as it was": "door"},
            "audit + state": {"all are as they were": "entry"},
            "audit + refused + state": {"all are as they were": "head", "one is as it was": "head"},
            "nobody": {"all are as they were": "memo notice", "one is as it was": "memo notice"},
        }
    )


async def test_a_whole_database_that_went_back_is_found_by_what_was_kept_and_by_nothing_else(
    watching: Watched, opens: Callable[[HandClock], Opened]
) -> None:
    world = watching.world
    for table, rows in watching.early.items():
        watching.intruder.restore(table, rows)
    assert await watching.noticed() == {"audit", "refused"}, "the process that saw more refuses to go on"
    newcomer = opens(world.clock).store.for_tenant(world.tenant)
    assert await watching.noticed(newcomer) == {"audit"}
    watching.receipts, watching.anchors = watching.receipts[:1], []
    assert await watching.noticed(newcomer) == frozenset(), "who kept nothing of what is gone cannot miss it"


async def test_two_tables_that_are_put_back_together(watching: Watched) -> None:
    intruder, found = watching.intruder, Cases()
    now = intruder.everything()
    for together in (
        ("head", "door"),
        ("head", "entry", "tile"),
        ("head", "entry", "tile", "door"),
        ("action", "budget"),
    ):
        for table in together:
            intruder.restore(table, watching.early[table])
        await seen(watching, found, "put back together", "+".join(together))
        for table in together:
            intruder.restore(table, now[table])
    assert await watching.noticed() == frozenset()
    assert by_whom(found) == snapshot(
        {
            "state": {"put back together": "action+budget"},
            "audit + refused + state": {"put back together": "head+door head+entry+tile head+entry+tile+door"},
        }
    )


async def test_rows_of_another_tenant_open_nothing(watching: Watched, where: str) -> None:
    other = World.on(watching.world.opened, watching.world.clock, TenantId(f"{watching.world.tenant}-stranger"))
    stranger, found = (await watched(other, where)).intruder, Cases()
    intruder = watching.intruder
    for table in ("action", "budget", "door", "granted", "claim", "run", "notice", "head"):
        mine = intruder.rows(table)
        theirs = [intruder.having(table, row, tenant=watching.world.tenant) for row in stranger.rows(table)]
        assert theirs
        intruder.restore(table, theirs)
        await seen(watching, found, "of another tenant", table)
        intruder.restore(table, mine)
    stranger.close()
    assert unnoticed(found) == []


async def test_a_time_that_was_set_ahead_opens_no_budget_of_tomorrow(world: World, where: str) -> None:
    await world.publish()
    execute(where, "update head set at = at + 86400000000 where tenant = ?", world.tenant)
    with pytest.raises(StoreTampered):
        await world.store.write(Needs(), lambda rows: (Changes(), rows.now))


async def test_a_version_that_was_edited_closes_the_store(world: World, where: str, tmp_path: Any) -> None:
    execute(where, "insert into version values (99)")
    with pytest.raises(StoreClosed):
        open_store(where, tmp_path / "keys", clock=world.clock)
    execute(where, "delete from version where number = 99")


async def test_a_key_of_a_payload_that_was_edited_opens_nothing(watching: Watched, where: str) -> None:
    if where.endswith(".db"):
        return  # the keys are not in that file
    execute(where, "update interlock_key set key = ?", bytes(32))
    assert "state" in await watching.noticed()


async def test_a_refused_batch_runs_nothing_and_writes_nothing(watching: Watched, where: str) -> None:
    execute(where, "update head set size = size - 1 where tenant = ?", watching.world.tenant)
    before = watching.intruder.everything()

    def nothing(rows: Rows) -> tuple[Changes, None]:
        raise AssertionError("no function runs over rows that cannot be trusted")

    with pytest.raises(StoreTampered):
        await watching.world.store.write(Needs(), nothing)
    assert watching.intruder.everything() == before
