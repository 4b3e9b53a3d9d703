"""Tools of MCP servers: `mcp:SERVER/TOOL`. A call is sent once, to a server whose tool is what was reviewed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import UpstreamError, UpstreamFailed
from interlock.core.mcp import UNWATCH, WATCH
from interlock.ports import Performer
from interlock.tool.mcp.back import Back, Unanswered
from interlock.tool.mcp.beside import LOOKED_UP, PUT, asked_for, looked_up, put
from interlock.tool.mcp.credentials import answer_without, error_without
from interlock.tool.mcp.links import Links
from interlock.tool.mcp.listening import Tell, nobody_told
from interlock.tool.mcp.reach import PREFIX, Definition
from interlock.tool.mcp.result import performed, wrong
from interlock.tool.mcp.session import Session
from interlock.tool.mcp.upstream import Upstream, Upstreams
from interlock.tool.plan import plan_of
from interlock.tool.slots import Slots, SlotsOf, ending_of
from interlock.tool.with_secret import Broker

_REVIEW = "look at what changed: `interlock tools review FILE --env ENV`, then publish again"


class McpTools:
    """Finds tools of servers by the name that a contract gives them."""

    def __init__(
        self, broker: Broker | None = None, *, hidden: tuple[Path, ...] = (), tell: Tell = nobody_told
    ) -> None:
        """Be ready to reach servers. None is reached before its first use.

        Args:
            broker: hands out the secrets that servers need.
            hidden: folders that no server sees that runs in a sandbox here.
            tell: takes what servers say has changed.
        """
        self._links = Links(hidden=hidden)
        self._upstreams = Upstreams(self._links.make, broker, tell)
        self._slots = SlotsOf()
        self._work: set[asyncio.Task[Performed]] = set()

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this tool for this owner. It connects to nobody.

        Raises:
            ContractInvalid: another version pinned it.
        """
        if not source.startswith(PREFIX):
            return None
        return McpTool(
            definition=plan_of(terms.how, Definition),
            slots=self._slots.find(terms, source),
            upstreams=self._upstreams,
            work=self._work,
        )

    def close(self) -> None:
        """End every server that was started here, and every call with it."""
        self._upstreams.close()
        self._links.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class McpTool:
    """Carries out one tool of one server."""

    definition: Definition
    slots: Slots
    upstreams: Upstreams
    work: "set[asyncio.Task[Performed]]"

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Send the call and wait for what comes back. Who stops waiting for a write leaves it its slot until it ends.

        Raises:
            UpstreamFailed: it did not happen.
            UpstreamSilent: nobody knows.
        """
        self.slots.take()
        call = _Call(self, errand)
        work = asyncio.create_task(call.carry())
        self.work.add(work)
        work.add_done_callback(self._ended)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            call.given_up = True
            if errand.action.effect is EffectClass.READ:
                work.cancel()
            else:
                work.add_done_callback(lambda ended: ended.cancelled() or errand.late(ending_of(ended)))
            raise

    def _ended(self, work: "asyncio.Task[Performed]") -> None:
        self.work.discard(work)
        self.slots.give_back()


@dataclass(slots=True)
class _Call:
    """One call, and whether somebody still waits for it."""

    tool: McpTool
    errand: Errand
    given_up: bool = False

    async def carry(self) -> Performed:
        definition, errand = self.tool.definition, self.errand
        if definition.tool in PUT:
            return await put(errand, definition.tool)
        action = errand.action
        upstream = self.tool.upstreams.of(action.caller, definition.reach)
        session = await upstream.ready()
        secrets = upstream.secrets
        try:
            back = Back.of(definition.reach.server, errand.line, secrets)
            if definition.tool in LOOKED_UP:
                return await answer_without(secrets, await self._looked_up(upstream, session, back))
            as_reviewed(session, definition)
            answer = await session.call(definition.tool, errand.arguments, errand.key, back=back, before=self._before)
            return await answer_without(secrets, performed(answer, definition, action.effect))
        except Unanswered as error:
            # It had begun, and waits for an answer that does not come.
            raise error_without(secrets, wrong(definition, action.effect, str(error))) from None
        except UpstreamError as error:
            upstream.noted(error)
            # Nothing of what it was raised from goes along: it may show a secret to whoever prints it.
            raise error_without(secrets, error) from None

    async def _looked_up(self, upstream: Upstream, session: Session, back: Back) -> Performed:
        definition = self.tool.definition
        method, about, given = asked_for(self.errand)
        if method in (WATCH, UNWATCH):
            self._before()
            if method == WATCH:
                caller = self.errand.action.caller
                await upstream.watch(session, given.get("uri", ""), (caller.workflow, caller.environment))
            return Performed(result={})
        answer = await session.look(method, about, given, back=back, before=self._before)
        return looked_up(answer, definition, method)

    def _before(self) -> None:
        if self.given_up:
            raise UpstreamFailed("nobody waits any more, so nothing was sent", fix="call again")
        self.errand.check_lease()


def as_reviewed(session: Session, definition: Definition) -> None:
    """See that a tool is what somebody looked at.

    Raises:
        UpstreamFailed: it is gone, or says something else of itself.
    """
    offer = session.offers.get(definition.tool)
    if offer is None or offer.pin != definition.pin:
        name = f"`{definition.reach.server}/{definition.tool}`"
        what = "is gone" if offer is None else "is not what was reviewed"
        raise UpstreamFailed(f"{name} {what}, so nothing was sent", fix=_REVIEW)
