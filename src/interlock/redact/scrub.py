"""Taking secrets out of what was said: as they are, reversed, escaped, in hex, base64 and base32, in either case.

A text is looked at as it stands, with its escapes read, and without what may stand between the digits of a code. What
is met there is replaced where it begins and ends in the text. A secret that is cut into parts, encrypted or compressed
is not recognised: nothing that sees one answer alone could.
"""

import html
import json
import re
from base64 import b32encode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, cast
from urllib.parse import unquote

from interlock.core.canonical import Json
from interlock.core.limits import SCRUB_CHARS_MAX, SCRUB_NOW_CHARS_MAX, SECRET_CHARS_MIN
from interlock.redact.reading import readings

_TAIL_MIN = 4  # of a secret that a limit cut off; less than that is met by chance
_SCRUBBERS_MAX = 256
_EACH_CHARS = 64  # of a text take as long as whatever is done once for it
_AT_ONCE = 16  # parts into which many texts are split in which one is met
_BETWEEN_BYTES = b" \t\r\n:-_."
_BETWEEN = dict.fromkeys(_BETWEEN_BYTES)
"""What people and programs put between the parts of a code."""

_Decoder = tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]]


def _unescaped(found: re.Match[str]) -> str:
    text = found[0]
    if text[1] in "ux" and len(text) > 2:
        return chr(int(text[2:], 16))
    return _SHORT.get(text[1], text[1])


_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

_DECODERS: tuple[_Decoder, ...] = (
    ("%", re.compile(r"%[0-9A-Fa-f]{2}"), lambda found: chr(int(found[0][1:], 16))),
    ("\\", re.compile(r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)", re.DOTALL), _unescaped),
    ("&", re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});"), lambda found: html.unescape(found[0])),
)
_DEPTH = 2  # JSON in JSON, a URL in a URL


