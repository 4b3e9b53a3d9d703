"""The text of a token: whose it is can be read from it, its secret is 256 random bits, a typo is found offline.

    ilk_TENANT_ID_SECRETCHECK

`ID` is `t` and ten hex digits, `SECRET` 43 and `CHECK` 6 characters of base 62. The check is CRC-32 of all before it.
"""

import re
import string
from dataclasses import dataclass
from hashlib import sha256
from secrets import randbits, token_hex
from zlib import crc32

from interlock.core.ids import CredentialId, TenantId
from interlock.core.limits import TOKEN_CHARS_MAX

PREFIX = "ilk_"

SCANNER = r"ilk_[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}_t[0-9a-f]{10}_[0-9A-Za-z]{49}"
"""What a scanner of sources looks for. Whether it is one shows by its last six characters."""

_FORM = re.compile(
    r"ilk_(?P<tenant>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})_(?P<id>t[0-9a-f]{10})_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", re.ASCII
)
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_BITS = 256
_SECRET_CHARS = 43
_CHECK_CHARS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A token that somebody shows. Nothing of it is believed yet."""

    tenant: TenantId
    """Whose door it is to be held against."""
    id: CredentialId
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A new token. Its text is shown once, and its hash is what is kept."""

    id: CredentialId
    text: str
    hash: str

    def __repr__(self) -> str:
        return f"Drawn(id={self.id!r})"  # a log must not tell the text


def draw(tenant: TenantId) -> Drawn:
    """Draw a new token of a tenant."""
    id = CredentialId("t" + token_hex(5))
    body = f"{PREFIX}{tenant}_{id}_{_in_62(randbits(_SECRET_BITS), _SECRET_CHARS)}"
    text = body + _check(body)
    return Drawn(id=id, text=text, hash=hash_of(text))


def read(text: str) -> Presented | None:
    """Read a token, with nothing but its text; nothing if it is mistyped, cut off, or something else."""
    if len(text) > TOKEN_CHARS_MAX:
        return None
    found = _FORM.fullmatch(text)
    if found is None or _check(text[:-_CHECK_CHARS]) != text[-_CHECK_CHARS:]:
        return None
    return Presented(tenant=TenantId(found["tenant"]), id=CredentialId(found["id"]), hash=hash_of(text))


def hash_of(text: str) -> str:
    """Hash all of a token, so that its secret counts for this tenant and this id alone."""
    return sha256(text.encode()).hexdigest()


def _check(body: str) -> str:
    return _in_62(crc32(body.encode()), _CHECK_CHARS)


def _in_62(number: int, chars: int) -> str:
    digits: list[str] = []
    for _ in range(chars):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
