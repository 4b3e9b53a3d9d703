"""Which place a text names, and the one that not every installation can speak to."""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from interlock.anchor.file import AnchorFile
from interlock.anchor.git import GitRepository
from interlock.anchor.witness import WitnessAt
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import Instant

if TYPE_CHECKING:
    from interlock.anchor.stamp import StampAuthority


def place_of(target: str, *, push: bool = False) -> "AnchorFile | GitRepository | WitnessAt | StampAuthority":
    """Name a place outside where signed heads are kept.

    Args:
        target: a path, `file:PATH`, `git:PATH`, `witness:URL#KEY`, or `rfc3161:URL#CERTFILE`.
        push: whether a repository is pushed to where it came from.

    Raises:
        UsageWrong: no such place can be meant.
    """
    kind, found, rest = target.partition(":")
    match kind if found else "":
        case "git":
            return GitRepository(path=Path(rest), push=push)
        case "witness":
            return WitnessAt.parse(rest)
        case "rfc3161":
            return _stamps().StampAuthority.parse(rest)
        case "file":
            return AnchorFile(Path(rest))
        case "":
            return AnchorFile(Path(target))
        case _:
            raise UsageWrong(
                f"there is no kind of place `{kind}:`", fix="say `file:`, `git:`, `witness:` or `rfc3161:` before it"
            )


def stamped_at(stamp: str, head: str, files: Iterable[Path]) -> Instant:
    """Return when a head was stamped, by the certificates in `files`.

    Raises:
        LedgerBroken: the stamp is none of this head by one of them.
        InterlockError: a file holds no certificates.
    """
    stamps = _stamps()
    return stamps.stamped_at(stamp, head, [each for file in files for each in stamps.certificates(file)])


def _stamps() -> ModuleType:
    try:
        # rfc3161-client is an extra: few have an authority.
        from interlock.anchor import stamp  # noqa: PLC0415
    except ImportError as error:
        what = "this installation cannot speak to a time-stamping authority"
        raise InterlockError(what, fix="install it with its extra: `pip install 'interlock[timestamp]'`") from error
    return stamp
