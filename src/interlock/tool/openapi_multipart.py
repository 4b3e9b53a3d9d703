"""Parts of a `multipart/form-data` body (RFC 7578). Whatever an argument says stays inside of its own part.

What a header of a part cannot hold is refused or, as browsers do, written as a code; no text of a part has the
boundary in it. The same arguments are the same bytes, so that a request that is sent again is the same request.
"""

import base64
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import rfc8785

from interlock.core.canonical import Json, canonical
from interlock.core.errors import UpstreamFailed
from interlock.core.limits import FILE_BYTES_MAX
from interlock.tool.openapi_plan import Part, Sent

NAME_CHARS_MAX = 255
"""Of a file; file systems allow no more."""
_TYPE = re.compile(r"[\x21-\x7e]+(?: ?; ?[\x21-\x7e]+)*")
_NEVER_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One part as it leaves, without what separates it from the next."""

    name: str
    file: str
    type: str
    content: bytes

    def head(self) -> bytes:
        file = f'; filename="{_quoted(self.file)}"' if self.file else ""
        type = f"Content-Type: {self.type}\r\n" if self.type else ""
        return f'Content-Disposition: form-data; name="{_quoted(self.name)}"{file}\r\n{type}\r\n'.encode()


def multipart(sent: list[Sent], arguments: Mapping[str, Json]) -> tuple[str, bytes]:
    """Write a body; return the type of its content with it.

    Raises:
        UpstreamFailed: an argument cannot be a part, or there is none.
    """
    given = [each for each in sent if each.argument in arguments]
    parts = [part for each in given for part in _parts(each, arguments[each.argument])]
    if not parts:
        raise _never("there is nothing to make a part of")
    texts = [(part.head(), part.content) for part in parts]
    boundary = _boundary(texts)
    body = b"".join(b"--%s\r\n%s%s\r\n" % (boundary, head, content) for head, content in texts)
    return f"multipart/form-data; boundary={boundary.decode()}", body + b"--%s--\r\n" % boundary


def can_be_named(name: str) -> bool:
    """Whether a part or a file can have this name: for nobody who reads it, it is two, or somewhere else."""
    plain = not any(unicodedata.category(char) in _NEVER_IN_NAMES for char in name)
    return plain and name == name.strip() != "" and "\\" not in name


def _boundary(texts: list[tuple[bytes, bytes]]) -> bytes:
    whole = b"".join(part for text in texts for part in text)
    seed = whole
    while (boundary := b"interlock-" + sha256(seed).hexdigest()[:40].encode()) in whole:
        seed = boundary
    return boundary


def _parts(sent: Sent, value: Json) -> Iterator[Written]:
    """Return the parts that an argument is: one, or one for each item of a list."""
    part = sent.part
    assert part is not None, "each member of such a body says as which part it leaves"
    if not sent.explode:
        yield _part(sent, part, value)
        return
    items = cast("list[Json]", value) if isinstance(value, list) else []
    if not items:
        raise _never(f"`{sent.argument}` is no list, or an empty one, which parts cannot say")
    for item in items:
        yield _part(sent, part, item)


def _part(sent: Sent, part: Part, value: Json) -> Written:
    match part.given:
        case "json":
            return _written(sent, part, canonical(value))
        case "text":
            return _written(sent, part, _text(sent, value).encode())
        case "base64":
            text = _text(sent, value)
            _decoded(sent, text)
            return _written(sent, part, text.encode())
        case "text file" | "base64 file":
            return _file(sent, part, value)


def _written(sent: Sent, part: Part, content: bytes) -> Written:
    return Written(name=sent.name, file="", type=part.type, content=content)


def _text(sent: Sent, value: Json) -> str:
    if value is None or isinstance(value, dict | list):
        raise _never(f"`{sent.argument}` is nothing, or has parts, and belongs in a text")
    return value if isinstance(value, str) else rfc8785.dumps(value).decode()


def _file(sent: Sent, part: Part, value: Json) -> Written:
    if not isinstance(value, dict):
        raise _never(f"`{sent.argument}` is no file")
    name, type = str(value["name"]), str(value.get("type", part.type))
    if not can_be_named(name) or "/" in name or name in (".", "..") or len(name) > NAME_CHARS_MAX:
        raise _never(f"the file `{sent.argument}` has a name that is empty, too long, a folder or a control character")
    if not _TYPE.fullmatch(type):
        raise _never(f"the type of the file `{sent.argument}` is none")
    if part.given == "text file":
        content = str(value["text"]).encode()
    else:
        content = _decoded(sent, str(value["base64"]))
    if len(content) > FILE_BYTES_MAX:
        raise _never(f"the file `{sent.argument}` has more than {FILE_BYTES_MAX:,} bytes")
    return Written(name=sent.name, file=name, type=type, content=content)


def _decoded(sent: Sent, text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _never(f"`{sent.argument}` is not in base64") from error
    if len(content) > FILE_BYTES_MAX:
        raise _never(f"`{sent.argument}` has more than {FILE_BYTES_MAX:,} bytes")
    return content


def _quoted(name: str) -> str:
    # As browsers write it: what would end the text in quotes becomes a code (https://html.spec.whatwg.org).
    return name.replace('"', "%22")


def _never(why: str) -> UpstreamFailed:
    return UpstreamFailed(f"{why}, so nothing was sent", fix="call it with another value")
