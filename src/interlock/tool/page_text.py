"""The text of a web page, in time that grows with its length alone, whoever wrote it.

The parser of the standard library takes quadratic time over markup that never ends, and a page may be an attack.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from interlock.core.limits import PAGE_TEXT_CHARS_MAX

_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9:-]{0,40})")
_RAW = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "plaintext"})
"""Elements whose content is no markup."""
_UNSEEN = frozenset(
    {"head", "noscript", "template", "svg", "math", "canvas", "audio", "video", "object", "select", "dialog"}
)
"""Elements of which a reader sees nothing, or no text."""
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "i", "kbd", "mark", "q", "s", "samp", "small"}
    | {"span", "strong", "sub", "sup", "time", "u", "var", "wbr", "font", "label"}
)
_HIDES = re.compile(
    r"""\shidden(?=[\s=/]|$)|\saria-hidden\s*=\s*["']?true|display\s*:\s*none|visibility\s*:\s*hidden""", re.IGNORECASE
)
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """What a person would read of a page."""

    title: str
    text: str
    cut: bool
    """Whether there is more of it."""


@dataclass(slots=True)
class _Reader:
    """Goes over a page once, from its beginning to its end."""

    html: str
    title: str = ""
    parts: list[str] = field(default_factory=list[str])
    unseen: str = ""
    """The element that hides what it holds."""
    depth: int = 0
    """How often it stands in itself."""
    _lower: str = ""

    def read(self) -> None:
        self._lower = self.html.lower()
        at = 0
        while at < len(self.html):
            tag = self.html.find("<", at)
            self._text(self.html[at : tag if tag >= 0 else len(self.html)])
            if tag < 0:
                return
            at = self._markup(tag)

    def _text(self, text: str) -> None:
        if not self.unseen and text:
            self.parts.append(unescape(text))

    def _markup(self, at: int) -> int:
        """Read what begins with `<`, and return where it ends."""
        if self.html.startswith("<!--", at):
            return self._after("-->", at + 4)
        named = _NAME.match(self.html, at + 1)
        if named is None:
            if self.html.startswith(("<!", "<?"), at):
                return self._after(">", at)
            self._text("<")
            return at + 1
        end = self._after(">", at)
        name, closes = named[1].lower(), self.html.startswith("</", at)
        if not closes and name in _RAW:
            return self._raw(name, end)
        self._element(name, self.html[named.end() : end - 1], closes=closes)
        return end

    def _after(self, text: str, at: int) -> int:
        found = self.html.find(text, at)
        return found + len(text) if found >= 0 else len(self.html)

    def _raw(self, name: str, at: int) -> int:
        end = self._lower.find(f"</{name}", at)
        end = end if end >= 0 else len(self.html)
        if name == "title" and not self.title:
            self.title = _tidy(unescape(self.html[at:end])).replace("\n", " ")
        return self._after(">", end)

    def _element(self, name: str, about: str, *, closes: bool) -> None:
        if self.unseen:
            if name == self.unseen and not about.endswith("/"):
                self.depth += -1 if closes else 1
                self.unseen = self.unseen if self.depth else ""
        elif not closes and name not in _VOID and (name in _UNSEEN or _HIDES.search(about)):
            self.unseen, self.depth = name, 1
        elif name not in _INLINE:
            self.parts.append("\n")


def text_of(html: str) -> PageText:
    """Return the text of a page, without scripts, styles and what it hides."""
    reader = _Reader(html)
    reader.read()
    return _cut(reader.title, "".join(reader.parts))


def plain_text(text: str) -> PageText:
    """Return a text that is no page."""
    return _cut("", text)


def _cut(title: str, text: str) -> PageText:
    tidy = _tidy(text)
    return PageText(title=title[:_TITLE_MAX], text=tidy[:PAGE_TEXT_CHARS_MAX], cut=len(tidy) > PAGE_TEXT_CHARS_MAX)


def _tidy(text: str) -> str:
    visible = "".join(_visible(text))
    return _LINES.sub("\n", _SPACES.sub(" ", visible)).strip()


def _visible(text: str) -> Iterator[str]:
    """Leave out characters that nobody sees, such as those that turn the direction of others."""
    return (char for char in text if char.isprintable() or char.isspace())


_TITLE_MAX = 300
