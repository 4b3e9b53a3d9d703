"""Where the statements of a file are carried out."""

from collections.abc import Mapping
from typing import TypeVar

from interlock.contract.ir import Contract, Database
from interlock.contract.problem import Findings
from interlock.contract.row import Row
from interlock.contract.scalar import NAME, POSTGRES, SETTING, TEXT, Leaf
from interlock.contract.written import Written, table
from interlock.core.ids import Environment

T = TypeVar("T")


def read_databases(root: Row, findings: Findings) -> Mapping[str, Database]:
    """Read the section `databases`."""
    return {name: _database(name, row, findings) for name, row in root.row("databases").rows()}


def _database(name: str, row: Row, findings: Findings) -> Database:
    if row.has("sqlite") == row.has("postgres"):
        what = f"`{name}` is one database, and `sqlite` or `postgres` says of which kind"
        findings.wrong(row.place, what, "say one of them: `{ sqlite: crm.db }`, `{ postgres: {} }`")
    postgres = row.row("postgres")
    return Database(
        sqlite=row.get("sqlite", TEXT, ""),
        sqlite_in=_each(row, "sqlite", TEXT),
        address=postgres.get("address", POSTGRES, ""),
        address_in=_each(postgres, "address", POSTGRES),
        role=postgres.get("role", NAME, ""),
        tenant_setting=postgres.get("tenant_setting", SETTING, Database().tenant_setting),
    )


def _each(row: Row, key: str, leaf: Leaf[T]) -> dict[Environment, T]:
    return {Environment(name): value for name, value in row.named(key, leaf).items()}


def written_databases(contract: Contract) -> dict[str, Written]:
    """Write the section as the full shape has it."""
    return {name: _written(database) for name, database in contract.databases.items()}


def _written(database: Database) -> Written:
    if database.is_sqlite:
        return table(sqlite=database.sqlite or {**database.sqlite_in})
    setting = database.tenant_setting
    postgres = table(
        address=database.address or {**database.address_in} or None,
        role=database.role or None,
        tenant_setting=None if setting == Database().tenant_setting else setting,
    )
    return table(postgres=postgres)
