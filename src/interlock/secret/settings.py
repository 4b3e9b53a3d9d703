"""Where each environment keeps its secrets: `secrets.yaml` in the folder of the keys. It holds no secret itself."""

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from interlock.core.errors import UsageWrong

FILE = "secrets.yaml"
SourceName = Literal["file", "environment"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file says. Without one, every environment keeps its secrets in the encrypted file."""

    source: SourceName = "file"
    environments: dict[str, SourceName] = {}
    """Those that keep them elsewhere than `source` says."""

    def of(self, environment: str) -> SourceName:
        return self.environments.get(environment, self.source)


def read_settings(folder: Path) -> Settings:
    """Read the file, if there is one.

    Raises:
        UsageWrong: it cannot be read, or says something that is not known.
    """
    path = folder / FILE
    fix = f"correct `{path}`: see `docs/secrets.md`"
    try:
        read: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        return msgspec.convert(read if read is not None else {}, type=Settings)
    except FileNotFoundError:
        return Settings()
    except msgspec.ValidationError as error:
        raise UsageWrong(f"`{path}` cannot be meant: {error}", fix=fix) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UsageWrong(f"`{path}` cannot be read ({type(error).__name__})", fix=fix) from error
