"""A contract against the world: its sources, files and keys are there and fit together, or all that is wrong is said.

`contract.check` has looked at what the file says of itself. Here its tools get the description, the schemas and the
pin of what really carries them out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from interlock.contract.bundle import encode
from interlock.contract.check import check
from interlock.contract.hooks import hooks_of
from interlock.contract.ir import Assumption, Contract, Hook, Tool, Undo
from interlock.contract.narrow import wider
from interlock.contract.problem import ContractProblems, Problem, nearest
from interlock.contract.secrets import secrets_needed
from interlock.contract.tools import LEFT_TO_SOURCE
from interlock.contract.unenforced import relied_on
from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid, InterlockError, SecretError
from interlock.core.ids import AgentId, Environment, TenantId, ToolName, WorkflowId
from interlock.core.limits import POLICY_FILE_BYTES_MAX
from interlock.core.value import replace
from interlock.gateway.force import compiled
from interlock.identity.public_key import read_public_key
from interlock.policy.rule import Place
from interlock.tool.manifest import Asking, Manifest

Describe = Callable[[Asking], Manifest]
"""Finds out what a source says of itself.

Raises:
    ContractInvalid: it is not there, or this version cannot carry it out.
"""

Look = Callable[[TenantId, WorkflowId, Environment, str], None]
"""Sees whether a secret is there.

Raises:
    SecretError: it is not, or nobody can tell.
