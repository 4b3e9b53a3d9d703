"""Every command that a text of ours suggests can be typed as it stands, once its capitals are filled in."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.door.cli.main import parser

SRC = Path(__file__).parent.parent.parent / "src"
SUGGESTED = re.compile(r"`(interlock [^`]+)`")
FILLED_IN = {"VERDICT": "abandon"}
"""What stands for a word in capitals where not every word would do."""
ONE_OF = {"policy explain": ("tool", "action"), "undo": ("id", "run_id")}
"""What a command needs one of, and says only when it is run."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Find the texts of a module that can be told, with a word for each value that is put in."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            told |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x1" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def suggested() -> list[str]:
    found: set[str] = set()
    for path in SRC.rglob("*.py"):
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            found.update(SUGGESTED.findall(text))
    return sorted(found)


@pytest.mark.parametrize("line", suggested())
def test_a_command_that_is_suggested_is_one(line: str) -> None:
    given, left = parser().parse_known_args([FILLED_IN.get(word, word) for word in shlex.split(line)[1:]])
    assert left == []
    needs = ONE_OF.get(given.command.name)
    assert needs is None or any(getattr(given, name) is not None for name in needs)


def test_the_texts_are_found() -> None:
    assert {"interlock contract publish FILE --env x1", "interlock action show x1"} < set(suggested())
