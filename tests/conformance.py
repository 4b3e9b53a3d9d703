"""Holds Interlock to the official conformance suite of MCP: what a server passes by itself, it passes behind Interlock.

    python tests/conformance.py                 run both frozen sets, and print what came of it
    python tests/conformance.py --write-docs    and write it into docs/mcp-conformance.md

Behind Interlock stands the everything-server of `mcp_peer`, in front of it the suite: door, spine, upstream client.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.request import Request, urlopen

import yaml

from mcp_peer.forward import with_token
from mcp_peer.node import SUITE, installed, node

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "mcp-conformance.md"
CONTRACT = Path(__file__).parent / "mcp_peer" / "everything.yaml"
REVISIONS = ("2025-11-25", "2026-07-28")
ON_FILE = "interlock.db"
_RUN_SECONDS = 300
_END_SECONDS = 60


class Check(NamedTuple):
    """One thing that a scenario looks at. One that is looked at several times is counted."""

    scenario: str
    id: str
    time: int


Results = Mapping[Check, str]
"""How each check ended: `SUCCESS`, `FAILURE`, `WARNING`, `INFO` or `SKIPPED`."""

EXCLUDED: Mapping[tuple[str, str, str], str] = {}
"""Revision, scenario and check: what the server passes by itself and not behind Interlock, and why that is right."""


def run(url: str, revision: str) -> Results:
    """Run one frozen set of scenarios against a server."""
    suite = installed() / SUITE
    with tempfile.TemporaryDirectory() as folder:
        how = ["server", "--url", url, "--requirements", revision, "-o", folder]
        ended = node(suite / "dist" / "index.js", how, seconds=_RUN_SECONDS)
        found = dict(_read(Path(folder)))
    ran = {check.scenario for check in found}
    missing = set(scenarios(revision)) - ran
    assert not missing, f"{sorted(missing)} did not run:\n{ended.stdout[-2_000:]}{ended.stderr[-2_000:]}"
    return found


def _read(folder: Path) -> Iterable[tuple[Check, str]]:
    for path in sorted(folder.glob("server-*/checks.json")):
        named = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", path.parent.name)
        assert named is not None, path
        times: Counter[str] = Counter()
        for check in cast("list[dict[str, Any]]", json.loads(path.read_text(encoding="utf-8"))):
            if not check["name"].startswith(("Outgoing", "Incoming", "StreamClosed")):
                times[check["id"]] += 1
                yield Check(named[1], check["id"], times[check["id"]]), check["status"]


def scenarios(revision: str) -> Mapping[str, bool]:
    """Name the scenarios of a set, and say whether each is scored."""
    path = installed() / SUITE / "requirements" / f"{revision}.yaml"
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    others = {each["scenario"]: False for each in listed["not_scored"] if each["leg"] == "server"}
    return {**dict.fromkeys(listed["server"], True), **others}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A set of scenarios, run against the server by itself and behind Interlock."""

    revision: str
    alone: Results
    behind: Results
    scored: Mapping[str, bool]

    def lost(self) -> dict[tuple[str, str, str], str]:
        """Name the scored checks that the server passes by itself alone, and how each ended behind Interlock."""
        return {
            (self.revision, check.scenario, check.id): self.behind.get(check, "not looked at")
            for check, status in self.alone.items()
            if self.scored[check.scenario] and status == "SUCCESS" and self.behind.get(check) != "SUCCESS"
        }

    def rows(self) -> list[str]:
        """Write a row for each scenario: how many checks pass, by itself and behind Interlock."""
        return [
            f"| `{name}` | {'yes' if scored else 'no'} | {_count(self.alone, name)} | {_count(self.behind, name)} |"
            for name, scored in self.scored.items()
        ]

    def sums(self) -> str:
        """Write how many checks pass in all."""
        return f"| **all** | | **{_count(self.alone)}** | **{_count(self.behind)}** |"


def _count(results: Results, scenario: str | None = None) -> str:
    ended = Counter(status for check, status in results.items() if scenario in (None, check.scenario))
    passed, failed = ended["SUCCESS"], ended["FAILURE"] + ended["WARNING"]
    return f"{passed} of {passed + failed}"


def compare(revision: str, stores: Sequence[str] = (ON_FILE,)) -> Generator[Compared]:
    """Run one set by itself, and behind Interlock on each store, each time against a server that is new."""
    with everything() as url:
        alone = run(url, revision)
    for store in stores:
        with everything() as url, interlock_before(url, store) as port, with_token(*port) as front:
            behind = run(f"http://127.0.0.1:{front}/mcp", revision)
        yield Compared(revision=revision, alone=alone, behind=behind, scored=scenarios(revision))


