"""Whoever types Ctrl-C sees no trace of Python, at whatever moment, and the shell is told of it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import SHOP, child

pytestmark = pytest.mark.slow


_INTERRUPTED = 130

_AT_AN_IMPORT = """
import os, signal, sys

class Interrupts:
    left = int(sys.argv.pop(1))
    def find_spec(self, *what):
        if "interlock.__main__" in sys.modules:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
import interlock.__main__ as command
sys.exit(command.run())
"""

_AT_ITS_END = """
import atexit, os, signal, sys
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
import interlock.__main__ as command
sys.exit(command.run())
"""


def interrupted(folder: Path, program: str, *words: str) -> tuple[int, str]:
    """Run a program that interrupts itself; return its exit code and what it said beside its data."""
    command = [sys.executable, "-c", program, *words]
    ran = subprocess.run(command, cwd=folder, env=child(), capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("nth", [1, 2, 5, 10, 20, 40, 80, 120, 160])
def test_an_interrupt_while_it_begins_ends_it_in_silence(tmp_path: Path, nth: int) -> None:
    check = ("contract", "check", str(SHOP))
    assert interrupted(tmp_path, _AT_AN_IMPORT, str(nth), *check) == (_INTERRUPTED, "")


def test_an_interrupt_while_it_ends_ends_it_in_silence(tmp_path: Path) -> None:
    assert interrupted(tmp_path, _AT_ITS_END, "contract", "schema") == (_INTERRUPTED, "")


def test_an_interrupt_while_it_works_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / ".interlock").mkdir()
    command = [sys.executable, "-m", "interlock", "verify"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=child(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("kept")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (_INTERRUPTED, "interrupted\n")
    assert list((tmp_path / ".interlock").iterdir()) == []


def test_who_is_begun_with_interrupts_ignored_goes_on_ignoring_them(tmp_path: Path) -> None:
    ignoring = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{_AT_AN_IMPORT}"
    assert interrupted(tmp_path, ignoring, "20", "contract", "schema") == (0, "")


_SLOW = """
import threading

def work(n: int) -> int:
    print("began", flush=True)
    threading.Event().wait(30)
    return n
"""
_SLOW_CONTRACT = """
interlock: 1
workflow: slow
tenant: default
environments: { dev: { mode: act } }
tools:
  work: { from: "python:slow_work:work", effect: opaque, tier: green, price: 0 }
permissions: { allowed_tools: [work] }
"""


def test_whoever_interrupts_a_call_hears_that_it_may_still_happen(tmp_path: Path) -> None:
    (tmp_path / "slow_work.py").write_text(_SLOW, encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(_SLOW_CONTRACT, encoding="utf-8")
    begin = [sys.executable, "-m", "interlock"]
    publish = [*begin, "contract", "publish", "contract.yaml", "--env", "dev"]
    subprocess.run(publish, cwd=tmp_path, env=child(), capture_output=True, check=True, timeout=60)
    command = [*begin, "call", "work", '{"n":1}']
    with subprocess.Popen(
        command, cwd=tmp_path, env=child(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    note = "note: what has started goes on and may happen: look at `interlock action list`"
    assert (process.returncode, said) == (_INTERRUPTED, f"{note}\ninterrupted\n")
