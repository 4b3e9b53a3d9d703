"""Tools from files of SQL: `sql:FILE#name` is one named statement, as publishing finds and pins it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from interlock.contract.ir import Contract, Database, Tool
from interlock.core.canonical import JsonObject
from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid, UpstreamFailed
from interlock.core.limits import SQL_FILE_BYTES_MAX, SQL_TIME_PART
from interlock.tool.beside import text_beside
from interlock.tool.manifest import Asking, Manifest, pinned
from interlock.tool.plan import how_of
from interlock.tool.sql_file import Statement, find
from interlock.tool.sql_plan import Returns, SqlPlan
from interlock.tool.sql_sqlite import prepared
from interlock.tool.sql_try import Trial
from interlock.tool.with_secret import Broker

_ROW: Mapping[str, Any] = {"type": "object"}
_RESULTS: Mapping[Returns, JsonObject] = {
    "one": {"type": ["object", "null"]},
    "many": {"type": "array", "items": _ROW},
    "count": {"type": "object", "properties": {"changed": {"type": "integer"}}, "required": ["changed"]},
    "happened": {"type": "object", "properties": {"happened": {"type": "boolean"}}, "required": ["happened"]},
}


@dataclass(slots=True)
class Statements:
    """Describes statements for publishing; a database that is not there is asked once for each contract."""

    _contract: Contract | None = None
    _trial: Trial | None = None
    _turn: Lock = field(default_factory=Lock)

    def describe(self, asking: Asking, broker: Broker | None = None) -> Manifest:
        """Say what a statement takes and returns, and where it is carried out.

        Args:
            asking: the tool, in its contract.
            broker: hands out the address of the database. Without it none on Postgres is asked.

        Raises:
            ContractInvalid: it is not there, it cannot be a tool, or the database does not take it as it is.
        """
        if asking.environment is None or broker is None:
            return describe_sql(asking)
        whose = (asking.contract.tenant, asking.contract.workflow, asking.environment)
        with self._turn:
            if self._trial is None or self._contract is not asking.contract or self._trial.whose != whose:
                self._contract, self._trial = asking.contract, Trial(broker, whose)
            return describe_sql(asking, self._trial)


def describe_sql(asking: Asking, trial: Trial | None = None) -> Manifest:
    """Find out what a statement takes and returns, and where it is carried out.

    Args:
        asking: the tool, in its contract.
        trial: has the database look at it. Without it only a SQLite file does.

    Raises:
        ContractInvalid: it is not there, it cannot be a tool, or the database does not take it as it is.
    """
    file, name = asking.file_and_name
    if not file or not name:
        raise ContractInvalid("the source names no statement", fix="write `from: sql:FILE#name`")
    statement = find(file, text_beside(asking.folder, file, SQL_FILE_BYTES_MAX), name)
    _fits(asking, statement)
    effect = _effect(statement)
    reads = (effect if asking.tool.effect_unsaid else asking.tool.effect) is EffectClass.READ
    plan = SqlPlan(
        statement=name,
        text=statement.text,
        parameters=statement.parameters,
        returns=statement.returns or ("many" if statement.reads else "count"),
        reads=reads,
        seconds=round(SQL_TIME_PART * asking.tool.timeout / 1_000_000, 3),
        **_where(asking, file),
    )
    schema = _schema(asking.tool, statement)
    untried = _tried(asking.tool, plan, schema, trial)
    return pinned(
        description="\n".join(statement.about).strip(),
        schema=schema,
        result_schema=_RESULTS[plan.returns],
        how=how_of(plan),
        effect=effect,
        notes=(*_notes(asking.tool, statement, plan, effect), *untried),
    )


def _tried(tool: Tool, plan: SqlPlan, schema: JsonObject, trial: Trial | None) -> tuple[str, ...]:
    """Have the database look at a statement. Where it is not there, whoever publishes it should know."""
    if trial is None:
        if plan.sqlite:
            prepared(plan)
        return ()
    try:
        trial.of(plan, tool.schema or schema, tool.secret)
    except UpstreamFailed as error:
        why = str(error).removesuffix(", so nothing was done")
        return (f"nobody has tried the statement, `interlock doctor` does: {why}",)
    return ()


def _effect(statement: Statement) -> EffectClass:
    if statement.reads:
        return EffectClass.READ
    return EffectClass.QUERYABLE if "interlock_key" in statement.ours else EffectClass.OPAQUE


def _fits(asking: Asking, statement: Statement) -> None:
    """Refuse an effect class that the words of a statement speak against."""
    effect = asking.effect_said
    if effect is EffectClass.READ and not statement.reads:
        fix = "say another `effect`, or name a statement that reads"
        raise ContractInvalid(f"it is to be a `read`, and the statement `{statement.name}` writes", fix=fix)
    if effect in (EffectClass.QUERYABLE, EffectClass.IDEMPOTENT_KEY) and "interlock_key" not in statement.ours:
        fix = "write `:interlock_key` into a column of the row, so that another statement can look for it"
        raise ContractInvalid(f"nobody could find out whether `{statement.name}` happened", fix=fix)
    if statement.returns == "happened" and "key" not in statement.parameters:
        fix = "look for the row with `where interlock_key = :key`, and give it `key: $.key`"
        raise ContractInvalid(f"`{statement.name}` says whether something happened, and not to what", fix=fix)


def _schema(tool: Tool, statement: Statement) -> dict[str, Any]:
    """Type the arguments, as the comment of the statement says, or as the contract does."""
    narrowed = (tool.schema or {}).get("properties", {})
    properties: dict[str, Any] = {}
    for name in statement.parameters:
        said = statement.said.get(name)
        if said is not None:
            properties[name] = {"type": [said.kind, "null"] if said.may_be_null else said.kind}
        elif name in narrowed:
            properties[name] = {"type": ["string", "number", "boolean", "null"]}
        else:
            fix = f"write `-- param {name}: string` above the statement, or `schema` in the contract"
            raise ContractInvalid(f"the parameter `{name}` of `{statement.name}` has no type", fix=fix)
    needed = sorted(name for name in properties if name in statement.said and not statement.said[name].may_be_null)
    required = {"required": needed} if needed else {}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def _where(asking: Asking, file: str) -> dict[str, str]:
    """Say in which database a statement is carried out.

    Raises:
        ContractInvalid: nobody says it, or it would have to hold a password.
    """
    database = asking.contract.databases.get(file, Database())
    place = database.place_in(asking.environment) if asking.environment is not None else ""
    if database.is_sqlite:
        if asking.environment is not None and not place:
            raise _nowhere(file, asking.environment)
        return {"sqlite": str((asking.folder / place).resolve()) if place else ""}
    if database.address_in and not place and asking.environment is not None:
        raise _nowhere(file, asking.environment)
    if place and urlsplit(place).password:
        fix = "take it out of the address, and name the whole address as the `secret` of the tools"
        raise ContractInvalid(f"the address of `{file}` has a password in it", fix=fix)
    if asking.environment is not None and bool(place) == bool(asking.tool.secret):
        said = "a secret and an address both say" if place else "nobody says"
        fix = "write `secret: NAME` at the tool (the secret is the address), or `postgres: { address: ... }`"
        raise ContractInvalid(f"{said} where the database of `{file}` is", fix=fix)
    return {"address": place, "role": database.role, "tenant_setting": database.tenant_setting}


def _nowhere(file: str, environment: str) -> ContractInvalid:
    return ContractInvalid(f"`{file}` has no database in `{environment}`", fix="name one for it under `databases`")


def _notes(tool: Tool, statement: Statement, plan: SqlPlan, effect: EffectClass) -> Iterator[str]:
    if tool.effect_unsaid:
        yield f"the statement {'reads' if statement.reads else 'writes'}, so it is `{effect.value}`"
    if not plan.sqlite and not plan.role:
        yield "no `role` is named, so it has all rights of whoever connects"
