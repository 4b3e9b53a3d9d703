"""`help`: a page of the documentation, a section of one, a word of the glossary, or a command, as plain text."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from interlock.core.errors import InterlockError
from interlock.core.wording import close
from interlock.door.cli.main import parser
from interlock.door.cli.manual import manual
from interlock.door.cli.page import plain, rows, sections
from interlock.door.cli.pager import show_paged
from interlock.door.cli.render import wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.table import COMMANDS, GROUPS

FOLDER = Path(__file__).parents[2] / "docs"
"""The documentation: in a checkout its own folder, in an installation a copy."""
_INDEX = "README.md"
"""What a list of topics is here."""
_WIDTH_MAX = 100
_NEAREST = 3


@dataclass(frozen=True)
class Topics:
    """Everything that can be asked for."""

    folder: Path

    @cached_property
    def pages(self) -> Mapping[str, str]:
        """The pages, by name."""
        files = [path for path in sorted(self.folder.glob("*.md")) if path.name != _INDEX]
        return {path.stem: path.read_text(encoding="utf-8") for path in files}

    @cached_property
    def words(self) -> Mapping[str, str]:
        """The words of the glossary. Those that are explained together have one meaning."""
        lines = [line for line in self.pages.get("glossary", "").splitlines() if line.startswith("|")]
        return {word.strip(): said for words, said in rows(lines)[1:] for word in words.split(",")}

    @cached_property
    def sections(self) -> Mapping[str, list[tuple[str, str]]]:
        """The sections, by their titles: of which page, and what they say."""
        found: dict[str, list[tuple[str, str]]] = {}
        for page, text in self.pages.items():
            for title, said in sections(text):
                for name in title.lower().split(", "):
                    found.setdefault(name, []).append((page, said))
        return found

    @property
    def names(self) -> set[str]:
        return {*self.pages, *self.words, *self.sections, *_commands()}


def explained(typed: Typed) -> int:
    """Explain a topic, or list what there is."""
    topics, width = Topics(FOLDER), min(typed.screen.width, _WIDTH_MAX)
    topic = " ".join(typed.given.topic).strip().lower()
    if typed.given.man:
        text = manual(topics.pages["command-line"])
        typed.screen.show({"man": text}, text.rstrip("\n"))
        return 0
    text = _text(topics, topic, width) if topic else _list(topics, width)
    show_paged(typed.screen, {"topic": topic, "text": text}, text)
    return 0


def _text(topics: Topics, topic: str, width: int) -> str:
    if topic in topics.pages:
        return plain(topics.pages[topic], width)
    if topic in topics.words:
        lines = [topic, wrapped("    " + topics.words[topic], width, hang=4), *_more(topics, topic, width)]
        return "\n".join(lines)
    if topic in topics.sections:
        return "\n\n".join(plain(said, width) for _, said in topics.sections[topic])
    if topic in _commands():
        return _help_of(topic)
    near = close(topic, topics.names, most=_NEAREST)
    meant = ", ".join(f"`interlock help {name}`" for name in near)
    fix = f"did you mean {meant}?" if near else "see what there is: `interlock help`"
    raise InterlockError(f"there is no topic `{topic}`", fix=fix)


def _more(topics: Topics, word: str, width: int) -> list[str]:
    """Say where more about a word stands."""
    places = dict.fromkeys(f"interlock help {page}" for page, _ in topics.sections.get(word, ()))
    lines = [*places, *([f"interlock {word} --help"] if word in _commands() else [])]
    return ["", wrapped(f"more: {', '.join(f'`{line}`' for line in lines)}", width, hang=6)] if lines else []


def _commands() -> set[str]:
    return {*GROUPS, *(each.name for each in COMMANDS)}


def _help_of(command: str) -> str:
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        parser().parse_args([*command.split(), "--help"])
    return said.getvalue().rstrip("\n")


def _list(topics: Topics, width: int) -> str:
    titles = [(name, text.partition("\n")[0].removeprefix("# ")) for name, text in topics.pages.items()]
    broad = max((len(name) for name, _ in titles), default=0)
    pages = [f"  {name:{broad}}  {title}" for name, title in titles]
    words = wrapped(f"  {', '.join(topics.words)}", width, hang=2)
    last = "`interlock help` also knows the titles of sections, such as `exit codes`, and every command."
    return "\n".join(["pages:", *pages, "", "words:", words, "", wrapped(last, width)])
