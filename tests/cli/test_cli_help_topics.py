"""`help`: every page and every word, in 80 columns, from the documentation itself."""

import glob
import json
import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from test_cli_width import too_wide

from command_line import ROOT, Shell, child
from interlock.door.cli.helping import FOLDER, Topics
from interlock.door.cli.page import plain, sections
from interlock.door.cli.table import COMMANDS

PAGES = sorted(path.stem for path in (ROOT / "docs").glob("[a-z]*.md"))
CODE = re.compile(r"^ {4}")


def test_the_pages_are_those_of_the_documentation() -> None:
    assert FOLDER.samefile(ROOT / "docs")
    assert sorted(Topics(FOLDER).pages) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_every_page_fits_and_loses_no_word(page: str, on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = on_file("help", page)
    assert [line for line in too_wide(said) if not CODE.match(line)] == []
    assert not any("**" in line for line in said.splitlines() if not CODE.match(line))
    # What is left out: comments, where links lead, the language of code, and the heads of tables.
    marks = re.compile(r"<!--.*?-->|\]\(.*?\)|```\w*|^\|.*\|\n\|[-|]+\|$", re.MULTILINE)
    written = marks.sub(" ", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    lost = set(re.findall(r"[A-Za-z_]{3,}", written)) - set(re.findall(r"[A-Za-z_]{3,}", said))
    assert lost == set()


@pytest.mark.slow
def test_every_word_of_the_glossary_and_every_command_is_explained(on_file: Shell) -> None:
    topics = Topics(FOLDER)
    assert {"lease", "hold", "settle", "ask", "deny"} < topics.words.keys()
    for word, said in topics.words.items():
        if word not in topics.pages:
            assert said.split()[0] in on_file("help", *word.split())
    for command in COMMANDS:
        assert on_file("help", *command.name.split())


def test_a_word_a_section_and_a_command(on_file: Shell) -> None:
    assert on_file("help", "lease") == snapshot("""\
lease
    until when whoever performs an action must have ended; fixed at the start
""")
    assert on_file("help", "undo").endswith("more: `interlock help promises`, `interlock undo --help`\n")
    assert on_file("help", "Exit", "codes").startswith("Exit codes\n----------\n\ncode")
    assert on_file("help", "contract init").startswith("usage: interlock contract init")
    assert on_file("help", "approvals.yellow").startswith("`approvals.yellow`, `approvals.red`\n\nWho agrees")
    assert on_file.data("help", "lease")["topic"] == "lease"


def test_without_a_topic_it_lists_them(on_file: Shell) -> None:
    said = on_file("help")
    assert all(f"\n  {page} " in said for page in PAGES)
    assert "hold, settle" in " ".join(said.split())


def test_who_misspells_a_topic_is_told_the_nearest(on_file: Shell) -> None:
    assert "did you mean `interlock help lease`" in " ".join(on_file.failed("help", "leese").split())
    assert "see what there is: `interlock help`" in on_file.failed("help", "qqqqqq")


def test_markdown_as_we_write_it_becomes_plain() -> None:
    page = """\
# A `title`

Some **bold** text with [a page](tools.md#x) and
[a link](https://example.com).

- one
  goes on
- two

| word | kind | meaning |
|---|---|---|
| `a \\| b` | | %s |

```yaml
# no title
```
""" % ("long " * 12)
    assert plain(page, 60) == snapshot("""\
A `title`
=========

Some bold text with a page (`interlock help tools`) and a
link.

- one goes on
- two

word     kind  meaning
`a | b`        long long long long long long long long long
               long long long

    # no title\
""")
    assert [title for title, _ in sections(page)] == ["A title"]


def test_a_command_of_a_page_that_is_too_wide_can_still_be_copied_into_a_shell(tmp_path: Path) -> None:
    typed = """    echo one 'two  three' "$(echo four five)" \\
      -n 'six  seven'
    interlock call tool '{"id": "I1", "text": "Paid in full."}' --for sam
    SAID=$(interlock token new bot --for sam); export MORE=$(interlock token new)
    echo $SAID $MORE
"""
    narrow = plain(typed, 24)
    assert narrow != typed.rstrip()
    heard = [
        subprocess.run(["sh", "-c", f"interlock() {{ printf '%s|' \"$@\"; }}\n{each}"], capture_output=True, check=True)
        for each in (typed, narrow)
    ]
    assert heard[0].stdout == heard[1].stdout
    assert b"two  three" in heard[0].stdout
    assert b"Paid in full" in heard[0].stdout


def run_at_a_terminal(folder: Path, pager: str, *words: str) -> str:
    """Run a command with a terminal of 24 lines as its output, and return what came out of it."""
    ours, theirs = pty.openpty()
    env = {**child(), "PAGER": pager, "COLUMNS": "80", "LINES": "24", "TERM": "dumb"}
    ended = subprocess.Popen(
        [sys.executable, "-m", "interlock", *words], stdout=theirs, stdin=theirs, cwd=folder, env=env
    )
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65_536):
            said += part
    except OSError:  # how a terminal says that nobody is left at its other end
        pass
    os.close(ours)
    assert ended.wait(timeout=30) == 0
    return said.decode().replace("\r", "")


def test_a_long_page_is_paged_where_a_person_reads_it(tmp_path: Path) -> None:
    assert run_at_a_terminal(tmp_path, "head -n 2", "help", "contract") == "The contract\n============\n"
    assert run_at_a_terminal(tmp_path, "false", "help", "lease").startswith("lease\n")
    assert "What is not enforced" in run_at_a_terminal(tmp_path, "", "help", "contract")
    assert "What is not enforced" in run_at_a_terminal(tmp_path, "no-such-pager", "help", "contract")
    assert json.loads(run_at_a_terminal(tmp_path, "false", "help", "contract", "--json"))["topic"] == "contract"


def test_what_is_installed_has_the_pages_and_what_contract_init_writes() -> None:
    package = ROOT / "src" / "interlock"
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns: list[str] = listed["tool"]["setuptools"]["package-data"]["interlock"]
    installed = {name for pattern in patterns for name in glob.glob(pattern, root_dir=package, recursive=True)}
    starters = [path for path in package.glob("door/cli/starters/*/*") if path.suffix in (".py", ".yaml")]
    assert len(starters) == 15
    assert {str(path.relative_to(package)) for path in starters} <= installed
    assert {f"docs/{page}.md" for page in PAGES} <= installed
