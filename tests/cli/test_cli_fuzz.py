"""Whatever is typed: no traceback, an exit code that is documented, an error with a fix."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import Shell
from interlock.door.cli.main import main
from interlock.door.cli.table import COMMANDS

pytestmark = pytest.mark.slow


WORDS = st.sampled_from(
    [each for command in COMMANDS for each in command.name.split()]
    + [name for command in COMMANDS for each in command.takes for name in each.names if name.startswith("-")]
    + ["--json", "--tenant", "-", "--", "{}", '{"invoice":"I","usd":80}', "prod", "shop", "act", "a", "a1", "5"]
)
ODD = st.text(max_size=12) | st.sampled_from(["\x00", "\ud800", "\u202e", "\x1b[31m", "1e400", "-1", "[" * 50])
GO_ON = {"serve", "mcp stdio", "witness serve"}
"""They go on until they are told to stop. Here they get a line that cannot be meant, whatever else is in it."""
NO_FILES = {"--store", "--keys", "--out", "--args"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COMMANDS), st.lists(WORDS | ODD, max_size=6))
def test_no_line_ends_in_a_traceback(on_file: Shell, command: object, words: list[str]) -> None:
    if not Path(on_file.where).exists():
        on_file.publish()
    line = [*next(each.name for each in COMMANDS if each is command).split(), *words]
    if line[0] == "attend":
        line.insert(1, "--once")  # without it, it goes on as well
    if " ".join(line[: len(line) - len(words)]) in GO_ON:
        line.append("--for-ever")
    if NO_FILES & {word.partition("=")[0] for word in line} or line[0] == "keys":
        return
    code = main([*line[:2], *on_file.common, *line[2:]], clock=on_file.clock)
    out, err = on_file.capsys.readouterr()
    assert code in (0, 1, 2, 3, 4, 5, 6, 7)
    assert "Traceback" not in err
    if code in (1, 2) and not out:
        assert '"fix": ' in err if "--json" in line else "\nfix: " in err


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40) | st.sampled_from(["[" * 9999, '{"a":1,"a":2}', "NaN", '"\\ud800"', '{"usd":1e999}']))
def test_no_arguments_end_in_a_traceback(on_file: Shell, text: str) -> None:
    if not Path(on_file.where).exists():
        on_file.publish()
    for words in (["call", "refund"], ["policy", "explain", "refund", "--contract", "shop.yaml"]):
        code = main([*words, *on_file.common, f"--args={_file(text)}"], clock=on_file.clock)
        on_file.capsys.readouterr()
        assert code in (0, 1, 2, 3, 5)


def test_an_error_is_json_where_json_is_wanted(on_file: Shell) -> None:
    assert main(["explain", "a1", "--json", *on_file.common]) == 1
    out, err = on_file.capsys.readouterr()
    assert out == ""
    said = json.loads(err)
    assert said.keys() == {"error", "fix", "code"}
    assert main(["fly", "--json"]) == 2
    assert json.loads(on_file.capsys.readouterr().err)["code"] == "usage_wrong"
    on_file.publish()
    assert main(["explain", "a1", "--json", *on_file.common]) == 1
    assert json.loads(on_file.capsys.readouterr().err)["code"] == "action_unknown"


def _file(text: str) -> str:
    path = Path("fuzzed.json")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(path)
