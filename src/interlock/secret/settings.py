"""Where each environment keeps its secrets: `secrets.yaml` in the folder of the keys. It holds no secret itself."""

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from interlock.core.errors import UsageWrong
from interlock.secret.template import DEFAULT

FILE = "secrets.yaml"
SourceName = Literal["file", "environment", "vault", "aws"]


class VaultSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Vault is, what lies where in it, and what opens it: a token, or a role."""

    url: str
    mount: str = "secret"
    path: str = DEFAULT
    field: str = "value"
    """The member that is sent of what lies under a path; with a `token_url`, tokens are bought with all of it."""
    token_file: str = ""
    token_variable: str = "VAULT_TOKEN"  # noqa: S105  a name
    role_id: str = ""
    secret_id_file: str = ""
    namespace: str = ""
    ca_file: str = ""


class AwsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where AWS is, and what is called how there."""

    region: str = ""
    profile: str = ""
    endpoint: str = ""
    path: str = DEFAULT


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file says. Without one, every environment keeps its secrets in the encrypted file."""

    source: SourceName = "file"
    environments: dict[str, SourceName] = {}
    """Those that keep them elsewhere than `source` says."""
    vault: VaultSettings | None = None
    aws: AwsSettings = AwsSettings()

    def of(self, environment: str) -> SourceName:
        return self.environments.get(environment, self.source)

    @property
    def named(self) -> frozenset[SourceName]:
        return frozenset({self.source, *self.environments.values()})


def read_settings(folder: Path) -> Settings:
    """Read the file, if there is one.

    Raises:
        UsageWrong: it cannot be read, or says something that is not known.
    """
    path = folder / FILE
    fix = f"correct `{path}`: see `interlock help secrets`"
    try:
        read: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = msgspec.convert(read if read is not None else {}, type=Settings)
    except FileNotFoundError:
        return Settings()
    except msgspec.ValidationError as error:
        raise UsageWrong(f"`{path}` cannot be meant: {error}", fix=fix) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UsageWrong(f"`{path}` cannot be read ({type(error).__name__})", fix=fix) from error
    if "vault" in settings.named and settings.vault is None:
        raise UsageWrong(f"`{path}` does not say where Vault is", fix="add `vault: { url: https://HOST:PORT }`")
    return settings
