"""What upstream servers say has changed, for whoever listens in this process. A hint: whoever hears it looks again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from interlock.core.ids import TenantId


class Hint(Struct, frozen=True, kw_only=True):
    """One thing that a server said."""

    tenant: TenantId
    server: str
    """The server, as the contracts of the tenant name it."""
    method: str
    """The notification as the protocol names it: `notifications/prompts/list_changed`."""
    uri: str = ""
    """The resource that changed, where it is about one."""


Hear = Callable[[Hint], None]


@dataclass(slots=True)
class Hints:
    """Brings what is said to those who listen. What nobody hears is lost."""

    _listening: dict[object, tuple[TenantId, Hear]] = field(default_factory=dict[object, tuple[TenantId, Hear]])

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listening)

    def listen(self, tenant: TenantId, hear: Hear) -> Callable[[], None]:
        """Have `hear` called with what is said to a tenant, until what is returned is called."""
        place = object()
        self._listening[place] = (tenant, hear)

        def stop() -> None:
            self._listening.pop(place, None)

        return stop

    def tell(self, hint: Hint) -> None:
        """Say it to all who listen for this tenant."""
        for tenant, hear in tuple(self._listening.values()):
            if tenant == hint.tenant:
                hear(hint)
