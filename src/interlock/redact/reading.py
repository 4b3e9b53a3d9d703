"""Every way in which escapes of a text can be read that make a difference to a secret of plain ASCII.

Whole texts are rewritten by functions of C, never sign by sign: whoever answers chooses how many escapes there are.
What is no ASCII may be read as anything, because no such secret has any of it.
"""

import html.entities
from binascii import a2b_qp
from collections.abc import Callable, Iterator
from itertools import repeat

_DEPTH = 2  # JSON in JSON, a URL in a URL
_EQUALS, _SLASH = b"\xfe", b"\xff"  # bytes that no text has in UTF-8
_SHORT = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\b", b"\b"), (b"\\f", b"\f"))


def readings(text: str) -> Iterator[bytes]:
    """Return a text as it stands, and as each way of reading its escapes sees it, in UTF-8."""
    whole = text.encode(errors="surrogatepass")
    yield whole
    seen, layer = {whole}, [whole]
    for _ in range(_DEPTH):
        layer = {read(each) for each in layer for sign, read in _READERS if sign in each} - seen
        yield from layer
        seen |= layer


def _percents(text: bytes) -> bytes:
    """Read `%41`."""
    return _hexes(text.replace(b"=", _EQUALS), b"%", literal=b"%")


def _slashes(text: bytes) -> bytes:
    r"""Read `\u0041`, `\x41`, `\n` and `\"`."""
    text = text.replace(b"\\\\", _SLASH).replace(b"=", _EQUALS)
    for escape, char in _SHORT:
        text = text.replace(escape, char)
    # In what is quoted-printable `=41` is read, by a function of C.
    return _hexes(text.replace(b"\\u00", b"\\x"), b"\\x", literal=b"x", left=b"\\").replace(_SLASH, b"\\")


def _hexes(text: bytes, sign: bytes, *, literal: bytes, left: bytes = b"") -> bytes:
    """Read two hexadecimal digits after a sign.

    Args:
        text: has `_EQUALS` for each `=`.
        sign: what stands before the digits.
        literal: what the sign is where no digits follow.
        left: what is taken away before they are read.
    """
    text = text.replace(sign + b"3D", _EQUALS).replace(sign + b"3d", _EQUALS).replace(sign, b"=")
    if left:
        text = text.replace(left, b"")
    for end in (b"\n", b"\r"):
        text = text.replace(b"=" + end, literal + end)  # else it would join lines
    text = text.replace(b"==", literal + b"=").replace(b"==", literal + b"=")
    if text.endswith(b"="):
        text = text[:-1] + literal
    return a2b_qp(text).replace(b"=", literal).replace(_EQUALS, b"=")


def _entities(text: bytes) -> bytes:
    """Read `&amp;`, `&#65;` and `&#x41;`."""
    first, *rest = text.split(b"&")
    parts = map(bytes.partition, rest, repeat(b";"))
    return first + b"".join([_ENTITIES.get(name + end, b"&" + name + end) + after for name, end, after in parts])


def _entity_names() -> Iterator[tuple[str, str]]:
    """Return the name of each character of ASCII, in every way of writing it."""
    for name, char in html.entities.html5.items():
        if name.endswith(";") and char.isascii():
            yield name[:-1], char
    for code in range(128):
        for digits in range(1, 8):
            yield f"#{code:0{digits}d}", chr(code)
        for digits in range(1, 7):
            for sign in "xX":
                number = f"{code:0{digits}x}"
                for written in {number, number.upper()}:
                    yield f"#{sign}{written}", chr(code)


_ENTITIES = {f"{name};".encode(): char.encode() for name, char in _entity_names()}
_READERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"%", _percents),
    (b"\\", _slashes),
    (b"&", _entities),
)
