"""What was found, as a file that somebody signs: a line of JSON, and a line with the signature over it."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant
from interlock.ledger.note import Verifier
from interlock.ledger.reading import read
from interlock.ledger.rotation import Rotation, chain_of, rotation_of
from interlock.verify.promises import PROMISES
from interlock.verify.run import Told

_DOMAIN = b"interlock verify report 1\n"
"""What stands before the line that is signed, so that no other signature of this key passes for one of a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What was looked at, with what, and when."""

    version: str
    store: str
    """`sqlite` or `postgres`."""
    at: Instant


def as_data(about: About, told: Sequence[Told]) -> dict[str, Any]:
    """Say for each promise whether it is kept, and what each of its checks saw."""
    return {
        "interlock": about.version,
        "store": about.store,
        "at": about.at,
        "kept": all(each.verdict == "kept" for each in told),
        "promises": [
            {"id": id, "says": promise.says, "checks": [_line(each) for each in told if each.check.promise == id]}
            for id, promise in PROMISES.items()
            if any(each.check.promise == id for each in told)
        ],
    }


def _line(told: Told) -> dict[str, Any]:
    return {
        "name": told.check.name,
        "says": told.check.says,
        "verdict": told.verdict,
        "seen": told.seen,
        "milliseconds": round(told.seconds * 1_000),
    }


def signed_report(
    data: dict[str, Any], verifier: Verifier, sign: Callable[[bytes], bytes], rotations: Iterable[bytes] = ()
) -> str:
    """Write a report that `sign` has signed, with the entries that led to its key, oldest first."""
    line = _json(data)
    foot = {
        "key": str(verifier),
        "signature": base64.b64encode(sign(_DOMAIN + line.encode())).decode(),
        "rotations": [each.decode() for each in rotations],
    }
    return f"{line}\n{_json(foot)}\n"


def read_report(text: str, pinned: Verifier | None = None) -> dict[str, Any]:
    """Return what a report says, once its signature has been checked.

    Args:
        text: what `signed_report` wrote.
        pinned: whose signature it must carry, or that of a key that rotations in the file lead to from this one. An
            older key than the pinned one is of no use: it signs nothing any more. Without a pinned key, the one in the
            file is taken at its word.

    Raises:
        LedgerBroken: it is no report, or it is not signed by that key.
    """
    line, _, rest = text.partition("\n")
    try:
        data, foot = json.loads(line), json.loads(rest)
        signer, signature = Verifier.parse(foot["key"]), base64.b64decode(foot["signature"], validate=True)
        whole = isinstance(data["kept"], bool) and isinstance(data["promises"], list)
        rotations = [rotation_of(read(each.encode())) for each in foot.get("rotations", ())]
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error, LedgerBroken) as error:
        raise _no_report("it is no report") from error
    if pinned is not None and signer != _newest([each for each in rotations if each is not None], pinned):
        raise _no_report(f"it is signed by `{signer.origin}`, not by the key that you know")
    if not whole or not signer.fits(signature, _DOMAIN + line.encode()):
        raise _no_report("its signature does not fit")
    return data


def _newest(rotations: Sequence[Rotation], pinned: Verifier) -> Verifier:
    """Follow rotations from a key that is known to the newest one that they lead to."""
    chain = chain_of(rotations, pinned)
    return chain.now.key if chain.has(pinned) else pinned


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def _no_report(why: str) -> LedgerBroken:
    return LedgerBroken(f"the report cannot be trusted: {why}", fix="make one: `interlock verify --report FILE`")
