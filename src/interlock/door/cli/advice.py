"""Commands in advice, with the options that were typed: without them they would be about another store."""

import shlex

from interlock.core.ids import TenantId
from interlock.door.cli.screen import Typed

ADOPT = "ledger adopt"
_SAID = "`interlock ledger adopt`"


def as_typed(typed: Typed, command: str, tenant: TenantId) -> str:
    """Write a command as it is typed for a tenant of this store, with the options that this line had."""
    settings, given = typed.settings, typed.given
    options: list[str] = []
    if hasattr(given, "store") and settings.shown == settings.store:  # else it has a password
        options.append(f"--store {shlex.quote(settings.store)}")
    if hasattr(given, "keys"):
        options.append(f"--keys {shlex.quote(str(settings.keys))}")
    if tenant != settings.tenant or settings.tenant_said:
        options.append(f"--tenant {shlex.quote(tenant)}")
    return f"`{' '.join(['interlock', command, *options])}`"


def advised(typed: Typed, fix: str, tenant: str = "") -> str:
    """Write an advice to adopt as it is typed: whoever adopts has restored, and often elsewhere than by default."""
    return fix.replace(_SAID, as_typed(typed, ADOPT, TenantId(tenant or typed.settings.tenant)))
