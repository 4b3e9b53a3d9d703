"""A door without a lock: it calls the tools as it is told, which is what most agents have. The demo compares with it.

Every call gets a key of its own, as a client library draws it, so that a retry is a new call to the provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from inspect import signature
from typing import cast

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock_demo.talk import Json, Reply
from interlock_demo.tools import TOOLS


@dataclass(slots=True)
class TrustingDoor:
    """Carries out whatever it is asked for, on the company that the environment names."""

    calls: int = 0

    async def call(self, run: str, tool: str, arguments: Mapping[str, Json], *, key: str | None = None) -> Reply:
        """Call the tool and tell how it ended."""
        self.calls += 1
        action = f"{run}.{self.calls}"
        function = TOOLS.get(tool)
        if function is None:
            return Reply(status="failed", action=action)
        named: dict[str, object] = dict(arguments)
        if tool == "create_refund":
            named |= {"amount_usd": Decimal(str(arguments.get("amount_usd"))), "idempotency_key": key or action}
        try:
            signature(function).bind(**named)
        except TypeError:
            return Reply(status="failed", action=action)
        try:
            return Reply(status="done", action=action, result=cast("Json", function(**named)))
        except UpstreamFailed:
            return Reply(status="failed", action=action)
        except UpstreamSilent:
            return Reply(status="uncertain", action=action)
