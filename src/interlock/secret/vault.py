"""Secrets in HashiCorp Vault, or what speaks as it does: the key-value store, version 2."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from interlock.core.errors import InterlockError, SecretUnreachable, UsageWrong
from interlock.core.limits import SECRET_SECONDS_MAX
from interlock.owned import read_own
from interlock.post import Address
from interlock.secret.kept import SecretId, Value, oauth_of, text_of
from interlock.secret.settings import VaultSettings
from interlock.secret.template import check_template, path_of

_TOKEN_BYTES_MAX = 16 * 1024
_FIX = "look whether Vault runs, can be reached from here, and lets this process in"


class FromVault:
    """Finds a secret under its path. What opens Vault is read when it is needed, so that it may be changed."""

    name = "Vault"

    def __init__(self, settings: VaultSettings, variables: Mapping[str, str] = os.environ) -> None:
        """Prepare to ask.

        Raises:
            UsageWrong: the settings cannot be meant, or the extra is not installed.
        """
        check_template(settings.path)
        address = Address.parse(settings.url)
        if not address.secure and not address.stays_here:
            raise UsageWrong("secrets do not come from a Vault without TLS", fix="write `https://HOST:PORT`")
        try:
            self._hvac: Any = import_module("hvac")
        except ImportError as error:
            fix = "install it with its extra: `pip install 'interlock[vault]'`"
            raise UsageWrong("this installation cannot speak to Vault", fix=fix) from error
        self._settings = settings
        self._variables = variables
        self._client: Any = None
        self._turn = Lock()

    def find(self, id: SecretId) -> Value:
        """Return what is kept now.

        Raises:
            SecretUnknown: nothing is.
            SecretUnreachable: Vault does not answer, refuses, or answers with what is no secret.
        """
        path = path_of(self._settings.path, id, self.name)
        wrong = self._hvac.exceptions
        try:
            read = self._read(path)
        except wrong.InvalidPath:
            raise id.unknown(self.name, f"write it there: `{self._settings.mount}/{path}`") from None
        except (SecretUnreachable, UsageWrong) as error:
            raise id.unreachable(f"cannot be fetched: {error}", error.fix) from None
        except Exception as error:  # noqa: BLE001  hvac lets what it stands on through; none of its words are told
            raise id.unreachable(f"cannot be fetched: Vault {_meant(error)}", _FIX) from None
        return self._value(id, read)

    def _read(self, path: str) -> object:
        with self._turn:
            fresh = self._client is None
            client = self._client = self._client or self._opened()
        try:
            return self._asked(client, path)
        except self._hvac.exceptions.Forbidden:
            if fresh:
                raise
        # The token may have ended, or have been changed: once with a new one.
        with self._turn:
            client = self._client = self._opened()
        return self._asked(client, path)

    def _asked(self, client: Any, path: str) -> object:  # noqa: ANN401  hvac has no types
        return client.secrets.kv.v2.read_secret_version(
            path=path, mount_point=self._settings.mount, raise_on_deleted_version=True
        )

    def _opened(self) -> Any:  # noqa: ANN401  hvac has no types
        settings = self._settings
        client: Any = self._hvac.Client(
            url=settings.url,
            namespace=settings.namespace or None,
            verify=settings.ca_file or True,
            timeout=SECRET_SECONDS_MAX / 2,
            allow_redirects=False,
            token=None if settings.role_id else self._token(),
        )
        if settings.role_id:
            client.auth.approle.login(role_id=settings.role_id, secret_id=_own(settings.secret_id_file) or None)
        return client

    def _token(self) -> str:
        settings = self._settings
        token = _own(settings.token_file) if settings.token_file else self._variables.get(settings.token_variable, "")
        if not token:
            fix = "name a file in `secrets.yaml`: `vault: { token_file: FILE }`, or set the variable `VAULT_TOKEN`"
            raise SecretUnreachable("there is no token for Vault", fix=fix)
        return token

    def _value(self, id: SecretId, read: object) -> Value:
        try:
            kept = msgspec.convert(read, type=_Read).data.data
            if "token_url" in kept:
                return oauth_of(msgspec.json.encode(kept))
            return text_of(msgspec.convert(kept[self._settings.field], type=str))
        except UsageWrong as error:
            raise id.unreachable(f"cannot be used: {error}", error.fix) from None
        except (msgspec.ValidationError, KeyError, TypeError):
            why = f"cannot be used: Vault has no text in its field `{self._settings.field}`"
            raise id.unreachable(why, "write it there, or name another `field` in `secrets.yaml`") from None


class _Version(msgspec.Struct, frozen=True):
    data: dict[str, Any]


class _Read(msgspec.Struct, frozen=True):
    data: _Version


def _own(path: str) -> str:
    if not path:
        return ""
    try:
        return read_own(Path(path), most=_TOKEN_BYTES_MAX).decode().strip()
    except (InterlockError, OSError, UnicodeDecodeError) as error:
        fix = error.fix if isinstance(error, InterlockError) else "let Interlock alone read it"
        raise SecretUnreachable(f"`{path}`, which opens Vault, cannot be read", fix=fix) from None


def _meant(error: Exception) -> str:
    """Say what an error of the library means, without its words: they may repeat what came back."""
    known = {
        "Forbidden": "does not let this process in",
        "Unauthorized": "does not let this process in",
        "VaultDown": "is sealed, or down",
        "RateLimitExceeded": "is asked too often",
        "InternalServerError": "has failed",
        "BadGateway": "has failed",
        "ConnectionError": "cannot be reached",
        "SSLError": "does not show a certificate that is trusted here",
        "ConnectTimeout": "does not answer in time",
        "ReadTimeout": "does not answer in time",
    }
    return known.get(type(error).__name__, f"does not answer as it should ({type(error).__name__})")
