"""Signed tokens of issuers (JWS in compact form, RFC 7515), opened with the public keys that the issuer publishes.

What is signed is verified by `joserfc`. What may be a token, and which key it can be of, is said here: only asymmetric
algorithms, each with its own kind of key, so that a token cannot choose `none`, nor that a public key is taken for a
shared secret.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from joserfc.jws import CompactSignature, JWSRegistry

from interlock.core.json_text import members_once, no_constant
from interlock.core.limits import JWT_CHARS_MAX

Claims = Mapping[str, Any]
Jwk = Mapping[str, Any]

_RSA_BITS_MIN = 2048
_RSA, _EC, _OKP = ("kty", "n", "e"), ("kty", "crv", "x", "y"), ("kty", "crv", "x")
_KINDS: Mapping[str, tuple[str, str | None, tuple[str, ...]]] = {
    **{f"{how}{bits}": ("RSA", None, _RSA) for how in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256", _EC),
    "ES384": ("EC", "P-384", _EC),
    "ES512": ("EC", "P-521", _EC),
    "EdDSA": ("OKP", "Ed25519", _OKP),
    "Ed25519": ("OKP", "Ed25519", _OKP),
}
"""Of each algorithm the kind of its key, the curve, and the members of a key that are looked at."""
ALGORITHMS = frozenset(_KINDS)
_HASHES: Mapping[str, str] = {"256": "sha256", "384": "sha384"}
"""By the end of an algorithm's name, what it hashes with. The others are made of SHA-512, Ed25519 among them."""
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_CHANGES_READING = frozenset({"crit", "b64"})  # what they ask for has to be understood, and nothing is


class _Registry(JWSRegistry):
    """What `joserfc` may do here: the algorithms above, on tokens up to the size that is let in."""

    max_header_length = JWT_CHARS_MAX
    max_payload_length = JWT_CHARS_MAX
    max_signature_length = JWT_CHARS_MAX

    def get_alg(self, name: str) -> Any:  # noqa: ANN401  the library exports no name for it
        # By its old name, `EdDSA` (RFC 8037), the algorithm would take keys of any Edwards curve, and warn.
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unopened:
    """A token as it came. Nothing of it is believed."""

    algorithm: str
    kid: str | None
    claims: Claims
    parts: CompactSignature


def read(text: str) -> Unopened | None:
    """Take a token apart; nothing if it is none, or signed in a way that is not known."""
    if len(text) > JWT_CHARS_MAX or not text.isascii():
        return None
    try:
        parts = jws.extract_compact(text.encode(), registry=_REGISTRY)
        head, claims = _object(_decoded(text.partition(".")[0].encode())), _object(parts.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    algorithm, kid, type_ = head.get("alg"), head.get("kid"), head.get("typ", "JWT")
    if not isinstance(algorithm, str) or not isinstance(type_, str) or not isinstance(kid, str | None):
        return None
    if algorithm not in ALGORITHMS or type_.lower() not in _TYPES or _CHANGES_READING & head.keys():
        return None
    return Unopened(algorithm=algorithm, kid=kid, claims=claims, parts=parts)


def half_hash(algorithm: str, text: str) -> str:
    """Return the left half of the hash of what comes beside a token that is signed (OpenID Connect Core 3.1.3.6)."""
    whole = hashlib.new(_HASHES.get(algorithm[2:], "sha512"), text.encode()).digest()
    return urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()


def key_for(unopened: Unopened, keys: Sequence[Jwk]) -> Jwk | None:
    """Find the one key that a token says it was signed with; without a word about it, the only one there is."""
    fitting = [key for key in keys if unopened.kid in (None, key.get("kid")) and _fits(unopened.algorithm, key)]
    return fitting[0] if len(fitting) == 1 else None


def is_signed_by(unopened: Unopened, key: Jwk) -> bool:
    """Whether a key has signed a token."""
    try:
        return jws.validate_compact(unopened.parts, _public(unopened.algorithm, key), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, AttributeError, KeyError):
        return False


def _fits(algorithm: str, key: Jwk) -> bool:
    kind, curve, _ = _KINDS[algorithm]
    of_kind = key.get("kty") == kind and (curve is None or key.get("crv") == curve)
    # By its two names it is one algorithm, and a key may say the other one.
    alike = ("EdDSA", "Ed25519") if kind == "OKP" else (algorithm,)
    may: object = key.get("key_ops", ["verify"])
    verifies = key.get("use", "sig") == "sig" and isinstance(may, list) and "verify" in may
    # Of a key whose private half is published, everybody signs.
    return of_kind and key.get("alg", algorithm) in alike and verifies and "d" not in key


def _public(algorithm: str, key: Jwk) -> Key:
    members = _KINDS[algorithm][2]
    if members is _RSA and int.from_bytes(_decoded(key["n"].encode())).bit_length() < _RSA_BITS_MIN:
        raise ValueError("too short")
    return import_key({name: key[name] for name in members})


def _decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"==")


def _object(raw: bytes) -> dict[str, Any]:
    """Read a JSON object. One that has a name twice may have been read in another way by who has signed it.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(raw, object_pairs_hook=members_once, parse_constant=no_constant)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return cast("dict[str, Any]", value)