"""


def publishable(
    contract: Contract, environment: Environment, *, folder: Path, describe: Describe, look: Look | None = None
) -> Contract:
    """Return the contract as it can be put in force: every tool with schema and pin, policy files and keys as text.

    It imports modules and compiles policies, so it takes a while.

    Args:
        contract: one that `contract.check` finds nothing wrong with.
        environment: where it is to be in force. All but `staging`, `dev`, `demo` and `test` count as production.
        folder: what the paths in it start from.
        describe: finds out about sources.
        look: sees whether the secrets that it names are there. Without it nobody does.

    Raises:
        ContractProblems: it cannot be honoured; every problem says where, what and how to correct it.
    """
    found = _Publishable(contract=contract, folder=folder, describe=describe, environment=environment)
    resolved = replace(
        contract,
        tools={tool.name: found.tool(tool) for tool in contract.tools.values()},
        cedar=found.policies(),
        agents={agent: found.key(agent, file) for agent, file in contract.agents.items()},
    )
    resolved = replace(resolved, assumptions=(*still_assumed(resolved), *found.noted()))
    found.held_back(environment)
    if look is not None:
        found.secrets(environment, look)
    if not found.problems:
        found.fits_together(resolved)
    if not found.problems:
        found.compiles(resolved)
    if found.problems:
        raise ContractProblems(found.problems, then="publish again")
    return resolved


def with_policy_files(contract: Contract, folder: Path) -> Contract:
    """Return the contract with the text of its policy files, and with nothing else looked up.

    Raises:
        ContractProblems: a file is not there, or cannot be read.
    """
    found = _Publishable(contract=contract, folder=folder, describe=_nobody)
    resolved = replace(contract, cedar=found.policies())
    if found.problems:
        raise ContractProblems(found.problems)
    return resolved


def _nobody(asking: Asking) -> Manifest:
    raise AssertionError(f"nobody is asked about `{asking.source}` here")


@dataclass(slots=True, kw_only=True)
class _Publishable:
    """Looks at one subject after the other and collects what is wrong."""

    contract: Contract
    folder: Path
    describe: Describe
    environment: Environment | None = None
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: dict[str, list[Tool]] = field(default_factory=dict[str, list[Tool]])
    """What is worth knowing, and of which tools."""

    def wrong(self, place: Place, what: str, fix: str) -> None:
        self.problems.append(Problem(place=place, what=what, fix=fix))

    def tool(self, tool: Tool) -> Tool:
        """Add to a tool what its source says of itself. A schema in the contract wins where it is the narrower one."""
        if not tool.source:
            self.wrong(tool.place, f"`{tool.name}` says no source", "write `from: python:module:function`")
            return tool
        try:
            manifest = self.describe(
                Asking(tool=tool, contract=self.contract, folder=self.folder, environment=self.environment)
            )
        except ContractInvalid as error:
            self.wrong(tool.place, f"`{tool.name}`: {error}", error.fix)
            return tool
        more = wider(tool.schema, manifest.schema) if tool.schema is not None else None
        if more is not None:
            what = f"the schema of `{tool.name}` accepts more at `{more}` than `{tool.source}` takes"
            self.wrong(tool.place, what, "narrow it, or remove `schema`: the function's own is used then")
        for note in manifest.notes:
            self.notes.setdefault(note, []).append(tool)
        return replace(
            with_effect(tool, manifest),
            description=tool.description or manifest.description,
            schema=tool.schema if tool.schema is not None else manifest.schema,
            result_schema=tool.result_schema if tool.result_schema is not None else manifest.result_schema,
            how=manifest.how,
            pin=manifest.pin,
        )

    def noted(self) -> Iterator[Assumption]:
        """Say each thing that is worth knowing once, with the tools that it is about."""
        for note, tools in self.notes.items():
            names = ", ".join(f"`{tool.name}`" for tool in tools)
            yield Assumption(place=tools[0].place, text=f"{names}: {note}")

    def policies(self) -> dict[str, str]:
        """Read the organisation's policy files, each by its path below the folder."""
        found: dict[str, str] = {}
        for pattern in self.contract.policy_files:
            files = self._matching(pattern)
            if files is None:
                what = f"`{pattern}` matches no file in `{self.folder}`"
                self.wrong(self.contract.place, what, "correct `policy_files`, or put the files there")
            for file in files or ():
                found[file.relative_to(self.folder.resolve()).as_posix()] = self._text(file)
        return found

    def _matching(self, pattern: str) -> list[Path] | None:
        folder = self.folder.resolve()
        try:
            files = sorted(file.resolve() for file in folder.glob(pattern) if file.is_file())
        except (ValueError, NotImplementedError):  # an absolute pattern, or one that pathlib cannot read
            return None
        for file in files:
            if not file.is_relative_to(folder):
                what = f"`{pattern}` leads out of `{self.folder}`"
                self.wrong(self.contract.place, what, "put the policy files beside the contract")
        return [file for file in files if file.is_relative_to(folder)] if files else None

    def _text(self, file: Path) -> str:
        try:
            with file.open("rb") as opened:
                written = opened.read(POLICY_FILE_BYTES_MAX + 1)
            if len(written) <= POLICY_FILE_BYTES_MAX:
                return written.decode()
            what = f"`{file.name}` has more than {POLICY_FILE_BYTES_MAX:,} bytes"
        except (OSError, UnicodeDecodeError):
            what = f"`{file.name}` cannot be read as UTF-8 text"
        self.wrong(Place(file=str(file)), what, "correct the file")
        return ""

    def key(self, agent: AgentId, file: str) -> str:
        """Read the key file of an agent that has one. A key that was read already stays."""
        if not file or file.startswith("ed25519:"):
            return file
        try:
            return read_public_key(self.folder / file)
        except ContractInvalid as error:
            self.wrong(self.contract.place, f"agent `{agent}`: {error}", error.fix)
            return ""

    def held_back(self, environment: Environment) -> None:
        """Refuse mode `act` in production while it relies on what this version does not enforce."""
        for section in relied_on(self.contract, environment):
            what = f"mode `act` in `{environment}` relies on `{section.section}`, which is not enforced"
            fix = f"use mode `ask`, or accept it: `accept_unenforced: [{section.section}]`"
            self.wrong(section.place, what, fix)

    def secrets(self, environment: Environment, look: Look) -> None:
        """See whether each secret is there that this workflow needs in this environment."""
        needed = secrets_needed(self.contract, environment)
        for name, who, place in sorted(needed, key=lambda each: each[:2]):
            try:
                look(self.contract.tenant, self.contract.workflow, environment, name)
            except SecretError as error:
                self.wrong(place, f"`{who}` needs the secret `{name}`: {error}", error.fix)

    def fits_together(self, resolved: Contract) -> None:
        """Hold the names that the contract uses against the schemas that the tools turned out to have."""
        for tool in resolved.tools.values():
            self.problems += _arguments(tool)
            self.problems += _undo(tool)
            for key, hook in hooks_of(tool).items():
                self.problems += _given(f"`{key}` of `{tool.name}`", hook, tool, resolved)
            if tool.undo is not None:
                self.problems += _given(f"`undo` of `{tool.name}`", tool.undo, tool, resolved)
        for name, hook in resolved.facts.items():
            self.problems += _given(f"the fact `{name}`", hook, None, resolved)
        places = {tool.name: tool.place for tool in resolved.tools.values()}

        def where(*keys: str) -> Place:
            named = ToolName(keys[1]) if keys[0] == "tools" and len(keys) > 1 else None
            return places.get(named, resolved.place) if named else resolved.place

        self.problems += check(resolved, where)

    def compiles(self, resolved: Contract) -> None:
        """Make everything that calls need of it, once, so that no call is the first to find out."""
        try:
            compiled(resolved, encode(resolved)[0])
        except InterlockError as error:
            self.wrong(resolved.place, str(error), error.fix)


