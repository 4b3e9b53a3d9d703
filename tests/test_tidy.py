"""House rules that no linter knows. The lists below only ever get shorter."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LONG_FILES: frozenset[str] = frozenset()
"""Files that were too long when the rule came. Never add one."""
PLAN_WORDS = re.compile(r"\b(TODO|FIXME|XXX|for now|phase \d|legacy|temporary hack)\b", re.IGNORECASE)


def functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(f"{path.relative_to(ROOT)}:{n.name}", (n.end_lineno or 0) - n.lineno + 1) for n in found]


def python_files() -> list[Path]:
    return [path for folder in ("src", "sdk", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]


def test_no_file_is_longer_than_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT))
        for path in python_files()
        if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES_MAX
    }
    assert long == LONG_FILES, "split the new ones; drop the ones that got shorter from the list"


def test_no_function_is_longer_than_a_screen() -> None:
    assert [name for path in python_files() for name, lines in functions(path) if lines > FUNCTION_LINES_MAX] == []


def test_no_file_speaks_of_plans() -> None:
    own = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in python_files()
        if path != own and (match := PLAN_WORDS.search(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SRC.rglob("*.py")
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_committed_file_names_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "*.txt", "*.toml", "*.json"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.split():
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"--(extra-)?index-url|--find-links|files\.pythonhosted|registry\.npmjs", text), name
