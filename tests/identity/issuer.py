"""An OpenID provider on this machine: its documents, its keys, and what it signs."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from interlock.core.errors import UpstreamFailed

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
P521 = ec.generate_private_key(ec.SECP521R1())
ED = Ed25519PrivateKey.generate()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def rsa_jwk(kid: str, key: rsa.RSAPrivateKey = RSA, **more: str) -> dict[str, str]:
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "use": "sig", "n": number(public.n), "e": number(public.e), **more}


def ec_jwk(kid: str) -> dict[str, str]:
    public = EC.public_key().public_numbers()
    x, y = (b64(each.to_bytes(32)) for each in (public.x, public.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}


def p521_jwk(kid: str) -> dict[str, str]:
    public = P521.public_key().public_numbers()
    x, y = (b64(each.to_bytes(66)) for each in (public.x, public.y))
    return {"kty": "EC", "crv": "P-521", "kid": kid, "x": x, "y": y}


def ed_jwk(kid: str) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(ED.public_key().public_bytes_raw())}


def rs256(signed: bytes, key: rsa.RSAPrivateKey = RSA) -> bytes:
    return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def ps256(signed: bytes) -> bytes:
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
    return RSA.sign(signed, pss, hashes.SHA256())


def es256(signed: bytes) -> bytes:
    r, s = decode_dss_signature(EC.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def es512(signed: bytes) -> bytes:
    r, s = decode_dss_signature(P521.sign(signed, ec.ECDSA(hashes.SHA512())))
    return r.to_bytes(66) + s.to_bytes(66)


SIGNERS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "RS256": ("rsa", rs256),
    "PS256": ("rsa", ps256),
    "ES256": ("ec", es256),
    "ES512": ("p521", es512),
    "EdDSA": ("ed", ED.sign),
    "Ed25519": ("ed", ED.sign),
}


def a_jwt(
    claims: Mapping[str, Any], alg: str = "RS256", *, sign: Callable[[bytes], bytes] | None = None, **head: Any
) -> str:
    kid, signer = SIGNERS.get(alg, ("rsa", rs256))
    said = {"alg": alg, "kid": kid, "typ": "JWT", **head}
    header = {name: value for name, value in said.items() if value is not None}
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64((sign or signer)(signed.encode()))}"


@dataclass
class Provider:
    """Answers what `fetch` asks for, and counts."""

    url: str = "https://login.example.com"
    keys: list[dict[str, Any]] = field(
        default_factory=lambda: [rsa_jwk("rsa"), ec_jwk("ec"), p521_jwk("p521"), ed_jwk("ed")]
    )
    asked: list[str] = field(default_factory=list[str])
    about: dict[str, str] = field(default_factory=dict[str, str])
    down: bool = False

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.down:
            raise UpstreamFailed("the issuer is away", fix="wait")
        if url == f"{self.url}/.well-known/openid-configuration":
            return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.about}).encode()
        return json.dumps({"keys": self.keys}).encode()
