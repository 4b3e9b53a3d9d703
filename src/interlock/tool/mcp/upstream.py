"""Servers that are kept: each reached at its first use, made anew when it is lost, and never shared between tenants.

A server that names secrets is one for each workflow and environment too, because a secret belongs to those.
"""

import asyncio
from collections.abc import Awaitable, Callable

from interlock.core.action import Caller
from interlock.core.errors import UpstreamError
from interlock.core.ids import TenantId
from interlock.core.limits import (
    MCP_BACKOFF_SECONDS_MAX,
    MCP_CONNECT_SECONDS_MAX,
    MCP_IDLE_SECONDS,
    MCP_LISTED_SECONDS_MAX,
)
from interlock.tool.mcp.credentials import Secrets, fetched, revealed
from interlock.tool.mcp.link import Link, LoginWanted, unsent
from interlock.tool.mcp.listening import Listening, Tell
from interlock.tool.mcp.reach import Place, Reach, Revealed, Whose
from interlock.tool.mcp.session import Session, begun
from interlock.tool.with_secret import Broker

_SHORT_LIFE_SECONDS = 30
"""A server that is lost sooner is not made anew at once, again and again."""
_PAUSE_SECONDS = 0.2

Make = Callable[[Reach, Revealed, Whose], Awaitable[Link]]
"""Makes a link to a server, with the secrets that it names, and whose they are."""


