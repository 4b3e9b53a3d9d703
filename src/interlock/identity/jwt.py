"""Signed tokens of issuers (JWS in compact form, RFC 7515), opened with the public keys that the issuer publishes.

Only asymmetric algorithms are known, each with its own kind of key: a token cannot choose `none`, nor that a public key
is taken for a shared secret.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from interlock.core.limits import JWT_CHARS_MAX

Claims = Mapping[str, Any]
Jwk = Mapping[str, Any]

_RSA_BITS_MIN = 2048
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Mapping[str, tuple[str, ec.EllipticCurve, int]] = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
}
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"})
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unopened:
    """A token as it came. Nothing of it is believed."""

    algorithm: str
    kid: str | None
    claims: Claims
    signed: bytes
    signature: bytes


def read(text: str) -> Unopened | None:
    """Take a token apart; nothing if it is none, or signed in a way that is not known."""
    parts = text.split(".")
    if len(text) > JWT_CHARS_MAX or len(parts) != 3 or not text.isascii():
        return None
    head, claims, signature = _object(parts[0]), _object(parts[1]), _bytes(parts[2])
    if head is None or claims is None or signature is None:
        return None
    algorithm, kid, type_ = head.get("alg"), head.get("kid"), head.get("typ", "JWT")
    known = algorithm in ALGORITHMS and isinstance(type_, str) and type_.lower() in _TYPES
    # What a header calls critical has to be understood, and nothing is.
    if not known or "crit" in head or not isinstance(kid, str | None):
        return None
    return Unopened(
        algorithm=str(algorithm),
        kid=kid,
        claims=claims,
        signed=f"{parts[0]}.{parts[1]}".encode(),
        signature=signature,
    )


def key_for(unopened: Unopened, keys: Sequence[Jwk]) -> Jwk | None:
    """Find the one key that a token says it was signed with; without a word about it, the only one there is."""
    fitting = [key for key in keys if unopened.kid in (None, key.get("kid")) and _fits(unopened.algorithm, key)]
    return fitting[0] if len(fitting) == 1 else None


def is_signed_by(unopened: Unopened, key: Jwk) -> bool:
    """Whether a key has signed a token."""
    try:
        _verify(unopened, key)
    except (InvalidSignature, ValueError, TypeError, KeyError, binascii.Error):
        return False
    return True


def _fits(algorithm: str, key: Jwk) -> bool:
    kinds = {"RS": ("RSA", None), "PS": ("RSA", None), "ES": ("EC", _curve(algorithm)), "Ed": ("OKP", "Ed25519")}
    kind, curve = kinds[algorithm[:2]]
    of_kind = key.get("kty") == kind and (curve is None or key.get("crv") == curve)
    return of_kind and key.get("alg", algorithm) == algorithm and key.get("use", "sig") == "sig"


def _curve(algorithm: str) -> str | None:
    return _CURVES[algorithm][0] if algorithm in _CURVES else None


def _verify(unopened: Unopened, key: Jwk) -> None:
    algorithm, signature, signed = unopened.algorithm, unopened.signature, unopened.signed
    if algorithm == "EdDSA":
        Ed25519PublicKey.from_public_bytes(_of(key, "x")).verify(signature, signed)
        return
    hash = _HASHES[algorithm[2:]]
    if algorithm in _CURVES:
        _, curve, size = _CURVES[algorithm]
        if len(signature) != 2 * size:
            raise InvalidSignature
        point = ec.EllipticCurvePublicNumbers(_number(key, "x"), _number(key, "y"), curve).public_key()
        pair = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
        point.verify(pair, signed, ec.ECDSA(hash))
        return
    public = rsa.RSAPublicNumbers(_number(key, "e"), _number(key, "n")).public_key()
    if public.key_size < _RSA_BITS_MIN:
        raise InvalidSignature
    pss = padding.PSS(mgf=padding.MGF1(hash), salt_length=padding.PSS.DIGEST_LENGTH)
    public.verify(signature, signed, pss if algorithm.startswith("PS") else padding.PKCS1v15(), hash)


def _number(key: Jwk, name: str) -> int:
    return int.from_bytes(_of(key, name))


def _of(key: Jwk, name: str) -> bytes:
    found = _bytes(str(key[name]))
    if found is None:
        raise ValueError(name)
    return found


def _object(part: str) -> dict[str, Any] | None:
    raw = _bytes(part)
    try:
        value = orjson.loads(raw) if raw is not None else None
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _bytes(part: str) -> bytes | None:
    if "=" in part:
        return None
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
