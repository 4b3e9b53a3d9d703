"""Every promise has a test, and every test that names a promise names one that exists."""

import ast
import re
from pathlib import Path

from promises import PROMISES

TESTS = Path(__file__).parent


def named_by_tests() -> dict[str, set[str]]:
    """By promise, the test functions that name it."""
    found: dict[str, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                        for argument in mark.args:
                            found.setdefault(ast.literal_eval(argument), set()).add(node.name)
    return found


def test_every_promise_has_a_test() -> None:
    assert sorted(set(PROMISES) - set(named_by_tests())) == []


def test_every_promise_that_a_test_names_exists() -> None:
    assert sorted(set(named_by_tests()) - set(PROMISES)) == []


def test_every_promise_is_written_down_where_it_says() -> None:
    root = TESTS.parent
    for id, promise in PROMISES.items():
        file, _, anchor = promise.source.partition("#")
        headings = re.findall(r"^#+ `(\w+)`", (root / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor == id
        assert id in headings, f"`{id}` is not in {file}"
