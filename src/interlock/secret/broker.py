"""The broker: finds the secret of a tool where its environment keeps it, as it is about to be sent.

What blocks runs in a few threads and never on the loop, one fetch at a time for each secret. A secret from elsewhere is
remembered for seconds, one from the file not at all: who changes it changes it for the next call.
"""

import asyncio
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Protocol

from interlock.core.errors import SecretError, UsageWrong
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.limits import SECRET_FETCHES_MAX, SECRET_KEPT_SECONDS, SECRET_SECONDS_MAX
from interlock.core.secret import Secret
from interlock.ports import Clock
from interlock.secret.kept import OAuth, SecretId, Source, Text, Value
from interlock.secret.oauth import Tokens

_KEPT_MAX = 10_000


class Sources(Protocol):
    """Where secrets are kept, by environment."""

    def is_local(self, environment: str) -> bool:
        """Whether looking there takes no longer than reading a small file.

        Raises:
            UsageWrong: nobody can tell.
        """
        ...

    def of(self, environment: str) -> Source:
        """Return where an environment keeps its secrets. It may take as long as an import.

        Raises:
            UsageWrong: there is no such source.
        """
        ...


class SecretBroker:
    """Hands out secrets, each to the one workflow and environment that it belongs to."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        """Put a broker before sources.

        Args:
            sources: which environment keeps its secrets where.
            clock: says how long something has been remembered.
        """
        self._sources = sources
        self._boot = clock.boot
        self._tokens = Tokens(clock)
        self._kept: dict[SecretId, tuple[int, Value]] = {}
        self._coming: dict[SecretId, Future[Secret]] = {}
        self._turn = Lock()

    async def secret(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> Secret:
        """Fetch a secret as it is now.

        Raises:
            SecretUnknown: this workflow has none of that name in this environment.
            SecretUnreachable: where it is kept does not answer, or not as it should.
        """
        id = SecretId(tenant=tenant, workflow=workflow, environment=environment, name=name)
        known = self._at_hand(id)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(SECRET_SECONDS_MAX):
                return await asyncio.wrap_future(self._begun(id))
        except TimeoutError as error:
            raise id.unreachable(f"did not come within {SECRET_SECONDS_MAX} s", _LOOK) from error

    def refused(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> None:
        """Hear that the other side did not take a secret. A token that was bought is not used any more."""
        self._tokens.forget(SecretId(tenant=tenant, workflow=workflow, environment=environment, name=name))

    def where(self, environment: Environment) -> str:
        """Say where an environment keeps its secrets.

        Raises:
            UsageWrong: the settings cannot be meant, or what the source stands on is not installed.
        """
        return self._sources.of(environment).name

    def look(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> None:
        """See whether a secret is there. It may block.

        Raises:
            SecretUnknown: this workflow has none of that name in this environment.
            SecretUnreachable: where it is kept does not answer, or not as it should.
        """
        id = SecretId(tenant=tenant, workflow=workflow, environment=environment, name=name)
        self._source(id).find(id)

    def _source(self, id: SecretId) -> Source:
        try:
            return self._sources.of(id.environment)
        except UsageWrong as error:
            raise id.unreachable(f"cannot be fetched: {error}", error.fix) from error

    def _at_hand(self, id: SecretId) -> Secret | None:
        """Return what can be had without waiting."""
        try:
            local = self._sources.is_local(id.environment)
        except UsageWrong as error:
            raise id.unreachable(f"cannot be fetched: {error}", error.fix) from error
        value = self._source(id).find(id) if local else self._remembered(id)
        match value:
            case Text():
                return Secret(id.name, value.text)
            case OAuth():
                return self._tokens.at_hand(id, value)
            case None:
                return None

    def _remembered(self, id: SecretId) -> Value | None:
        until, value = self._kept.get(id, (0, None))
        return value if self._boot() < until else None

    def _begun(self, id: SecretId) -> "Future[Secret]":
        """Begin to fetch a secret, unless somebody has."""
        with self._turn:
            coming = self._coming.get(id)
            if coming is not None:
                return coming
            if len(self._coming) >= SECRET_FETCHES_MAX:
                raise id.unreachable("cannot be fetched: too many are being waited for", _LOOK)
            future: Future[Secret] = Future()
            future.set_running_or_notify_cancel()  # from here on nobody who leaves takes it from the others
            self._coming[id] = future
        try:
            # A daemon: one that hangs keeps nobody from leaving.
            Thread(target=self._fetch, args=(id, future), name="interlock-secret", daemon=True).start()
        except RuntimeError as error:
            self._coming.pop(id)
            raise id.unreachable("cannot be fetched: no thread can be started", "call again later") from error
        return future

    def _fetch(self, id: SecretId, future: "Future[Secret]") -> None:
        try:
            fetched: Secret | Exception = self._fetched(id)
        except SecretError as error:
            fetched = error
        except BaseException as error:  # noqa: BLE001  a library broke; what it says may hold the secret
            fetched = id.unreachable(f"cannot be fetched: its source broke ({type(error).__name__})", _LOOK)
        with self._turn:
            self._coming.pop(id)
        if isinstance(fetched, Secret):
            future.set_result(fetched)
        else:
            future.set_exception(fetched)

    def _fetched(self, id: SecretId) -> Secret:
        source = self._source(id)
        value = self._remembered(id) or source.find(id)
        if not self._sources.is_local(id.environment):
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[id] = self._boot() + SECRET_KEPT_SECONDS * 1_000_000, value
        match value:
            case Text():
                return Secret(id.name, value.text)
            case OAuth():
                return self._tokens.at_hand(id, value) or self._tokens.bought(id, value, source)


_LOOK = "look whether it can be reached: `interlock secret check`"
