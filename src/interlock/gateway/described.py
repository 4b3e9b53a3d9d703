"""A contract as it can be judged without being published: with what its tools take, and the organisation's policies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.contract.bundle import encode
from interlock.contract.ir import Contract, Tool
from interlock.core.errors import InterlockError
from interlock.core.value import replace
from interlock.gateway.force import compiled
from interlock.gateway.publishable import Describe, with_effect, with_policy_files
from interlock.policy.load import Policies
from interlock.tool.manifest import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A contract with the schema of each tool, and what could not be found out about them."""

    contract: Contract
    policies: Policies
    assumed: tuple[str, ...]
    """Tools whose schema nobody could say, each with what was taken in its place."""


def described(contract: Contract, *, folder: Path, describe: Describe) -> Described:
    """Ask each source what it takes, where the contract does not say it. It imports modules.

    What cannot be asked is taken to be as the contract's own `args` say: amounts are numbers, all else is text.

    Raises:
        ContractInvalid: the contract cannot be compiled.
        ContractProblems: a policy file is not there, or cannot be read.
    """
    assumed: list[str] = []
    asked = {name: Asking(tool=tool, contract=contract, folder=folder) for name, tool in contract.tools.items()}
    tools = {name: _described(asking, describe, assumed) for name, asking in asked.items()}
    whole = replace(with_policy_files(contract, folder), tools=tools)
    return Described(contract=whole, policies=compiled(whole, encode(whole)[0]).policies, assumed=tuple(assumed))


def _described(asking: Asking, describe: Describe, assumed: list[str]) -> Tool:
    tool = asking.tool
    if tool.schema is not None and not tool.effect_unsaid:
        return tool
    try:
        manifest = describe(asking)
        schema = tool.schema if tool.schema is not None else manifest.schema
        return replace(with_effect(tool, manifest), schema=schema)
    except InterlockError as error:
        if tool.schema is not None:
            return tool
        if tool.arguments:
            assumed.append(
                f"what `{tool.name}` takes is not known ({error}): its `args` are taken as numbers and texts"
            )
            return replace(tool, schema=_of_roles(tool))
        # Rules look at no argument of such a tool, so it may take anything.
        return tool


def _of_roles(tool: Tool) -> dict[str, Any]:
    top = {path: argument for path, argument in tool.arguments.items() if "." not in path}
    types = {name: "number" if argument.role == "quantity" else "string" for name, argument in top.items()}
    return {
        "type": "object",
        "properties": {name: {"type": type} for name, type in types.items()},
        "additionalProperties": True,
    }
