"""Console sessions that the documentation shows: typed again, and compared line by line."""

import re
import shlex

import pytest

from interlock.door.cli.main import main

_DRAWN = re.compile(
    r"\b(?:ilk_\w+_t[0-9a-f]{10}_[0-9A-Za-z]{49}|t[0-9a-f]{10}|[0-9a-f]{64}|g?[0-9a-f]{16}|a[0-9a-z]{19})\b"
)
"""Tokens, hashes, grants and actions: drawn anew each time."""
_PASSING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "TIME"),
    (r"\S+ \(os:\d+\)", "PERSON"),
    (r"(?<=by )\S+(?=, TIME)", "PERSON"),
)


def steps(page: str) -> list[tuple[str, str]]:
    """Each command of a page with the output that it shows."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    parts = [part.partition("\n") for block in blocks for part in block.split("$ ")[1:]]
    return [(command, output) for command, _, output in parts]


def type_again(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Type every command of a page, with the ids that came up in place of those that are shown."""
    came_up: dict[str, str] = {}
    for command, output in steps(page):
        words = shlex.split(_DRAWN.sub(lambda found: came_up.get(found[0], found[0]), command))
        assert words[0] == "interlock"
        main(words[1:])
        said = capsys.readouterr().out
        assert _steady(said) == _steady(output), command
        came_up.update(zip(_DRAWN.findall(output), _DRAWN.findall(said), strict=True))


def _steady(text: str) -> str:
    text = _DRAWN.sub(lambda found: f"DRAWN{len(found[0])}", text)
    for pattern, name in _PASSING:
        text = re.sub(pattern, name, text)
    return text.strip()
