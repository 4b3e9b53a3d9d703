"""A time-stamping authority (RFC 3161) as a place for heads: it says when a head was there, and keeps nothing."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response

from interlock.core.errors import InterlockError, LedgerBroken, UpstreamFailed, UsageWrong
from interlock.core.ids import Instant
from interlock.core.value import replace
from interlock.ledger.anchor import Anchor, Since
from interlock.post import Address, post

_ASKED = "application/timestamp-query"
_ANSWERED = "application/timestamp-reply"
_CERTIFICATES_MAX = 64 * 1024  # a chain has 6 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAuthority:
    """Where an authority listens, and the certificates that its own must lead to."""

    address: Address
    certificates: Path

    @classmethod
    def parse(cls, text: str) -> "StampAuthority":
        """Read `URL#CERTFILE`.

        Raises:
            UsageWrong: it is none.
        """
        url, _, file = text.partition("#")
        if not file:
            raise UsageWrong("the certificate of the authority is missing", fix="write `rfc3161:URL#CERTFILE`")
        return cls(address=Address.parse(url), certificates=Path(file))

    @property
    def name(self) -> str:
        """How the place is called in the book of anchors."""
        return f"rfc3161:{self.address}#{self.certificates}"

    async def keep(self, new: Anchor, old: int, since: Since) -> Anchor:
        """Have a head stamped, and return it with the stamp once that is checked.

        Raises:
            InterlockError: there are no certificates to check it by.
            UpstreamError: the authority did not answer, or with something that is no stamp of this head.
        """
        roots = certificates(self.certificates)
        asked = TimestampRequestBuilder().data(new.head.encode()).hash_algorithm(HashAlgorithm.SHA256)
        request = asked.nonce(nonce=True).cert_request(cert_request=True).build()
        answer = await post(self.address, request.as_bytes(), kind=_ASKED)
        kind = answer.kind.partition(";")[0].strip().lower()
        if answer.status != 200 or kind != _ANSWERED:
            what = f"{self.address} answers with {answer.status} and not with a time stamp"
            raise UpstreamFailed(what, fix="look whether this is the address of an authority")
        stamp = base64.b64encode(answer.body).decode()
        try:
            stamped_at(stamp, new.head, roots, nonce=request.nonce)
        except LedgerBroken as broken:
            fix = f"hold `{self.certificates}` against what the authority publishes"
            raise UpstreamFailed(f"what {self.address} answers is of no use: {broken}", fix=fix) from broken
        return replace(new, stamp=stamp)


def certificates(path: Path) -> tuple[Certificate, ...]:
    """Read the certificates that stamps must lead to, in PEM.

    Raises:
        InterlockError: there are none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        written = file.read(_CERTIFICATES_MAX)
    try:
        return tuple(load_pem_x509_certificates(written))
    except ValueError as error:
        raise InterlockError(f"`{path}` holds no certificates", fix="name the PEM file of the authority") from error


def stamped_at(stamp: str, head: str, roots: Sequence[Certificate], *, nonce: int | None = None) -> Instant:
    """Return when a head was stamped, once the stamp has been checked.

    Raises:
        LedgerBroken: it is no stamp of this head by an authority whose certificate leads to one of `roots`.
    """
    try:
        response = decode_timestamp_response(base64.b64decode(stamp, validate=True))
        builder = VerifierBuilder() if nonce is None else VerifierBuilder().nonce(nonce)
        for each in roots:
            builder = builder.add_root_certificate(each)
        builder.build().verify_message(response, head.encode())
        return Instant(int(response.tst_info.gen_time.timestamp() * 1_000_000))
    except binascii.Error as error:
        raise LedgerBroken("a time stamp is not written as one", fix=_FIX) from error
    except Exception as error:
        raise LedgerBroken(f"it is no time stamp of this head by that authority ({_why(error)})", fix=_FIX) from error


def _why(error: Exception) -> str:
    return str(error).partition("\n")[0][:100] or type(error).__name__


_FIX = "compare it with the one you kept elsewhere"
