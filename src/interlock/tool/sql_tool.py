"""Carries out statements, as their contract pins them: each in a thread, on a connection that is kept for the next."""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from interlock.core.canonical import Json
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import TenantId
from interlock.ports import Performer
from interlock.tool.plan import plan_of
from interlock.tool.slots import Slots, SlotsOf, ending_of, in_thread
from interlock.tool.sql_plan import PREFIX, SqlPlan, no_postgres
from interlock.tool.sql_sqlite import SqliteDatabases


class Postgres(Protocol):
    """Statements on Postgres, if this installation can speak to it."""

    def carry_out(
        self,
        plan: SqlPlan,
        values: Mapping[str, Json],
        check_lease: Callable[[], None],
        *,
        address: str,
        tenant: TenantId,
    ) -> Json: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTool:
    """Carries out one statement."""

    plan: SqlPlan
    slots: Slots
    sqlite: SqliteDatabases
    postgres: Callable[[], Postgres]

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Carry it out.

        Raises:
            UpstreamFailed: nothing has happened.
            UpstreamSilent: the answer to the commit was lost.
        """
        work = self._begin(errand)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            # The database ends it at its own time limit, and it says then how.
            work.add_done_callback(lambda ended: errand.late(ending_of(ended)))
            raise

    def _begin(self, errand: Errand) -> "Future[Performed]":
        arguments: Mapping[str, Json] = json.loads(errand.arguments)
        tenant = errand.action.caller.tenant
        values: dict[str, Json] = {name: arguments.get(name) for name in self.plan.parameters}
        values |= {"interlock_key": errand.key, "interlock_tenant": tenant}
        address = self.plan.address or (errand.secret.reveal() if errand.secret is not None else "")

        def run() -> Performed:
            if self.plan.sqlite:
                return Performed(result=self.sqlite.carry_out(self.plan, values, errand.check_lease))
            if not address:
                raise UpstreamFailed("nobody says where its database is, so nothing was done", fix="name a `secret`")
            result = self.postgres().carry_out(self.plan, values, errand.check_lease, address=address, tenant=tenant)
            return Performed(result=result)

        return in_thread(self.plan.statement, self.slots, run)


@dataclass(slots=True)
class SqlTools:
    """Finds statements by the name that a contract gives them: `sql:FILE#name`."""

    _slots: SlotsOf = field(default_factory=SlotsOf)
    _sqlite: SqliteDatabases = field(default_factory=SqliteDatabases)
    _postgres: Postgres | None = None
    _lock: Lock = field(default_factory=Lock)

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this statement. It connects to nobody.

        Raises:
            ContractInvalid: another version pinned it.
        """
        if not source.startswith(PREFIX):
            return None
        plan = plan_of(terms.how, SqlPlan)
        if not plan.sqlite:
            self._speaks_postgres()
        slots = self._slots.find(terms, source)
        return SqlTool(plan=plan, slots=slots, sqlite=self._sqlite, postgres=self._speaks_postgres)

    def _speaks_postgres(self) -> Postgres:
        with self._lock:
            if self._postgres is None:
                try:
                    # psycopg is an extra, and half of the time that a command would take to begin.
                    from interlock.tool.sql_postgres import PostgresDatabases  # noqa: PLC0415
                except ImportError as error:
                    raise no_postgres() from error
                self._postgres = PostgresDatabases()
            return self._postgres

    def close(self) -> None:
        self._sqlite.close()
        if self._postgres is not None:
            self._postgres.close()
