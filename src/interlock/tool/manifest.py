"""What publishing finds out about a source: description, schemas, and the pin that is the hash of them."""

import inspect
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import msgspec

from interlock.contract.hosts import file_of
from interlock.contract.ir import Contract, Tool
from interlock.core.canonical import JsonObject, canonical
from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid, InterlockError
from interlock.core.ids import Environment
from interlock.tool.function import Function, function_of, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a source says of itself."""

    description: str
    schema: JsonObject
    """JSON Schema (2020-12) of the arguments."""
    result_schema: JsonObject | None
    """Of what comes back; nothing where the source does not say."""
    pin: str
    """The hash of all of it. Another pin is another tool."""
    how: JsonObject | None = None
    """What performing needs to know beside it, without a credential: the operation, the statement, the server."""
    effect: EffectClass | None = None
    """What repeating it would do, where the source can tell; whatever the contract says counts."""
    notes: tuple[str, ...] = ()
    """What whoever publishes it should know of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is to be found out about a source, and where it stands."""

    tool: Tool
    contract: Contract
    folder: Path
    """What the paths in the contract start from."""
    environment: Environment | None = None
    """Where it is to be in force; nothing where that is not known yet."""

    @property
    def source(self) -> str:
        return self.tool.source

    @property
    def file_and_name(self) -> tuple[str, str]:
        """The file that the source names, and what in it: both of `KIND:FILE#NAME`."""
        return file_of(self.source), self.source.partition("#")[2]

    @property
    def effect_said(self) -> EffectClass | None:
        """What the contract says that repeating it does; nothing where it says nothing.

        What is named by its source alone, and not declared as a tool, is looked up, so it has to be a read.
        """
        if self.tool.name == self.tool.source:
            return EffectClass.READ
        return None if self.tool.effect_unsaid else self.tool.effect


def pinned(
    *,
    description: str,
    schema: JsonObject,
    result_schema: JsonObject | None,
    how: JsonObject | None = None,
    effect: EffectClass | None = None,
    notes: tuple[str, ...] = (),
) -> Manifest:
    """Put together what a source says of itself, under the hash of all of it.

    Raises:
        ContractInvalid: there is something in it that has no canonical form.
    """
    said = {"description": description, "schema": schema, "result": result_schema}
    try:
        written = canonical({**said, "how": how} if how is not None else said)
    except (TypeError, ValueError, RecursionError, InterlockError) as error:
        message = "what the source says of itself has no canonical form in JSON"
        raise ContractInvalid(message, fix="look at its description and its schemas") from error
    pin = sha256(b"interlock tool 1\n" + written).hexdigest()
    return Manifest(
        description=description,
        schema=schema,
        result_schema=result_schema,
        pin=pin,
        how=how,
        effect=effect,
        notes=notes,
    )


def function_manifest(asking: Asking) -> Manifest:
    """Import the function that a tool of a contract names, and find out what it takes and returns.

    Raises:
        ContractInvalid: it cannot be imported or described, or it takes a secret and gets none, or the reverse.
    """
    function = function_of(asking.source)
    function.check_secret(asking.tool.secret)
    return described(asking.source, function)


def described(source: str, function: Function) -> Manifest:
    """Describe a function.

    Raises:
        ContractInvalid: a parameter is of no JSON type.
    """
    try:
        schema = _closed(_schema(function.arguments))
        for name, default in _defaults(function).items():
            schema["properties"][name]["default"] = plain(default)
        result_schema = _result_schema(function)
        description = inspect.getdoc(function.call) or ""
        return pinned(description=description, schema=schema, result_schema=result_schema)
    except (TypeError, ValueError, RecursionError, InterlockError) as error:
        message = f"a parameter of `{source}` is of no JSON type"
        fix = "use JSON types, `Decimal`, `datetime`, dataclasses or msgspec structs"
        raise ContractInvalid(message, fix=fix) from error


def _schema(type: object) -> dict[str, Any]:
    """Describe a type, with its parts beside it."""
    (schema,), parts = msgspec.json.schema_components([type], ref_template=f"{_PARTS}{{name}}")
    name = str(schema.get("$ref", "")).removeprefix(_PARTS)
    if name not in parts or f"'{_PARTS}{name}'" in repr(parts):
        return _decimals({**schema, **({"$defs": parts} if parts else {})})
    own = parts.pop(name)
    return _decimals({**own, **({"$defs": parts} if parts else {})})


def _result_schema(function: Function) -> dict[str, Any] | None:
    returns = inspect.signature(function.call, eval_str=True).return_annotation
    if returns in (inspect.Signature.empty, Any, object):
        return None
    try:
        return _schema(returns)
    except (TypeError, ValueError):
        # What it says it returns is of no JSON type, so nothing is known of what comes back.
        return None


def _defaults(function: Function) -> dict[str, object]:
    parameters = inspect.signature(function.call).parameters
    known = function.arguments.__struct_fields__
    return {name: parameters[name].default for name in known if parameters[name].default is not inspect.Parameter.empty}


def _decimals(schema: Any) -> Any:  # noqa: ANN401  a JSON Schema, or a part of one
    """Read decimals as JSON numbers: as texts they could hide an amount from the judges."""
    if isinstance(schema, list):
        return [_decimals(value) for value in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    if known.get("format") == "decimal":
        return {**{name: value for name, value in known.items() if name not in ("format", "default")}, "type": "number"}
    return {name: _decimals(value) for name, value in known.items()}


def _closed(schema: Any) -> Any:  # noqa: ANN401  a JSON Schema, or a part of one
    """Allow no member that a type does not have: the function would not see it, and a person would agree to it."""
    if isinstance(schema, list):
        return [_closed(value) for value in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    shut = {"additionalProperties": False} if known.get("type") == "object" and "properties" in known else {}
    return {**shut, **{name: _closed(value) for name, value in known.items()}}


_PARTS = "#/$defs/"
