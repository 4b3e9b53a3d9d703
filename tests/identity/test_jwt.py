"""What of a signed token and of a published key is not taken at its word."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from issuer import ED, RSA, a_jwt, b64, ed_jwk, number, rs256, rsa_jwk

from interlock.core.limits import JWT_CHARS_MAX
from interlock.identity.jwt import ALGORITHMS, Jwk, half_hash, is_signed_by, key_for, read

CLAIMS = {"iss": "https://login.example.com", "sub": "u1"}
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def opens(text: str, *keys: Jwk) -> bool:
    unopened = read(text)
    key = key_for(unopened, keys) if unopened is not None else None
    return unopened is not None and key is not None and is_signed_by(unopened, key)


def raw_jwt(head: str, claims: str, sign: Callable[[bytes], bytes] = rs256) -> str:
    signed = f"{b64(head.encode())}.{b64(claims.encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def test_only_what_needs_a_public_key_is_known() -> None:
    assert {name[:2] for name in ALGORITHMS} == {"RS", "PS", "ES", "Ed"}


def test_what_comes_beside_a_token_is_hashed_as_the_token_is() -> None:
    sizes = {name: len(half_hash(name, "text")) for name in ALGORITHMS}
    assert {size: sorted(name for name in sizes if sizes[name] == size) for size in sizes.values()} == {
        22: ["ES256", "PS256", "RS256"],
        32: ["ES384", "PS384", "RS384"],
        43: ["ES512", "Ed25519", "EdDSA", "PS512", "RS512"],
    }
    assert half_hash("RS256", "text") == b64(sha256(b"text").digest()[:16])


@pytest.mark.parametrize(
    ("head", "claims"),
    [
        ('{"alg":"RS256","kid":"rsa"}', '{"sub":"u1","sub":"u2"}'),
        ('{"alg":"RS256","kid":"rsa"}', '{"sub":"u1","more":{"a":1,"a":2}}'),
        ('{"alg":"none","alg":"RS256","kid":"rsa"}', '{"sub":"u1"}'),
        ('{"alg":"RS256","kid":"rsa","b64":true}', '{"sub":"u1"}'),
        ('{"alg":"RS256","kid":"rsa","b64":false,"crit":["b64"]}', '{"sub":"u1"}'),
        ('{"alg":"RS256","kid":"rsa"}', '{"exp":NaN}'),
        ('{"alg":"RS256","kid":"rsa"}', '{"exp":' + "9" * 9_000 + "}"),
        ('{"alg":"RS256","kid":"rsa"}', "[" * 9_000),
        ('{"alg":"RS256","kid":"rsa"}', '["u1"]'),
        ('["RS256"]', '{"sub":"u1"}'),
        ('{"alg":["RS256"],"kid":"rsa"}', '{"sub":"u1"}'),
    ],
)
def test_a_token_that_two_readers_may_read_in_two_ways_is_none(head: str, claims: str) -> None:
    assert opens(raw_jwt('{"alg":"RS256","kid":"rsa"}', '{"sub":"u1"}'), rsa_jwk("rsa"))
    assert read(raw_jwt(head, claims)) is None


def test_a_token_is_as_long_as_it_may_be_and_no_longer() -> None:
    small = len(a_jwt(CLAIMS))
    fits = a_jwt({**CLAIMS, "groups": "g" * ((JWT_CHARS_MAX - small) * 3 // 4 - 20)})
    assert small < len(fits) <= JWT_CHARS_MAX
    assert opens(fits, rsa_jwk("rsa"))
    assert read(a_jwt({**CLAIMS, "groups": "g" * JWT_CHARS_MAX})) is None
    assert opens(a_jwt(CLAIMS, x5t="x" * 2_000), rsa_jwk("rsa"))


def test_bits_that_nothing_needs_make_it_another_token() -> None:
    good = raw_jwt('{"alg":"RS256","kid":"rsa"} ', '{"sub":"u1"}')
    assert opens(good, rsa_jwk("rsa"))
    for text in (good + "=", good[:-1] + "_", good.replace(".", "=.", 1)):
        assert not opens(text, rsa_jwk("rsa"))


def test_an_edwards_curve_has_two_names_and_one_curve() -> None:
    other = {**ed_jwk("ed"), "crv": "Ed448", "x": b64(Ed448PrivateKey.generate().public_key().public_bytes_raw())}
    for name in ("EdDSA", "Ed25519"):
        for said in ({}, {"alg": "EdDSA"}, {"alg": "Ed25519"}):
            assert opens(a_jwt(CLAIMS, name, sign=ED.sign), {**ed_jwk("ed"), **said})
        assert not opens(a_jwt(CLAIMS, name, sign=ED.sign), other)
        assert not opens(a_jwt(CLAIMS, name, sign=ED.sign), {**ed_jwk("ed"), "alg": "ES256"})


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "RSA", "kid": "rsa", "n": number(SHORT.public_key().public_numbers().n), "e": "AQAB"},
        {"kty": "RSA", "kid": "rsa", "n": b64(bytes(200) + b"\x03" * 128), "e": "AQAB"},
        {**rsa_jwk("rsa"), "e": "AQ"},
        {**rsa_jwk("rsa"), "n": 7},
        {**rsa_jwk("rsa"), "n": ""},
        {**rsa_jwk("rsa"), "d": "AQAB"},
        {**rsa_jwk("rsa"), "key_ops": ["encrypt"]},
        {**rsa_jwk("rsa"), "key_ops": 7},
        {**rsa_jwk("rsa"), "key_ops": None},
        {**rsa_jwk("rsa"), "key_ops": "to verify"},
        {"kty": "RSA", "kid": "rsa"},
        {"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"},
    ],
    ids="1024-bits zeros-in-front exponent-1 no-text empty private to-encrypt 7 null words bare shared".split(),
)
def test_a_key_that_proves_nothing_is_none(key: dict[str, Any]) -> None:
    for signer in (SHORT, RSA):
        assert not opens(a_jwt(CLAIMS, sign=partial(rs256, key=signer)), key)
