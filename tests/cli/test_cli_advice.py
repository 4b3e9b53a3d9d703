"""Every command that a text of ours suggests can be typed as it stands, once its capitals are filled in."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Shell
from interlock.door.cli.main import parser, whole

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
        source = path.read_text(encoding="utf-8")
        for text in texts(ast.parse(source)) if "`interlock " in source else ():
            found.update(SUGGESTED.findall(text))
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("line", suggested())
def test_a_command_that_is_suggested_is_one(line: str) -> None:
    given, left = parser().parse_known_args(whole([FILLED_IN.get(word, word) for word in shlex.split(line)[1:]]))
    assert left == []
    needs = ONE_OF.get(given.command.name)
    assert needs is None or any(getattr(given, name) is not None for name in needs)


def test_the_texts_are_found() -> None:
    assert {"interlock contract publish FILE --env x1", "interlock action show x1"} < set(suggested())


def test_who_misspells_a_name_is_told_which_one_was_meant(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.refund("INV-1", 20)["action"]
    switch = on_file.data("switch", "stop", "--tool", "refund")["id"]
    budget = next(each["budget"] for each in on_file.data("budget", "show") if "/usd/" in each["budget"])
    for words, meant in (
        (["action", "show", f"{id[:8]}{'0' if id[8] != '0' else '1'}{id[9:]}"], id),
        (["switch", "resume", f"{switch[:3]}-{switch[4:]}"], switch),
        (["action", "list", "--state", "dnoe"], "done"),
        (["mode", "shop", "reed_only", "--env", "prod"], "read_only"),
        (["mode", "shpo"], "shop"),
        (["switch", "stop", "--class", "raed"], "read"),
        (["budget", "raise", f"shpo:{budget.removeprefix('shop:')}", "--by", "1"], budget),
        (["call", "look", "{}", "--workflow", "shpo"], "shop"),
        (["call", "look", "{}", "--workflow", "shop", "--env", "prdo"], "prod"),
    ):
        assert on_file.run(*words)[0] in (1, 2)
        assert f"did you mean `{meant}`?" in on_file.err, words
    assert "did you mean `look`? if not, " in on_file("call", "lok", "{}", "--env", "prod", code=5)


def test_an_id_that_resembles_several_names_none(on_file: Shell) -> None:
    on_file.publish()
    first, second = on_file.refund("INV-1", 20)["action"], on_file.refund("INV-4", 20)["action"]
    shared = next(at for at in range(21) if first[at] != second[at])
    said = on_file.failed("action", "show", f"{first[: shared - 1]}-")
    assert "list them: `interlock action list`" in said
    assert first not in said
