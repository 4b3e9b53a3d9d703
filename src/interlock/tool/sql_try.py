"""Statements that are tried before they are needed: as they are published, and when somebody looks after everything.

A database that cannot be reached is asked once, and is no reason not to publish: that nothing is carried out which the
database does not take, the database sees to; and a contract that says no to something must not wait for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock.contract.ir import Contract
from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid, InterlockError, SecretError, UpstreamFailed
from interlock.core.ids import Environment, TenantId, ToolName, WorkflowId
from interlock.tool.apart import apart
from interlock.tool.plan import plan_of
from interlock.tool.sql_plan import PREFIX, SqlPlan, no_postgres
from interlock.tool.sql_sqlite import prepared
from interlock.tool.with_secret import Broker


@dataclass(slots=True)
class Trial:
    """Tries the statements of one contract in one environment."""

    broker: Broker
    whose: tuple[TenantId, WorkflowId, Environment]
    _unreached: dict[str, UpstreamFailed] = field(default_factory=dict[str, UpstreamFailed])
    """By address."""

    def of(self, plan: SqlPlan, schema: JsonObject, secret: str) -> None:
        """Try a statement; it takes as long as its database takes to answer.

        Args:
            plan: the statement.
            schema: of its arguments.
            secret: the name of the address of its database, where the plan has none.

        Raises:
            ContractInvalid: the database does not take it, an argument is of another type, or it has no driver.
            UpstreamFailed: the database cannot be reached from here.
        """
        if plan.sqlite:
            return prepared(plan)
        address = plan.address or self._secret(secret)
        if address in self._unreached:
            raise self._unreached[address]
        try:
            # psycopg is an extra, and half of the time that a command would take to begin.
            from interlock.tool.sql_postgres_try import try_statement  # noqa: PLC0415
        except ImportError as error:
            raise no_postgres() from error
        try:
            try_statement(plan, schema, address=address, tenant=self.whose[0])
        except UpstreamFailed as error:
            self._unreached[address] = error
            raise

    def _secret(self, name: str) -> str:
        try:
            return apart(lambda: self.broker.secret(*self.whose, name)).reveal()
        except SecretError as error:
            raise UpstreamFailed(str(error), fix=error.fix) from error


def trials(contract: Contract, environment: Environment, broker: Broker) -> Iterator[tuple[ToolName, str, str]]:
    """Try every statement of a contract that is in force; return each tool, what is wrong of it, and how to mend it."""
    trial = Trial(broker, (contract.tenant, contract.workflow, environment))
    told: set[InterlockError] = set()
    for tool in contract.tools.values():
        if not tool.source.startswith(PREFIX):
            continue
        try:
            trial.of(plan_of(tool.how, SqlPlan), tool.schema or {}, tool.secret)
        except (ContractInvalid, UpstreamFailed) as error:
            # One database that cannot be reached is one thing that is wrong.
            if error not in told:
                yield tool.name, str(error), error.fix
            told.add(error)
        else:
            yield tool.name, "", ""
