"""What performing needs to know of a statement: pinned in the contract, so that no file is read at run time."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from interlock.core.errors import ContractInvalid

PREFIX = "sql:"
"""How a source begins that is a statement."""
Kind = Literal["string", "integer", "number", "boolean"]
KINDS: Mapping[str, Kind] = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
Returns = Literal["one", "many", "count", "happened"]
RETURNS: Mapping[str, Returns] = {"one": "one", "many": "many", "count": "count", "happened": "happened"}


class SqlPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement, but for its arguments and its secret."""

    statement: str
    text: str
    parameters: tuple[str, ...] = ()
    """Those that are arguments. One that is not given is null."""
    returns: Returns = "many"
    reads: bool = False
    """It is carried out where nothing can be written."""
    seconds: float
    """How long it may take: less than its tool, so that whoever waits for that hears how it ended."""
    sqlite: str = ""
    """The file of the database; nothing is Postgres."""
    address: str = ""
    """Of Postgres, without a password; nothing is the secret of the tool."""
    role: str = ""
    """Of Postgres: in whose rights it is carried out; nothing is whoever connects."""
    tenant_setting: str = "app.tenant"
    """Of Postgres: the setting that policies of row-level security look at."""


def no_postgres() -> ContractInvalid:
    """Say that nothing here can speak to Postgres."""
    fix = "install it with its extra: `pip install 'interlock[postgres]'`"
    return ContractInvalid("this installation cannot speak to Postgres", fix=fix)