class _View:
    """A text as one way of reading sees it, and where each of its characters stands in the text itself."""

    __slots__ = ("ends", "starts", "text")

    def __init__(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        self.text = text
        self.starts = starts
        self.ends = ends

    @classmethod
    def of(cls, text: str) -> "_View":
        return cls(text, range(len(text)), range(1, len(text) + 1))

    def decoded(self, decoder: _Decoder) -> "_View":
        _, pattern, decode = decoder
        parts, starts, ends, at = list[str](), list[int](), list[int](), 0
        for found in pattern.finditer(self.text):
            parts.append(self.text[at : found.start()])
            starts += self.starts[at : found.start()]
            ends += self.ends[at : found.start()]
            read = decode(found)
            parts.append(read)
            starts += [self.starts[found.start()]] * len(read)
            ends += [self.ends[found.end() - 1]] * len(read)
            at = found.end()
        parts.append(self.text[at:])
        return _View("".join(parts), [*starts, *self.starts[at:]], [*ends, *self.ends[at:]])

    def joined(self) -> "_View":
        kept = [place for place, char in enumerate(self.text) if ord(char) not in _BETWEEN]
        text = "".join(self.text[place] for place in kept)
        return _View(text, [self.starts[place] for place in kept], [self.ends[place] for place in kept])


class Scrubber:
    """Knows the secrets of one action, and takes them out."""

    def __init__(self, name: str, texts: Sequence[str]) -> None:
        """Prepare for texts that must not come back.

        Args:
            name: what stands in their place.
            texts: each at least `SECRET_CHARS_MIN` characters long; shorter ones are left alone.
        """
        self.mark = f"[secret {name}]"
        parts = {part for text in texts for part in parts_of(text)}
        self._needles = tuple(sorted({_lower(form) for part in parts for form in _forms(part)}, key=len, reverse=True))
        joined = {needle.translate(_BETWEEN) for needle in self._needles}
        self._joined = tuple(sorted((each for each in joined if len(each) >= SECRET_CHARS_MIN), key=len, reverse=True))
        self._plain = all(needle.isascii() for needle in self._needles)
        self._needle_bytes = tuple(needle.encode() for needle in self._needles) if self._plain else ()
        self._joined_bytes = tuple(needle.encode() for needle in self._joined) if self._plain else ()

    def text(self, text: str, *, cut: bool = False) -> str:
        """Return a text without the secrets.

        Args:
            text: what was said.
            cut: whether it may end in the middle of one.
        """
        if not (cut or self._met(text)):
            return text
        return self._of_long(text) if len(text) > SCRUB_CHARS_MAX else self._of_short(text, cut=cut)

    def _of_short(self, text: str, *, cut: bool) -> str:
        """Take out what stands there in any form, and leave the rest."""
        spans = sorted(self._spans(text, cut=cut))
        out, at = list[str](), 0
        for start, end in _merged(spans):
            out += [text[at:start], self.mark]
            at = end
        return "".join([*out, text[at:]])

    def _of_long(self, text: str) -> str:
        """Take out what stands there as it is; where it stands in another form too, nothing of the text is left."""
        low = _lower(text)
        for needle in self._needles:
            if needle in low:
                parts, at = list[str](), 0
                while (found := low.find(needle, at)) >= 0:
                    parts += [text[at:found], self.mark]
                    at = found + len(needle)
                text = "".join([*parts, text[at:]])
                low = _lower(text)
        return self.mark if self._met(text) else text

    def json(self, value: Json) -> Json:
        """Return a value without the secrets, in its texts, in the names of its members and in its numbers.

        Raises:
            RecursionError: it is nested too deeply to be looked through.
        """
        # One look at all of it: almost always there is nothing to take out.
        left, room = dict[str, str](), SCRUB_CHARS_MAX
        for text in self._met_among(list(dict.fromkeys(_texts(value)))):
            room -= len(text) + _EACH_CHARS
            left[text] = self._of_short(text, cut=False) if room >= 0 else self._of_long(text)
        return _with(left, value) if left else value

    def _met_among(self, texts: Sequence[str]) -> Iterator[str]:
        """Find the texts in which it is met, by looks at many of them at once."""
        if not texts or not self._met("\0".join(texts)):
            return
        if len(texts) == 1:
            yield texts[0]
            return
        step = -(-len(texts) // _AT_ONCE)
        for at in range(0, len(texts), step):
            yield from self._met_among(texts[at : at + step])

    def _met(self, text: str) -> bool:
        if self._plain:
            return any(map(self._stands_in, readings(text)))
        for view in _readings(text):
            low = _lower(view)
            if any(needle in low for needle in self._needles):
                return True
            low = low.translate(_BETWEEN)
            if any(needle in low for needle in self._joined):
                return True
        return False

    def _stands_in(self, view: bytes) -> bool:
        low = view.lower()
        if any(needle in low for needle in self._needle_bytes):
            return True
        low = low.translate(None, _BETWEEN_BYTES)
        return any(needle in low for needle in self._joined_bytes)

    def _spans(self, text: str, *, cut: bool) -> Iterator[tuple[int, int]]:
        for view in _views(text):
            yield from _found(view, self._needles)
            yield from _found(view.joined(), self._joined)
            if cut:
                yield from _tail(view, self._needles)


def is_long(value: Json) -> bool:
    """Whether looking through a value takes so long that nobody should wait for it on a loop.

    Raises:
        RecursionError: it is nested too deeply to be looked through.
    """
    return any(size > SCRUB_NOW_CHARS_MAX for size in accumulate(len(text) + 1 for text in _texts(value)))


@lru_cache(_SCRUBBERS_MAX)
def scrubber(name: str, texts: tuple[str, ...]) -> Scrubber:
    """Return what takes these texts out; preparing it takes as long as many small answers."""
    return Scrubber(name, texts)


def parts_of(text: str) -> Iterator[str]:
    """Return what of a secret is one itself: all of it, each line, each text of a JSON object, a password in it."""
    lines = [line.strip() for line in text.splitlines()]
    own = [line for line in lines if not line.startswith("-----")] if len(lines) > 1 else []
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    inner = list(_texts(cast("Json", list(cast("dict[str, Any]", read).values())))) if isinstance(read, dict) else []
    passwords = [found[1] or found[2] for found in _PASSWORD.finditer(text)]
    passwords += [unquote(password) for password in passwords]
    yield from (part for part in (text, *own, *inner, *passwords) if len(part) >= SECRET_CHARS_MIN)


_PASSWORD = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#@]*?:([^/?#]+)@|^[^:/\s]+:(?!//)(\S+)$")
"""In an address with a user, and in `user:password`."""


def _forms(part: str) -> Iterator[str]:
    """Write a secret in every way that costs nothing to try."""
    raw = part.encode(errors="surrogatepass")
    units = part.encode("utf-16-be", "surrogatepass")
    # As it is, and as readers see it that take bytes, or units of 16 bits, for characters.
    read = (part, raw.decode("latin-1"), "".join(chr(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2)))
    for same in {case for each in read for case in (each, each.upper(), each.lower(), each.swapcase())}:
        for signs in (same, same.replace(" ", "+")):
            yield from (signs, signs[::-1])
    yield from (raw.hex(), raw[::-1].hex())
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            yield _core(encode(bytes(before) + raw), before, len(raw), bits=6)
    for before in range(5):
        yield _core(b32encode(bytes(before) + raw), before, len(raw), bits=5)


def _core(encoded: bytes, before: int, length: int, *, bits: int) -> str:
    """Return the digits that depend on nothing but the secret, whatever stands around it."""
    return encoded[-(-before * 8 // bits) : (before + length) * 8 // bits].decode()


def _readings(text: str) -> Iterator[str]:
    """Return a text in each way of reading it that makes a difference, without keeping where what stands."""
    seen = {text}
    layer = [text]
    for _ in range(_DEPTH):
        layer = [pattern.sub(decode, each) for each in layer for sign, pattern, decode in _DECODERS if sign in each]
        seen.update(layer)
    yield from seen


def _views(text: str) -> Iterator[_View]:
    layer = [_View.of(text)]
    yield from layer
    for _ in range(_DEPTH):
        layer = [view.decoded(decoder) for view in layer for decoder in _DECODERS if decoder[0] in view.text]
        yield from layer


def _found(view: _View, needles: Sequence[str]) -> Iterator[tuple[int, int]]:
    low = _lower(view.text)
    for needle in needles:
        at = low.find(needle)
        while at >= 0:
            yield view.starts[at], view.ends[at + len(needle) - 1]
            at = low.find(needle, at + len(needle))


def _tail(view: _View, needles: Sequence[str]) -> Iterator[tuple[int, int]]:
    low = _lower(view.text)
    for needle in needles:
        for length in range(min(len(needle) - 1, len(low)), _TAIL_MIN - 1, -1):
            if low.endswith(needle[:length]):
                yield view.starts[len(low) - length], view.ends[-1]
                break


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _with(left: Mapping[str, str], value: Json) -> Json:
    """Put what is left of texts in their place."""
    match value:
        case str():
            return left.get(value, value)
        case bool() | None:
            return value
        case int() | float():
            return left.get(str(value), value)
        case Mapping():
            return {left.get(name, name): _with(left, inner) for name, inner in value.items()}
        case _:
            return [_with(left, inner) for inner in value]


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield str(value)
        case Mapping():
            for name, inner in value.items():
                yield name
                yield from _texts(inner)
        case _:
            for inner in value:
                yield from _texts(inner)


def _lower(text: str) -> str:
    # Only ASCII: what Unicode makes of other letters can be longer, and every place would be another one.
    return text.encode(errors="surrogatepass").lower().decode(errors="surrogatepass")
