"""From the tables of one version to those of the next, each step in one transaction. Versions only go forward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from interlock.core.errors import StoreClosed
from interlock.store import schema
from interlock.store.database import Database


class Changeable(Database, Protocol):
    """A connection that may change the tables themselves."""

    def run(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What leads from one version to the next."""

    to: int
    """The version that the database has afterwards."""
    says: str
    """What it changes, for whoever runs it."""
    run: Callable[[Changeable], None]


def _found_by_time_and_period(db: Changeable) -> None:
    db.run("create index action_changed on action (tenant, changed_at)")
    db.run("drop index action_run")
    db.run("create index action_run on action (tenant, run, changed_at)")
    db.run("alter table budget add column period text not null default ''")
    # What stands behind the last stroke of the id.
    db.run("update budget set period = substr(id, length(rtrim(id, replace(id, '/', ''))) + 1)")
    db.run("create index budget_period on budget (tenant, period)")


def _with_memos(db: Changeable) -> None:
    for statement in db.defined(schema.MEMO_DDL):
        db.run(statement)


STEPS: tuple[Step, ...] = (
    Step(
        to=2,
        says="actions are found by when they changed, budgets by their period, however many there are",
        run=_found_by_time_and_period,
    ),
    Step(to=3, says="a table for what several processes have to know of a client for a while", run=_with_memos),
)
"""Every step there is, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a store is, what it would be, and what leads there."""

    found: int
    writes: int
    """The version that this program writes."""
    steps: tuple[Step, ...]


def plan_from(found: int | None) -> Plan:
    """Find the steps that lead from a version to the one that this program writes.

    Raises:
        StoreClosed: no steps lead there.
    """
    writes = schema.VERSION
    if found is None:
        fix = "make one by publishing a contract: `interlock contract publish FILE --env ENV`"
        raise StoreClosed("that database has no tables of ours", fix=fix)
    steps = tuple(step for step in STEPS if found < step.to <= writes)
    if found > writes:
        raise StoreClosed(
            f"the database has version {found}, and this program knows version {writes}",
            fix="use the version of Interlock that wrote it",
        )
    if [step.to for step in steps] != list(range(found + 1, writes + 1)):
        raise StoreClosed(
            f"no steps lead from version {found} of the database to version {writes}",
            fix="migrate with a version of Interlock in between first",
        )
    return Plan(found=found, writes=writes, steps=steps)


def carry_out(db: Changeable, steps: Sequence[Step]) -> None:
    """Carry steps out, oldest first. A step that fails leaves the version before it, whole.

    Raises:
        StoreClosed: another process has changed the version meanwhile.
        StoreError: the database cannot be written.
    """
    for step in steps:
        db.begin(durable=True, tenants=())
        try:
            db.take_time()
            # Whoever comes second waits for this row, and then finds another number.
            db.run("update version set number = number")
            found = db.query("select max(number) from version", {})[0][0]
            if found != step.to - 1:
                what = f"the database has version {found} by now: another process migrates it"
                raise StoreClosed(what, fix="look again: `interlock migrate --dry-run`")
            step.run(db)
            db.run(f"update version set number = {step.to:d}")  # noqa: S608  our own number
            db.commit()
        except BaseException:
            db.rollback()
            raise
