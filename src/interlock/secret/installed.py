"""The secrets of this installation: where its settings say that they are kept. Looking makes no file and no folder."""

import os
from functools import cached_property, partial
from pathlib import Path
from threading import Lock

from interlock.ports import Clock
from interlock.secret.box import Box
from interlock.secret.broker import SecretBroker
from interlock.secret.environment import FromEnvironment
from interlock.secret.kept import Source
from interlock.secret.keyring import load_seed
from interlock.secret.sealed_file import SealedFile
from interlock.secret.settings import Settings, SourceName, read_settings


def broker_of(keys: Path, clock: Clock) -> SecretBroker:
    """Make what hands secrets out. Settings and sources are looked at with the first secret, and not before.

    Args:
        keys: the folder of the keys, with the encrypted file and the settings.
        clock: says how long something has been remembered.
    """
    return SecretBroker(Installed(keys), clock)


def sealed_file(keys: Path) -> SealedFile:
    """Name the encrypted file. Setting the first secret makes it, with the master seed if there is none yet."""
    return SealedFile(keys, box_of(keys))


def box_of(keys: Path) -> Box:
    """Name what encrypts on this machine, for whoever has the master seed."""
    return Box(partial(load_seed, keys / "master.seed"))


class Installed:
    """The sources of an installation, each made when it is needed: what they stand on takes long to import."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._made: dict[SourceName, Source] = {}
        self._turn = Lock()

    @cached_property
    def _settings(self) -> Settings:
        return read_settings(self._keys)

    def is_local(self, environment: str) -> bool:
        """Whether looking there takes no longer than reading a small file.

        Raises:
            UsageWrong: the settings cannot be meant.
        """
        return self._settings.of(environment) in ("file", "environment")

    def of(self, environment: str) -> Source:
        """Return where an environment keeps its secrets.

        Raises:
            UsageWrong: the settings cannot be meant, or what the source stands on is not installed.
        """
        name = self._settings.of(environment)
        with self._turn:
            if name not in self._made:
                self._made[name] = self._source(name)
            return self._made[name]

    def _source(self, name: SourceName) -> Source:
        match name:
            case "file":
                return sealed_file(self._keys)
            case "environment":
                return FromEnvironment(os.environ)
            case "vault":
                # What both of these stand on is an extra, and takes longer to import than a command to begin.
                from interlock.secret.vault import FromVault  # noqa: PLC0415

                assert self._settings.vault is not None, "settings that name Vault say where it is"
                return FromVault(self._settings.vault)
            case "aws":
                from interlock.secret.aws import FromAws  # noqa: PLC0415

                return FromAws(self._settings.aws)
