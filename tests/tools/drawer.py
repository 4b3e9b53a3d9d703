"""A broker with a secret, a canary, that can be empty, or stuck."""

import asyncio
from dataclasses import dataclass, field

from interlock.core.errors import SecretError
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.secret import Secret

CANARY = "sk_live_C4narY/51+x="


@dataclass
class Drawer:
    """A broker with one secret for every name that has none of its own. It can be empty, or stuck."""

    text: str = CANARY
    texts: dict[str, str] = field(default_factory=dict[str, str])
    """Of secrets that are another one, by their names."""
    wrong: SecretError | None = None
    stuck: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    async def secret(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> Secret:
        self.asked.append((tenant, workflow, environment, name))
        if self.stuck:
            await asyncio.Event().wait()
        if self.wrong is not None:
            raise self.wrong
        return Secret(name, self.texts.get(name, self.text))

    def refused(self, tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> None:
        pass
