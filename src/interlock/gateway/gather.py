"""Step 4: what the gateway looks up itself. Facts and previews are reads that only the contract asks for."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

from interlock.contract.arguments import Arguments
from interlock.contract.ir import Hook, Tool
from interlock.contract.path import Absent
from interlock.core.canonical import Json, Unreadable, canonical
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand
from interlock.core.fact import Fact, Known, Unknown
from interlock.core.ids import Instant
from interlock.gateway.asked import Asked, commitment
from interlock.gateway.force import terms_of
from interlock.gateway.paid import Purse
from interlock.ports import Performer, Performers

_KEPT_MAX = 4_096


@dataclass(slots=True)
class Gathered:
    """What was looked up for one call."""

    facts: dict[str, Fact] = field(default_factory=dict[str, Fact])
    preview: Json = None
    before: dict[str, Json] = field(default_factory=dict[str, Json])


@dataclass(slots=True)
class Facts:
    """Looks facts up, and remembers them for as long as the contract allows."""

    performers: Performers
    _kept: dict[str, Known] = field(default_factory=dict[str, Known])

    async def gather(self, asked: Asked, now: Instant, purse: Purse) -> Gathered:
        """(4) Look up every fact that a rule about this tool looks at. What cannot be known or paid is unknown."""
        gathered = Gathered()
        wanted = asked.force.policies.facts_of(asked.action.tool)
        for name in sorted(wanted):
            gathered.facts[name] = await self._fact(asked, name, now, purse)
        return gathered

    async def preview(self, asked: Asked, gathered: Gathered, now: Instant, purse: Purse) -> None:
        """Look up what the effect would be, where the contract names a read that says so."""
        if asked.tool.preview is not None:
            found = await self._look(asked, asked.tool.preview, now, purse, inherit=True)
            gathered.preview = found.value if isinstance(found, Known) else {"unavailable": found.why}

    async def before(self, asked: Asked, gathered: Gathered, now: Instant, purse: Purse) -> None:
        """Look up how the record is before the effect, where the contract asks for it."""
        if asked.tool.before is not None:
            found = await self._look(asked, asked.tool.before, now, purse, inherit=True)
            gathered.before["before"] = found.value if isinstance(found, Known) else None

    async def look(self, asked: Asked, hook: Hook, now: Instant, purse: Purse, **more: Json) -> Fact:
        """Carry out one read of the contract under an action."""
        return await self._look(asked, hook, now, purse, more, inherit=True)

    async def _fact(self, asked: Asked, name: str, now: Instant, purse: Purse) -> Fact:
        hook = asked.force.contract.facts.get(name)
        if hook is None:
            return Unknown(why="the contract does not say where to look it up")
        found = await self._look(asked, hook, now, purse)
        if isinstance(found, Unknown):
            return found
        value = fact_value(found.value)
        if value is None:
            return Unknown(why=f"what `{hook.tool}` answered says neither yes nor no")
        return Known(value=value, as_of=found.as_of)

    async def _look(
        self,
        asked: Asked,
        hook: Hook,
        now: Instant,
        purse: Purse,
        more: Mapping[str, Json] | None = None,
        *,
        inherit: bool = False,
    ) -> Fact:
        tool = asked.force.contract.tools.get(hook.tool)
        if tool is None or tool.effect is not EffectClass.READ or tool.price is None:
            return Unknown(why=f"`{hook.tool}` is not a read whose price is known")
        arguments = hook_arguments(asked, hook, more or {}, inherit=inherit)
        if arguments is None:
            return Unknown(why=f"the arguments of `{hook.tool}` cannot be made from the call")
        caller = asked.action.caller
        who = [caller.tenant, caller.workflow, caller.environment, asked.force.hash, tool.name]
        name = sha256("\0".join(who).encode() + arguments.text).hexdigest()
        kept = self._kept.get(name)
        if kept is not None and now < kept.as_of + hook.within:
            return kept
        performer = self._performer(asked, tool)
        if performer is None:
            return Unknown(why=f"nothing can carry out `{tool.name}` now")
        if not await purse.pay(tool):
            return Unknown(why=f"`{tool.name}` could not be paid for, or is stopped")
        found = await self._perform(asked, tool, performer, arguments, now)
        if isinstance(found, Known) and hook.within:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = found
        return found

    def _performer(self, asked: Asked, tool: Tool) -> Performer | None:
        if tool.name in asked.force.unfit:
            return None
        performer = self.performers.find(tool.source, terms_of(asked.force.contract, tool))
        return performer if performer is not None and performer.free() else None

    async def _perform(
        self, asked: Asked, tool: Tool, performer: Performer, arguments: Arguments, now: Instant
    ) -> Fact:
        errand = Errand(action=asked.action, arguments=arguments.text, key="", check_lease=lambda: None)
        try:
            async with asyncio.timeout(tool.timeout / 1_000_000):
                performed = await performer.perform(errand)
            if isinstance(performed.result, Unreadable):
                return Unknown(why=f"what `{tool.name}` answered cannot be read")
            canonical(performed.result)
            return Known(value=performed.result, as_of=now)
        except BaseException as broken:
            us = asyncio.current_task()
            if us is None or us.cancelling():
                raise  # it is our caller who leaves
            return Unknown(why=f"`{tool.name}` did not answer: {type(broken).__name__}")


def hook_arguments(asked: Asked, hook: Hook, more: Mapping[str, Json], *, inherit: bool) -> Arguments | None:
    """Make the arguments of a hook, or nothing where that is not possible.

    Args:
        asked: the action that the hook belongs to.
        hook: the read, with a path or a literal for each argument.
        more: what stands beside `args` for the paths, such as `result`.
        inherit: whether a hook that names no arguments gets those of the action that it knows.
    """
    schema = asked.force.schemas.get(hook.tool)
    if schema is None:
        return None
    values: dict[str, Json] = {}
    if inherit and not hook.args:
        known = schema.source.get("properties")
        names = cast("dict[str, object]", known) if isinstance(known, dict) else {}
        values = {name: value for name, value in asked.arguments.values.items() if name in names}
    for name, text in hook.args.items():
        found = asked.at(text, **more) if text.startswith("$.") else text
        if isinstance(found, Absent):
            return None
        values[name] = found
    read = schema.read(canonical(values))
    return read if isinstance(read, Arguments) else None


def fact_value(result: Json) -> bool | int | str | None:
    """Read a fact out of what a tool returned, or nothing where it says none.

    A truth value, a whole number or a text is the fact itself. A list is whether it has anything in it, and so is an
    object whose only member is a list.
    """
    if isinstance(result, dict) and len(result) == 1:
        (result,) = result.values()
    if isinstance(result, list):
        return bool(result)
    return result if isinstance(result, bool | int | str) else None


def seen_by_a_person(asked: Asked, gathered: Gathered) -> str:
    """Hash all that a person is shown before they agree: arguments, facts, and what `expect` names of the preview."""
    facts = {name: fact.value if isinstance(fact, Known) else None for name, fact in gathered.facts.items()}
    preview = gathered.preview
    if asked.tool.expect and isinstance(preview, dict):
        preview = {name: preview.get(name) for name in asked.tool.expect}
    # Looked-up values are canonical (`_perform` sees to it), and the salt keeps the hash from being guessed back.
    text = canonical({"arguments": asked.arguments.text.decode(), "facts": facts, "preview": preview})
    return commitment(asked.salt, b"seen\0" + text)
