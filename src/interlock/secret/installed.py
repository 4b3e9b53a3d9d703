"""The secrets of this installation: where its settings say that they are kept. Looking makes no file and no folder."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from interlock.ports import Clock
from interlock.secret.box import Box
from interlock.secret.broker import SecretBroker
from interlock.secret.environment import FromEnvironment
from interlock.secret.kept import Source
from interlock.secret.keyring import load_seed
from interlock.secret.sealed_file import SealedFile
from interlock.secret.settings import SourceName, read_settings


def broker_of(keys: Path, clock: Clock) -> SecretBroker:
    """Make what hands secrets out.

    Args:
        keys: the folder of the keys, with the encrypted file and the settings.
        clock: says how long something has been remembered.

    Raises:
        UsageWrong: the settings cannot be read.
    """
    sources: Mapping[SourceName, Source] = {"file": sealed_file(keys), "environment": FromEnvironment(os.environ)}
    return SecretBroker(read_settings(keys), sources, clock.boot)


def sealed_file(keys: Path) -> SealedFile:
    """Name the encrypted file. Setting the first secret makes it, with the master seed if there is none yet."""
    return SealedFile(keys, Box(partial(load_seed, keys / "master.seed")))
