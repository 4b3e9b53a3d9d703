"""Settings, read once from the environment and the command line, and handed down as values."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interlock.core.errors import UsageWrong
from interlock.core.ids import TenantId

DEMO = TenantId("demo")
"""The one tenant for which `--as NAME` is believed. A real one never has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the store and its keys are, and whose data is meant."""

    store: str
    """The path of a SQLite file, or a Postgres address."""
    keys: Path
    tenant: TenantId
    tenant_said: bool
    """Whether somebody named the tenant, or it is the default."""
    json: bool
    logins: Path
    """The folder of whoever types in which their logins are kept."""

    @property
    def file(self) -> Path | None:
        """The database file; nothing where the store is Postgres."""
        return None if self.store.startswith(("postgresql://", "postgres://")) else Path(self.store)

    @property
    def shown(self) -> str:
        """The store as it may be shown: without a password."""
        return re.sub(r"(?<=://)([^/@]*)@", "...@", self.store) if self.file is None else self.store


def settings(
    environment: Mapping[str, str],
    *,
    store: str | None = None,
    keys: str | None = None,
    tenant: str | None = None,
    json: bool = False,
) -> Settings:
    """Take each setting from the command line, else from the environment, else the default.

    Raises:
        UsageWrong: one of them cannot be meant.
    """
    where = store or environment.get("INTERLOCK_STORE") or ".interlock/interlock.db"
    name = tenant or environment.get("INTERLOCK_TENANT")
    if "://" in where and not where.startswith(("postgresql://", "postgres://")):
        raise UsageWrong("the store is neither a file nor a Postgres address", fix="write `postgresql://HOST/NAME`")
    if name is not None and not _NAME.fullmatch(name):
        raise UsageWrong(f"`{name}` is not the name of a tenant", fix="use letters, digits, `_`, `.` and `-`")
    return Settings(
        store=where,
        keys=Path(keys or environment.get("INTERLOCK_KEYS") or ".interlock/keys"),
        tenant=TenantId(name or "default"),
        tenant_said=name is not None,
        json=json,
        logins=_logins(environment),
    )


def _logins(environment: Mapping[str, str]) -> Path:
    said = environment.get("INTERLOCK_LOGINS")
    if said:
        if not Path(said).is_absolute():
            # From another folder it would be another one, and whoever has logged in somebody else.
            raise UsageWrong("`INTERLOCK_LOGINS` is no whole path", fix="write it from `/` on")
        return Path(said)
    own = Path(environment.get("XDG_CONFIG_HOME", ""))
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    # Whoever has no home has nothing kept there.
    base = own if own.is_absolute() else home / ".config" if home.is_absolute() else Path("/.config")
    return base / "interlock" / "logins"


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
