"""The broker: finds the secret of a tool where its environment keeps it, as it is about to be sent.

What blocks runs in a few threads and never on the loop, one fetch at a time for each secret. A secret from elsewhere is
remembered for seconds, one from the file not at all: who changes it changes it for the next call.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Lock, Thread

from interlock.core.errors import SecretError
from interlock.core.ids import Environment, Micros, TenantId, WorkflowId
from interlock.core.limits import SECRET_FETCHES_MAX, SECRET_KEPT_SECONDS, SECRET_SECONDS_MAX
from interlock.core.secret import Secret
from interlock.secret.kept import OAuth, SecretId, Source, Text, Value
from interlock.secret.settings import Settings, SourceName

_KEPT_MAX = 10_000


class SecretBroker:
    """Hands out secrets, each to the one workflow and environment that it belongs to."""

    def __init__(self, settings: Settings, sources: Mapping[SourceName, Source], boot: Callable[[], Micros]) -> None:
        """Put a broker before the sources that the settings name.

        Args:
            settings: which environment keeps its secrets where.
            sources: each of them by its name.
            boot: the time since the machine started.
        """
        self._settings = settings
        self._sources = sources
        self._boot = boot
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
            why = f"did not come from {self.source(environment).name} within {SECRET_SECONDS_MAX} s"
            raise id.unreachable(why, _LOOK) from error

    def source(self, environment: Environment) -> Source:
        """Return where an environment keeps its secrets."""
        return self._sources[self._settings.of(environment)]

    def look(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> None:
        """See whether a secret is there. It may block.

        Raises:
            SecretUnknown: this workflow has none of that name in this environment.
            SecretUnreachable: where it is kept does not answer, or not as it should.
        """
        id = SecretId(tenant=tenant, workflow=workflow, environment=environment, name=name)
        self.source(environment).find(id)

    def _at_hand(self, id: SecretId) -> Secret | None:
        """Return what can be had without waiting."""
        source = self.source(id.environment)
        value = source.find(id) if source.local else self._remembered(id)
        return Secret(id.name, value.text) if isinstance(value, Text) else None

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
            what = f"cannot be fetched: {self.source(id.environment).name} broke ({type(error).__name__})"
            fetched = id.unreachable(what, _LOOK)
        with self._turn:
            self._coming.pop(id)
        if isinstance(fetched, Secret):
            future.set_result(fetched)
        else:
            future.set_exception(fetched)

    def _fetched(self, id: SecretId) -> Secret:
        source = self.source(id.environment)
        value = self._remembered(id) or source.find(id)
        if not source.local:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[id] = self._boot() + SECRET_KEPT_SECONDS * 1_000_000, value
        match value:
            case Text():
                return Secret(id.name, value.text)
            case OAuth():
                raise id.unreachable("buys access tokens, which this version cannot", "set the text that is sent")


_LOOK = "look whether it can be reached: `interlock secret check`"
