"""A tool that gets a secret: it is fetched as the tool is about to be carried out, and taken out of what comes back.

Whoever carries tools out finds the secret in the errand, and need not know where it comes from. What such a tool
answers, or says of its failure, has lost the secret before anything of it is written down or told.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from interlock.core.canonical import Json, JsonObject, Unreadable
from interlock.core.errand import Errand, Line, Performed, Question, Terms
from interlock.core.errors import LoginNeeded, SecretError, UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.limits import SAID_CHARS_MAX
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.ports import Performer, Performers
from interlock.redact.scrub import Scrubber, is_long, scrubber

Left = TypeVar("Left")


class Broker(Protocol):
    """Hands out secrets. Each belongs to one workflow of one tenant in one environment."""

    async def secret(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> Secret:
        """Fetch a secret as it is now.

        Raises:
            SecretUnknown: this workflow has none of that name in this environment.
            SecretUnreachable: where it is kept does not answer, or not as it should.
        """
        ...

    def refused(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> None:
        """Hear that the other side did not take it. A token that can be bought anew is not used any more."""
        ...


@dataclass(frozen=True, slots=True)
class ToolsWithSecrets:
    """Finds tools, each with the secrets that its contract gives it."""

    tools: Performers
    broker: Broker

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this source, with its secrets if it has any.

        Raises:
            ContractInvalid: it is not there, or not what was published.
        """
        found = self.tools.find(source, terms)
        if found is None or not (terms.secret or terms.secrets):
            return found
        return _WithSecrets(found, self.broker, terms.secret, terms.secrets)


@dataclass(frozen=True, slots=True)
class _WithSecrets:
    """Carries out a tool with its secrets."""

    tool: Performer
    broker: Broker
    name: str
    """Of the one that it gets; nothing where it gets several."""
    names: Mapping[str, str]
    """Of several, by what each goes into."""

    def free(self) -> bool:
        return self.tool.free()

    async def perform(self, errand: Errand) -> Performed:
        """Fetch the secrets, have it done, and take the secrets out of what comes back, now or late.

        Raises:
            UpstreamFailed: a secret cannot be had, so nothing was sent; or the effect did not happen.
            UpstreamSilent: nobody knows whether the effect happened.
        """
        secret = await self._fetched(errand, self.name) if self.name else None
        secrets = {into: await self._fetched(errand, name) for into, name in self.names.items()}
        scrub = _scrubber_of(*([secret] if secret is not None else ()), *secrets.values())

        loop = asyncio.get_running_loop()

        def late(came: Performed | Exception) -> None:
            if not isinstance(came, Performed):
                errand.late(said_without(scrub, came))
            elif not takes_long(came.result):
                errand.late(without(scrub, came))
            else:
                # A loop that is closed belongs to a process that stops: nobody hears of it.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(loop.run_in_executor, None, lambda: errand.late(without(scrub, came)))

        try:
            line: Line | None = LineWithout(errand.line, scrub) if errand.line is not None else None
            performed = await self.tool.perform(replace(errand, secret=secret, secrets=secrets, late=late, line=line))
        except Exception as error:  # noqa: BLE001  whatever it raised, the secret may be in it
            # Nothing of what it was raised from goes along: it may show the secret to whoever prints it.
            raise said_without(scrub, error) from None
        if not takes_long(performed.result):
            return without(scrub, performed)
        work = asyncio.ensure_future(asyncio.to_thread(without, scrub, performed))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # It has happened, and comes late.
            work.add_done_callback(lambda done: errand.late(done.result()))
            raise

    async def _fetched(self, errand: Errand, name: str) -> Secret:
        caller = errand.action.caller
        try:
            return await self.broker.secret(caller.tenant, caller.workflow, caller.environment, name)
        except SecretError as error:
            raise unsent_for(error) from error
        except asyncio.CancelledError as error:
            what = f"the secret `{name}` did not come in time, so nothing was sent"
            raise UpstreamFailed(what, fix="look where it is kept: `interlock secret check`") from error


def _scrubber_of(*secrets: Secret) -> Scrubber:
    """Return what takes out all of them at once: one after the other, a part of one could hide the rest of another."""
    names = sorted({secret.name for secret in secrets})
    return scrubber(" or ".join(names), tuple(text for secret in secrets for text in secret.hidden))


@dataclass(frozen=True, slots=True)
class LineWithout:
    """The way back to whoever asked, on which the secret does not go."""

    line: Line
    scrub: Scrubber

    def can(self, server: str) -> frozenset[str]:
        return self.line.can(server)

    def hears(self) -> tuple[bool, str | None]:
        return self.line.hears()

    def lacks(self, capability: str) -> None:
        self.line.lacks(capability)

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
        """Have questions answered that have lost the secret.

        Raises:
            UpstreamFailed: one of them was refused, or is not answered.
        """
        return await self.line.ask({name: await self._question(each) for name, each in questions.items()})

    async def relay(self, question: Question) -> Json:
        """Put a question that has lost the secret.

        Raises:
            UpstreamFailed: it is not answered.
        """
        return await self.line.relay(await self._question(question))

    def tell(self, method: str, params: JsonObject) -> None:
        """Pass on what has lost the secret. What takes long to look through, or cannot be, is not passed on."""
        if not takes_long(dict(params)):
            left = without(self.scrub, Performed(result=dict(params))).result
            if isinstance(left, Mapping):
                self.line.tell(method, left)

    async def _question(self, question: Question) -> Question:
        said = Performed(result=dict(question.params))
        left = (await aside(said.result, lambda: without(self.scrub, said))).result
        if not isinstance(left, Mapping):
            raise UpstreamFailed("what is asked cannot be looked through for the secret", fix="ask it in fewer levels")
        return replace(question, params=left)


async def aside(value: Json | Unreadable, look: Callable[[], Left]) -> Left:
    """Look through a value: beside the loop, if that takes long."""
    return await asyncio.to_thread(look) if takes_long(value) else look()


def unsent_for(error: SecretError) -> UpstreamFailed:
    """Say that nothing was sent for want of a secret. Where a person has to log in, the record says how."""
    how = f": {error.fix}" if isinstance(error, LoginNeeded) else ""
    return UpstreamFailed(f"{error}, so nothing was sent{how}", fix=error.fix)


def without(scrub: Scrubber, performed: Performed) -> Performed:
    """Take a secret out of what a tool answered."""
    if isinstance(performed.result, Unreadable):
        return performed
    try:
        return replace(performed, result=scrub.json(performed.result))
    except (RecursionError, TypeError, AttributeError):
        # It has happened. What cannot be looked through is told as unreadable.
        return replace(performed, result=Unreadable())


def takes_long(value: Json | Unreadable) -> bool:
    """Whether nobody should wait on a loop for a value to be looked through."""
    try:
        return not isinstance(value, Unreadable) and is_long(value)
    except (RecursionError, TypeError, AttributeError):
        return False


def said_without(scrub: Scrubber, error: Exception) -> UpstreamError:
    """Take a secret out of what a tool raised; what is no word of a tool is silence."""
    if not isinstance(error, UpstreamError):
        return UpstreamSilent(scrub.text(f"the tool raised {type(error).__name__}"), fix="look at what it did")
    message, fix = scrub.text(str(error)), scrub.text(error.fix)
    said = scrub.text(error.said, cut=len(error.said) >= SAID_CHARS_MAX)
    kind = UpstreamFailed if isinstance(error, UpstreamFailed) else UpstreamSilent
    return kind(message, fix=fix, said=said, reason=error.reason, pictures=error.pictures)
