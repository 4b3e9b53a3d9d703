"""The login of one user of this machine, for one tenant, in a file that nobody else can read.

It opens only beside the keys of the store that it is for, and only for the user who has logged in.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from interlock.core.errors import NotLoggedIn, NotPermitted, StoreTampered
from interlock.core.ids import Instant, PersonId, TenantId
from interlock.core.limits import LOGIN_FILE_BYTES_MAX
from interlock.oauth.endpoint import Client, ClientAuth, Endpoint
from interlock.owned import read_own, sync_folder, write_new

FORMAT = 1
_OUT = "log out, and in again: `interlock logout`, `interlock login`"


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login."""

    issuer: str
    """By the name that the tenant knows it by."""
    url: str
    person: PersonId
    """As the ledger names them."""
    token: str
    """What is shown: the ID token, or an access token where the tenant wants one for somebody else."""
    shows_access: bool
    until: Instant
    """When the token ends, as it says itself."""
    since: Instant
    client_id: str
    client_secret: str = ""
    client_auth: ClientAuth = "basic"
    resource: str = ""
    token_url: str
    revocation_url: str = ""
    refresh_token: str = ""

    def __repr__(self) -> str:
        return f"<the login of {self.person}>"

    @property
    def endpoint(self) -> Endpoint:
        """Where it is renewed."""
        client = Client(id=self.client_id, secret=self.client_secret)
        return Endpoint(url=self.token_url, client=client, auth=self.client_auth, resource=self.resource)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    login_file: int
    login: bytes
    """Encrypted, bound to the tenant and the user."""


class Box(Protocol):
    """Encrypts for whoever has the keys of a store."""

    def close(self, tenant: TenantId, name: bytes, text: bytes) -> bytes: ...

    def open(self, tenant: TenantId, name: bytes, closed: bytes) -> bytes: ...

    def name_for(self, tenant: TenantId, what: str) -> str: ...


class LoginFile:
    """Where the login of the user of this process is kept, for one tenant of one store."""

    def __init__(self, folder: Path, box: Box, tenant: TenantId) -> None:
        self._box, self._tenant, self._user = box, tenant, f"login/{os.getuid()}"
        self.path = folder / f"{box.name_for(tenant, self._user)}.login"

    @property
    def turn(self) -> Path:
        """A file to hold the lock of while it is renewed: what renews it may be good for one use."""
        return self.path.with_suffix(".turn")

    @property
    def is_there(self) -> bool:
        return os.path.lexists(self.path)

    def read(self) -> Kept | None:
        """Return the login, if there is one.

        Raises:
            NotLoggedIn: others can read it, it is somebody else's, or not what was kept here.
        """
        try:
            found = self.path.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise NotLoggedIn(f"the login `{self.path}` is not a file of your own", fix=_OUT)
            text = read_own(self.path, most=LOGIN_FILE_BYTES_MAX, what="login")
        except FileNotFoundError:
            return None
        except NotPermitted as others:
            raise NotLoggedIn(str(others), fix=f"{others.fix}; or, if somebody may have read it, {_OUT}") from None
        except OSError as error:
            why = f"the login `{self.path}` cannot be read ({(error.strerror or 'unknown').lower()})"
            raise NotLoggedIn(why, fix=_OUT) from None
        try:
            file = msgspec.json.decode(text, type=_File)
            opened = self._box.open(self._tenant, self._bound, file.login)
            return msgspec.json.decode(opened, type=Kept)
        except (StoreTampered, msgspec.DecodeError, ValueError, RecursionError):
            # A decoder may quote what it met, and nothing of the file is to be shown.
            raise NotLoggedIn(f"the login in `{self.path}` is not what was kept there", fix=_OUT) from None

    def write(self, kept: Kept) -> None:
        """Keep a login in place of the one before.

        Raises:
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        closed = self._box.close(self._tenant, self._bound, msgspec.json.encode(kept))
        self._new.unlink(missing_ok=True)
        write_new(self._new, msgspec.json.encode(_File(login_file=FORMAT, login=closed)))
        self._new.replace(self.path)
        sync_folder(self.path.parent)

    def remove(self) -> None:
        """Keep it no more, nor what somebody who died was about to keep.

        Raises:
            OSError: it cannot be removed.
        """
        for each in (self.path, self._new):
            each.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            sync_folder(self.path.parent)

    @property
    def _new(self) -> Path:
        return self.path.with_suffix(".new")

    @property
    def _bound(self) -> bytes:
        return msgspec.json.encode((FORMAT, "login", self._tenant, self._user))
