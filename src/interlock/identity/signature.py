"""Signatures of agents: made with a key file, and read from the headers in which they are sent."""

import json
import re
from pathlib import Path
from secrets import token_hex

from interlock.core.action import Caller, ProposalSignature
from interlock.core.canonical import Json
from interlock.core.errors import UsageWrong
from interlock.core.ids import Instant, ToolName
from interlock.identity.key_file import sign
from interlock.ledger.proposal import commitment, private_text, signed_text

SIGNATURE = "Interlock-Signature"
"""`SALT.SIGNATURE`, both in hex."""
SIGNED_AT = "Interlock-Signed-At"
"""Seconds since 1970."""

_SIGNATURE = re.compile(r"([0-9a-f]{32,64})\.([0-9a-f]{128})")
_AT = re.compile(r"[0-9]{1,12}", re.ASCII)


def from_headers(signature: str | None, signed_at: str | None) -> ProposalSignature | None:
    """Read what was sent; nothing if nothing was. What is malformed is a signature that proves nothing."""
    if signature is None and signed_at is None:
        return None
    found, at = _SIGNATURE.fullmatch(signature or ""), _AT.fullmatch(signed_at or "")
    if found is None or at is None:
        return ProposalSignature(at=0, salt="", signature="")
    return ProposalSignature(at=int(at[0]), salt=found[1], signature=found[2])


def signed_with(
    key: Path,
    caller: Caller,
    tool: ToolName,
    arguments: str,
    *,
    now: Instant,
    run: str | None = None,
    idempotency_key: str | None = None,
    occurrence: int = 1,
) -> ProposalSignature:
    """Sign a proposal with the key in a file.

    Raises:
        NotPermitted: it is no such key, or others can read it.
        UsageWrong: the arguments are no JSON.
        InterlockError: they have no canonical form.
        OSError: the file cannot be read.
    """
    try:
        values: Json = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        raise UsageWrong("what is no JSON cannot be signed", fix='send one JSON object, such as `{"id": 7}`') from error
    at, salt = now // 1_000_000, token_hex(16)
    private = private_text(salt=salt, run=run or "", key=idempotency_key or "", occurrence=occurrence, arguments=values)
    made = sign(key, signed_text(caller, tool, at, commitment(private)))
    return ProposalSignature(at=at, salt=salt, signature=made.signature.hex())