class Upstreams:
    """All servers that are kept, on one loop."""

    def __init__(self, make: Make, broker: Broker | None, tell: Tell) -> None:
        self._make = make
        self._tell = tell
        self._broker = broker
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: dict[tuple[str, ...], Upstream] = {}

    def of(self, caller: Caller, reach: Reach) -> "Upstream":
        """Return the server that is this caller's. Those of a loop that has ended are forgotten."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self.close()
            self._loop = loop
        place = (caller.workflow, caller.environment)
        key = (caller.tenant, reach.hash, *(place if reach.secrets else ()))
        if key not in self._kept:
            self._kept[key] = Upstream(reach, self._make, self._broker, caller, self._tell)
        upstream = self._kept[key]
        if place not in upstream.places:
            self._meant_by(place, upstream, caller.tenant)
        return upstream

    def _meant_by(self, place: Place, upstream: "Upstream", tenant: TenantId) -> None:
        """Have those of a place reach a server in this way, and in no other: their contract says so by now."""
        upstream.places.add(place)
        for key, each in self._kept.items():
            if key[0] == tenant and each.name == upstream.name and each is not upstream and place in each.places:
                each.places.remove(place)
                upstream.take_over(each, place)
                if not each.places and self._loop is not None:
                    self._loop.call_later(MCP_IDLE_SECONDS, self._end_idle)

    def _end_idle(self) -> None:
        """End the servers that no contract means any more, as far as it was heard, and that nobody has called since."""
        for key, each in tuple(self._kept.items()):
            if each.idle:
                each.retire()
                del self._kept[key]

    def close(self) -> None:
        for each in self._kept.values():
            each.close()
        self._kept.clear()


class Upstream:
    """One server, for whoever may use it."""

    def __init__(self, reach: Reach, make: Make, broker: Broker | None, caller: Caller, tell: Tell) -> None:
        self._reach = reach
        self._make = make
        self._broker = broker
        self._of = (caller.tenant, caller.workflow, caller.environment)
        self._now = asyncio.get_running_loop().time
        self._session: Session | None = None
        self.secrets: Secrets = {}
        """What it was given, so that it can be taken out of what it says."""
        self._coming: asyncio.Task[Session] | None = None
        self._begun_at = 0.0
        self._used_at = self._now()
        self._failures = 0
        self._not_before = 0.0
        self._listening = Listening(reach.server, caller.tenant, tell)
        self.places: set[Place] = set()
        """Where contracts are in force that mean it, as far as somebody there has called it."""

    @property
    def name(self) -> str:
        return self._reach.server

    @property
    def idle(self) -> bool:
        """Whether nobody means it any more, and nothing has been asked of it for longer than any call takes."""
        return not self.places and self._now() - self._used_at >= MCP_IDLE_SECONDS

    async def ready(self) -> Session:
        """Return the server, there and with its tools as they are now.

        Raises:
            UpstreamFailed: it is not there, or a secret cannot be had; nothing was sent.
        """
        self._used_at = self._now()
        secrets = await fetched(self._reach, self._broker, self._of)
        if self._session is not None and revealed(self._reach, secrets) != revealed(self._reach, self.secrets):
            # What it was started with counts no longer. What is under way with it ends as it began.
            self._session.link.retire()
            self._session = None
        session = self._session
        if session is not None and session.link.alive and not self._stale(session):
            return session
        if self._coming is None:
            # Whoever comes meanwhile waits for the one who began; who leaves stops nobody else's.
            self.secrets = secrets
            self._coming = asyncio.create_task(self._renewed())
            self._coming.add_done_callback(self._came)
        return await asyncio.shield(self._coming)

    def _stale(self, session: Session) -> bool:
        return session.link.tools_changed or self._now() - session.listed_at > MCP_LISTED_SECONDS_MAX

    def _came(self, coming: "asyncio.Task[Session]") -> None:
        self._coming = None
        # Everybody who waited may have left.
        _ = coming.cancelled() or coming.exception()

    async def _renewed(self) -> Session:
        """Look again at what the server lists, or make it anew."""
        session = self._session
        if session is not None and session.link.alive:
            try:
                async with asyncio.timeout(MCP_CONNECT_SECONDS_MAX):
                    await session.list_tools()
            except (UpstreamError, TimeoutError):
                session.link.retire()
            else:
                return session
        self._session = None
        if session is not None:
            short = self._now() - self._begun_at < _SHORT_LIFE_SECONDS
            self._failures = self._failures + 1 if short else 1
            self._pause(self._failures - 1)
        return await self._made()

    async def _made(self) -> Session:
        left = self._not_before - self._now()
        if left > 0:
            raise unsent(self._reach.server, f"is down and is tried again in {left:.1f} s")
        self._begun_at = self._now()
        secrets = revealed(self._reach, self.secrets)
        try:
            async with asyncio.timeout(MCP_CONNECT_SECONDS_MAX):
                self._session = await begun(self._linking(secrets), self._reach, self._now)
        except TimeoutError as error:
            self._failed()
            why = f"did not say within {MCP_CONNECT_SECONDS_MAX} s what it is"
            raise unsent(self._reach.server, why) from error
        except UpstreamError as error:
            self._failed()
            self.noted(error)
            raise
        self._listening.begin(self._session)
        return self._session

    def noted(self, error: UpstreamError) -> None:
        """Use a token no more that the server does not take: with the next call another one is bought."""
        if isinstance(error, LoginWanted) and not error.taken and self._broker is not None:
            for name in self._reach.secrets:
                self._broker.refused(*self._of, name)

    def _linking(self, secrets: Revealed) -> Callable[[], Awaitable[Link]]:
        return lambda: self._make(self._reach, secrets, self._of)

    async def watch(self, session: Session, uri: str, place: Place) -> None:
        """Tell those of a place of changes of a resource from now on.

        Raises:
            UpstreamFailed: the server does not tell of it.
        """
        await self._listening.watch(session, uri, place)

    def take_over(self, other: "Upstream", place: Place) -> None:
        """Watch what those of a place watched at another server, which was reached in another way."""
        self._listening.take_over(self._session, other._listening.give_up(place), place)

    def _failed(self) -> None:
        self._failures += 1
        self._pause(self._failures)

    def _pause(self, times: int) -> None:
        seconds = min(_PAUSE_SECONDS * 2**times, MCP_BACKOFF_SECONDS_MAX) if times else 0.0
        self._not_before = self._now() + seconds

    def retire(self) -> None:
        """End it once nothing is waited for any more."""
        self._listening.end()
        if self._session is not None:
            self._session.link.retire()

    def close(self) -> None:
        self._listening.end()
        if self._session is not None:
            self._session.link.close()
