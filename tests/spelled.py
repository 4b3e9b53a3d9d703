"""The ways in which a secret could be written down, made without the code that looks for them."""

import base64
import html
import json
import urllib.parse
from collections.abc import Callable, Mapping

Spell = Callable[[str], str]


def _within(encode: Callable[[bytes], bytes], before: int) -> Spell:
    """Encode it in the middle of other bytes, where none of its own digits looks as it does alone."""
    return lambda text: encode(b"x" * before + text.encode() + b"yz").decode()


SPELLED: Mapping[str, Spell] = {
    "plain": lambda text: text,
    "swapped case": str.swapcase,
    "upper case": str.upper,
    "reversed": lambda text: text[::-1],
    "reversed and swapped": lambda text: text[::-1].swapcase(),
    "hex": lambda text: text.encode().hex(),
    "hex in capitals": lambda text: text.encode().hex().upper(),
    "hex with colons": lambda text: text.encode().hex(":"),
    "url": lambda text: urllib.parse.quote(text, safe=""),
    "url with plus": urllib.parse.quote_plus,
    "url, each byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "url in a url": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "json": lambda text: json.dumps(text)[1:-1],
    "json, each sign": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "html": html.escape,
    "html, each sign": lambda text: "".join(f"&#{ord(char)};" for char in text),
    **{f"base64 after {before}": _within(base64.b64encode, before) for before in range(3)},
    **{f"base64url after {before}": _within(base64.urlsafe_b64encode, before) for before in range(3)},
    "base64 in lines": lambda text: base64.encodebytes(text.encode() * 3).decode(),
    **{f"base32 after {before}": _within(base64.b32encode, before) for before in range(5)},
}
