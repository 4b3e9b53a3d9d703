"""Everything Interlock raises.

InterlockError
├── ActionUnknown        nothing in this store has that id
├── BackupBroken         a backup that is damaged, cut off, or of something else
├── ContractInvalid      a contract or policy file that cannot be honoured
├── LedgerBroken         the entries do not lead to a head that was seen; stop and look
├── NotLoggedIn          the login of whoever types is not, or no longer, good
├── NotPermitted         the person who asks may not do that
├── PayloadErased        the key of this payload was destroyed
├── SecretError          a credential cannot be handed over, so nothing was sent
│   ├── SecretUnknown    there is none of that name for this workflow in this environment
│   └── SecretUnreachable  where it is kept does not answer, or not as it should
│       └── LoginNeeded  whoever issues it wants a person to log in
├── StoreError           the store did not do what it was told
│   ├── StoreBusy        another process holds what we need; nothing was written
│   │   └── Occupied     another process performs on this file; it alone starts effects
│   ├── StoreClosed      it refuses until it is opened again and verified
│   ├── StoreTampered    a row that opens something is not as Interlock wrote it
│   └── StoreUnsure      the answer to a commit was lost; it may or may not be written
├── UpstreamError        the other side failed
│   ├── UpstreamFailed   it said so: the effect did not happen
│   └── UpstreamSilent   no answer in time: the effect may have happened
└── UsageWrong           a line or a setting that could not be meant whatever is there

A refused action is not here: it is an `Outcome`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlock.core.reason import Reason

if TYPE_CHECKING:
    from interlock.core.picture import Picture  # a struct: whoever only raises needs none of its library


class InterlockError(Exception):
    """Base of all errors that a caller may want to catch."""

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix
        """What to do next, as one sentence or one command."""


class ActionUnknown(InterlockError):
    """No action with this id was ever written down."""


class BackupBroken(InterlockError):
    """This file cannot be restored from."""


class ContractInvalid(InterlockError):
    """A contract, or a file that it names, cannot be honoured as it stands."""


class LedgerBroken(InterlockError):
    """The entries are not those that the older head was made from."""


class NotLoggedIn(InterlockError):
    """Somebody has logged in on this machine, and that cannot be shown, so nothing is done in their name."""


class NotPermitted(InterlockError):
    """The person is known and may not do what they ask."""


class PayloadErased(InterlockError):
    """The bytes are there and nobody can read them any more."""


class SecretError(InterlockError):
    """A credential cannot be handed over. What needs it is not begun."""


class SecretUnknown(SecretError):
    """Nobody has set a secret of this name for this workflow in this environment."""


class SecretUnreachable(SecretError):
    """Where the secret is kept does not answer, or answers something that is no secret."""


class LoginNeeded(SecretUnreachable):
    """Whoever issues it issues nothing more until a person has logged in."""


class StoreError(InterlockError):
    """The store did not do what it was told."""


class StoreBusy(StoreError):
    """Another process held the lock for too long. Nothing was written; trying again is safe."""


class Occupied(StoreBusy):
    """Another process has the right to perform. It does what is left to it."""


class StoreClosed(StoreError):
    """The store failed in a way after which its promises no longer hold until it is opened again."""


class StoreTampered(StoreError):
    """A row that opens something does not carry the MAC that Interlock gave it."""


class StoreUnsure(StoreError):
    """The connection went away while a commit was under way: it may or may not have been written."""


class UpstreamError(InterlockError):
    """The tool did not answer as it should."""

    def __init__(
        self,
        message: str,
        *,
        fix: str,
        said: str = "",
        reason: Reason | None = None,
        pictures: "Sequence[Picture]" = (),
    ) -> None:
        super().__init__(message, fix=fix)
        self.said = said
        """What the other side said about it: foreign text, kept apart and encrypted as its results are."""
        self.reason = reason
        """Why a person takes over, whatever the contract says of it; nothing where none has to."""
        self.pictures = tuple(pictures)
        """What was seen until then."""


class UpstreamFailed(UpstreamError):
    """The tool said no; the effect did not happen."""


class UpstreamSilent(UpstreamError):
    """The tool did not answer in time; the effect may have happened."""


class UsageWrong(InterlockError):
    """What was typed, or set, could not be meant, whatever the store and the files hold."""