@contextmanager
def everything() -> Generator[str]:
    """Serve the everything-server, and yield its address."""
    with _serving([sys.executable, "-m", "mcp_peer.everything", "--http", "0"], ROOT) as url:
        yield url


@contextmanager
def interlock_before(url: str, store: str = ON_FILE) -> Generator[tuple[Sequence[int], str]]:
    """Serve Interlock in front of a server, on Postgres by two processes; yield ports, and a token that calls all."""
    command = [sys.executable, "-m", "interlock", "--store", store, "--keys", "keys"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = CONTRACT.read_text(encoding="utf-8").replace("http://127.0.0.1:1/mcp", url)
        (folder / "everything.yaml").write_text(text, encoding="utf-8")
        _interlock(folder, command, "tools", "review", "everything.yaml", "--env", "dev", *_accepted(folder, command))
        _interlock(folder, command, "contract", "publish", "everything.yaml", "--env", "dev")
        token = _interlock(
            folder, command, "token", "new", "suite", "--workflow", "everything", "--env", "dev",
            "--expires", "1d", "--for", "suite", "--rate", "100000",
        ).strip()  # fmt: skip
        with ExitStack() as started:
            many = 1 if store == ON_FILE else 2
            each = [started.enter_context(_serving([*command, "serve", "--port", "0"], folder)) for _ in range(many)]
            ports = [int(where.rpartition(":")[2].partition("/")[0]) for where in each]
            for port in ports:
                _greeted(port, token)
            yield ports, token


def _greeted(port: int, token: str) -> None:
    """Have a process reach the server behind it: the suite gives a call half a second."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"tool": "greet", "arguments": {"name": "Ann"}}).encode()
    with urlopen(Request(f"http://127.0.0.1:{port}/v1/actions", body, headers), timeout=60) as answer:
        assert answer.status == 200


def _accepted(folder: Path, interlock: Sequence[str]) -> list[str]:
    """Look at what the server says of its tools, as a person would, and accept it."""
    command = [*interlock, "--json", "tools", "review", "everything.yaml", "--env", "dev"]
    ended = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    pins = [tool["offered"] for tool in json.loads(ended.stdout)["tools"]]
    return [word for pin in pins for word in ("--accept", pin)]


def _interlock(folder: Path, interlock: Sequence[str], *typed: str) -> str:
    command = [*interlock, *typed]
    ended = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"interlock {' '.join(typed)}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("src", "tests"))}


@contextmanager
def _serving(command: Sequence[str], folder: Path) -> Generator[str]:
    """Start a server that says its address in the first line, and end it."""
    started = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        with started.stdout:
            said = re.search(r"http://\S+", started.stdout.readline())
            assert said is not None, f"{command} did not start"
            yield said[0]
            started.terminate()
    finally:
        started.terminate()
        started.wait(_END_SECONDS)


def table(compared: Compared) -> str:
    """Write what came of a set as the page has it."""
    head = "| scenario | scored | by itself | behind Interlock |\n|---|---|---|---|"
    return "\n".join([head, *compared.rows(), compared.sums()])


def exclusions() -> str:
    """Write the list of exclusions as the page has it."""
    rows = [f"| {revision} | `{scenario}` | `{id}` | {why} |" for (revision, scenario, id), why in EXCLUDED.items()]
    head = "| set | scenario | check | why |\n|---|---|---|---|"
    return "\n".join([head, *rows]) if rows else "There is none."


def part(text: str, name: str) -> str:
    """Return what stands on the page between two marks."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end of {name} -->", text, re.DOTALL)
    assert found is not None, f"the page has no part `{name}`"
    return found[1]


def written(text: str, parts: Mapping[str, str]) -> str:
    """Return the page with parts of it written anew."""
    for name, new in parts.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        text = text.replace(f"{begin}{part(text, name)}{end}", f"{begin}{new}{end}")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description="hold Interlock to the conformance suite of MCP")
    parser.add_argument("--write-docs", action="store_true", help="write what came of it into the page")
    asked = parser.parse_args()
    compared = [each for revision in REVISIONS for each in compare(revision)]
    parts = {each.revision: table(each) for each in compared}
    print("\n\n".join(parts.values()))
    if asked.write_docs:
        new = written(PAGE.read_text(encoding="utf-8"), {**parts, "exclusions": exclusions()})
        PAGE.write_text(new, encoding="utf-8")
    unexplained = {check: how for each in compared for check, how in each.lost().items() if check not in EXCLUDED}
    for (revision, scenario, id), how in unexplained.items():
        print(f"{revision} {scenario} {id}: {how}", file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