def still_assumed(resolved: Contract) -> Iterator[Assumption]:
    """Leave out what was only assumed until a source could be asked."""
    told = {f"`{tool.name}` {LEFT_TO_SOURCE}" for tool in resolved.tools.values() if not tool.effect_unsaid}
    return (each for each in resolved.assumptions if each.text not in told)


def with_effect(tool: Tool, manifest: Manifest) -> Tool:
    """Say what repeating a tool would do: as the contract says, or as its source can tell."""
    if not tool.effect_unsaid or manifest.effect is None:
        return tool
    return replace(tool, effect=manifest.effect, effect_unsaid=False)


def _arguments(tool: Tool) -> Iterator[Problem]:
    """Find declared arguments that the tool does not take."""
    assert tool.schema is not None, "a tool whose source was asked has a schema"
    for path in tool.arguments:
        missing = _missing(tool.schema, path.split("."))
        if missing is not None:
            what = f"`args` of `{tool.name}` names `{path}`, which `{tool.source}` does not take"
            yield Problem(place=tool.place, what=what, fix=nearest(missing[0], missing[1]))


def _missing(schema: JsonObject, parts: list[str]) -> tuple[str, list[str]] | None:
    """Return the first part that the schema does not have, with those that it has in its place."""
    here: Any = schema
    for part in parts:
        here = cast("JsonObject", here)
        reference = here.get("$ref")
        if isinstance(reference, str):
            here = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
        if "properties" not in here and here.get("additionalProperties", True) is not False:
            return None
        if part not in here.get("properties", {}):
            return part, list(here.get("properties", {}))
        here = here["properties"][part]
    return None


def _given(who: str, hook: Hook | Undo, tool: Tool | None, contract: Contract) -> Iterator[Problem]:
    """Find arguments that a hook or an undo gives and its tool does not take, or takes and does not get.

    A hook of a tool that names none gets those of the tool's own arguments that it knows.
    """
    place = contract.place if tool is None else tool.place
    named = contract.tools.get(hook.tool)
    if named is None or named.schema is None:
        return
    known = _names(named.schema)
    inherits = not hook.args and tool is not None and isinstance(hook, Hook)
    given = known & _names(tool.schema) if inherits and tool is not None else hook.args.keys()
    for name in sorted(given - known):
        what = f"{who} gives `{name}`, which `{named.name}` does not take"
        yield Problem(place=place, what=what, fix=nearest(name, known))
    filled = {name for name, each in named.schema.get("properties", {}).items() if "default" in each}
    for name in sorted(set(named.schema.get("required", ())) - given - filled):
        what = f"{who} does not give `{name}`, which `{named.name}` needs"
        yield Problem(place=place, what=what, fix=f"add `{name}` to its `args`")


def _names(schema: JsonObject | None) -> frozenset[str]:
    return frozenset((schema or {}).get("properties", {}))


def _undo(tool: Tool) -> Iterator[Problem]:
    """Find fields of the result that an undo wants and the tool does not return: it could never be undone."""
    for path in tool.undo.args.values() if tool.undo and tool.result_schema else ():
        missing = _missing(tool.result_schema or {}, path.split(".")[2:3]) if path.startswith("$.result.") else None
        if missing is not None:
            what = f"`undo` of `{tool.name}` looks at `{path}`, which `{tool.source}` does not return"
            yield Problem(place=tool.place, what=what, fix=nearest(missing[0], missing[1]))
