"""An open store, with a gateway before it, for as long as one command takes."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module

from interlock import app
from interlock.core.action import Caller
from interlock.core.door import Published
from interlock.core.errors import ActionUnknown, InterlockError, StoreClosed
from interlock.core.ids import ActionId, Environment, WorkflowId
from interlock.core.wording import closest
from interlock.door.cli.screen import Typed
from interlock.gateway.call import Gateway
from interlock.gateway.force import Force
from interlock.gateway.recall import row_of
from interlock.identity.oidc import Issuers
from interlock.ports import ActionRow, Needs, Rows, TenantStore, Wanted

_LISTED_MAX = 8
_COMPARED_MAX = 200
_IDS_ALIKE = 0.8
"""Ids of one hour begin alike without being meant for each other."""


class NameAmbiguous(InterlockError):
    """Several things may be meant."""


def awaited(work: Callable[[Typed], Awaitable[int]]) -> Callable[[Typed], int]:
    """Make a command of a coroutine."""

    @wraps(work)
    def command(typed: Typed) -> int:
        async def whole() -> int:
            return await work(typed)

        return asyncio.run(whole())

    return command


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the faster loop where it is there, for who serves; a quarter of the time that a request takes."""
    with suppress(ImportError):
        return import_module("uvloop").new_event_loop
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One tenant of an open store."""

    gateway: Gateway
    store: TenantStore
    typed: Typed
    issuers: Issuers = field(default_factory=Issuers)
    """Asked for their keys once a command at most."""

    async def rows(self) -> Rows:
        """Return the door and the time."""
        return await self.store.read(Needs())

    async def action(self, said: str) -> ActionRow:
        """Find an action by its id, or by as much of its beginning as is unique.

        Raises:
            ActionUnknown: no id begins like that.
            NameAmbiguous: several do; the message lists them.
        """
        if re.fullmatch(r"[0-9A-Za-z]{1,64}", said):
            exact = await row_of(self.store, ActionId(said))
            found = (exact,) if exact is not None else await self.store.actions_like(said)
            if len(found) == 1:
                return found[0]
            if found:
                raise await self._ambiguous(said, found)
        known = [row.action.id for row in await self.store.actions(Wanted(limit=_COMPARED_MAX))]
        fix = meant(said, known, "list them: `interlock action list`")
        raise ActionUnknown(f"no action has an id that begins with `{said}`", fix=fix)

    async def _ambiguous(self, said: str, found: tuple[ActionRow, ...]) -> NameAmbiguous:
        many = await self.store.actions(Wanted(limit=1_000))
        rows = {row.action.id: row for row in (*found, *many) if row.action.id.startswith(said)}
        lines = [f"  {row.action.id}  {row.state.value:9}  {row.action.tool}" for row in rows.values()][:_LISTED_MAX]
        more = [f"  and {len(rows) - _LISTED_MAX} more"] if len(rows) > _LISTED_MAX else []
        return NameAmbiguous("\n".join([f"several ids begin with `{said}`", *lines, *more]), fix="type more of it")

    async def force(self, caller: Caller) -> Force | None:
        """Return the contract that is in force for a caller."""
        return await self.gateway.forces.of(self.store, (await self.rows()).door, caller.workflow, caller.environment)

    async def place(self) -> tuple[WorkflowId, Environment]:
        """Find the workflow and the environment that are meant; they need not be said where there is only one.

        Raises:
            InterlockError: nothing is published that fits.
            NameAmbiguous: several would.
        """
        published = (await self.rows()).door.published
        return _one_of(published, self.typed.given.workflow, self.typed.given.env)


def _one_of(
    published: Mapping[str, Published], workflow: str | None, environment: str | None
) -> tuple[WorkflowId, Environment]:
    names = sorted(published)
    fitting = [
        name
        for name in names
        if workflow in (None, name.rpartition("/")[0]) and environment in (None, name.rpartition("/")[2])
    ]
    if len(fitting) == 1:
        found, _, where = fitting[0].rpartition("/")
        return WorkflowId(found), Environment(where)
    if not names:
        raise InterlockError("no contract is published", fix="run `interlock contract publish FILE --env ENV`")
    if not fitting:
        whose = "" if workflow is None else f" for `{workflow}`"
        where = "" if environment is None else f" in `{environment}`"
        raise InterlockError(f"nothing is published{whose}{where}", fix=place_meant(workflow, environment, names))
    raise NameAmbiguous(f"several are published: {', '.join(fitting)}", fix="say `--workflow W --env E`")


def place_meant(workflow: str | None, environment: str | None, names: Collection[str]) -> str:
    """Say which workflow or environment was probably meant, and which there are."""
    places = [name.rpartition("/") for name in names]
    workflows = {name for name, _, _ in places}
    if workflow is not None and workflow not in workflows:
        near = closest(workflow, workflows)
    else:
        near = closest(environment or "", {where for name, _, where in places if workflow in (None, name)})
    there = f"there is {', '.join(names)}"
    return f"did you mean `{near}`? {there}" if near is not None else there


def meant(said: str, ids: Collection[str], fix: str) -> str:
    """Say which id was probably meant by its beginning; `fix` where none comes near or several would do."""
    near = closest(said, {id[: len(said)] for id in ids}, alike=_IDS_ALIKE)
    found = [id for id in ids if near is not None and id.startswith(near)]
    return f"did you mean `{found[0]}`?" if len(found) == 1 else fix


@contextmanager
def session(typed: Typed, *, may_make: bool = False) -> Generator[Session]:
    """Open the store that is meant, beside any process that performs on it.

    Args:
        typed: the command line.
        may_make: whether a store that is not there is made. Anywhere else a path that was mistyped is an error.

    Raises:
        InterlockError: there is no such store, or it has nothing of this tenant.
        StoreError: it cannot be used.
    """
    be_there(typed, may_make=may_make)
    find_tools_here()
    settings = typed.settings
    with app.beside(settings.store, settings.keys, clock=typed.clock) as gateway:
        if not may_make:
            _know_tenant(typed, gateway)
        yield Session(gateway=gateway, store=gateway.store.for_tenant(settings.tenant), typed=typed)


@contextmanager
def performing(typed: Typed) -> Generator[Session]:
    """Open the store, and take the right to start effects on it.

    Raises:
        StoreBusy: another process has that right.
    """
    be_there(typed, may_make=False)
    with app.right_to_perform(typed.settings.store), session(typed) as here:
        try:
            yield here
        except (asyncio.CancelledError, KeyboardInterrupt):
            typed.screen.note("note: what has started goes on and may happen: look at `interlock action list`")
            raise


def find_tools_here() -> None:
    """Let `python:` sources name modules of the current folder, behind everything that is installed."""
    if "" not in sys.path:
        sys.path.append("")


def be_there(typed: Typed, *, may_make: bool) -> None:
    """See to it that the store is there, with its keys.

    Raises:
        InterlockError: there is no such store.
        StoreClosed: its keys are not where they should be.
    """
    settings = typed.settings
    file, seed = settings.file, settings.keys / "master.seed"
    there = file is None or file.is_file()
    if not there and not may_make:
        make = "make one by publishing a contract: `interlock contract publish FILE --env ENV`"
        raise InterlockError(f"there is no store at `{settings.shown}`", fix=f"name it with `--store`, or {make}")
    if file is not None and may_make:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if there and not seed.exists() and not (may_make and file is None):
        # A new seed beside an old store would make everything in it look tampered with.
        new = " If nothing was published there yet, begin with `interlock contract publish FILE --env ENV`"
        fix = f"name the folder with `--keys`, or restore it from a backup.{new if file is None else ''}".removesuffix(
            "."
        )
        raise StoreClosed(f"the keys of this store are not in `{settings.keys}`", fix=fix)


def _know_tenant(typed: Typed, gateway: Gateway) -> None:
    known = gateway.store.tenants()
    if known and typed.settings.tenant not in known:
        near = known[0] if len(known) == 1 else closest(typed.settings.tenant, known)
        fix = f"say `--tenant {near}`" if near else f"there is {', '.join(known)}: say `--tenant NAME`"
        raise InterlockError(f"the store has nothing of the tenant `{typed.settings.tenant}`", fix=fix)
