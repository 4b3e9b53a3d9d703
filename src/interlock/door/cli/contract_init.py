"""`contract init`: the first contract of a newcomer, with tools that work, so that the rest can be tried at once."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from interlock.config import DEMO
from interlock.contract.problem import nearest
from interlock.core.errors import InterlockError, NotPermitted, UsageWrong
from interlock.door.cli.itself import itself
from interlock.door.cli.pattern import PATTERNS, Pattern
from interlock.door.cli.person import user_name
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import block, broken, wrapped
from interlock.door.cli.screen import Screen, Typed
from interlock.door.cli.starter import MODES, STARTERS, Starter

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_KEPT = ".gitignore"
"""The one file that may be there already: what it says is left to its owner."""


def begun(typed: Typed) -> int:
    """Ask for what was not said, write the files, and say what to type next."""
    if typed.settings.tenant == DEMO:
        raise NotPermitted(f"`{DEMO}` is the tenant of the demo alone", fix="say another one: `--tenant NAME`")
    starter, pattern, workflow, mode = _answers(typed)
    folder = Path(typed.given.folder or ".")
    files = starter.files(workflow=workflow, tenant=typed.settings.tenant, mode=mode, person=user_name())
    written = _write(folder, pattern.files(files, starter.writes))
    steps = _next(typed, starter, pattern, folder)
    data = {
        "domain": starter.name,
        "pattern": pattern.name,
        "workflow": workflow,
        "mode": mode,
        "tenant": typed.settings.tenant,
    }
    typed.screen.show(
        {**data, "files": written, "next": [command for command, _ in steps]}, _told(typed.screen, written, steps)
    )
    if _KEPT not in map(os.path.basename, written):
        typed.screen.note(f"note: `{folder / _KEPT}` was there and is left as it is; keep `.interlock/` out of git")
    return 0


def _answers(typed: Typed) -> tuple[Starter, Pattern, str, str]:
    """Take domain, pattern and mode from the line, from whoever sits there, or from the defaults."""
    given, screen = typed.given, typed.screen
    asks = screen.somebody_there and not given.yes
    missing = [f"`--{name}`" for name in ("domain", "pattern", "mode") if getattr(given, name) is None]
    if missing and not asks and not given.yes:
        what = f"nobody can be asked here, and not all is said: {', '.join(missing)}"
        raise UsageWrong(what, fix="say it, or take the defaults: `interlock contract init --yes`")
    if asks and missing:
        screen.note("Each answer in brackets is taken if you type nothing.")
    domain = given.domain or (_asked_domain(screen) if asks else STARTERS[0].name)
    starter = next(each for each in STARTERS if each.name == domain)
    shape = given.pattern or (_asked_pattern(screen) if asks else PATTERNS[0].name)
    pattern = next(each for each in PATTERNS if each.name == shape)
    name = given.workflow or domain
    if not _NAME.fullmatch(name):
        raise UsageWrong(f"`{name}` is not the name of a workflow", fix="use letters, digits, `_`, `.` and `-`")
    mode = given.mode or (_asked_mode(screen) if asks else "ask")
    return starter, pattern, name, mode


def _asked_domain(screen: Screen) -> str:
    return _chosen(screen, "What are agents to do?", {each.name: each.says for each in STARTERS}, "domain")


def _asked_pattern(screen: Screen) -> str:
    return _chosen(screen, "How do they share the job?", {each.name: each.says for each in PATTERNS}, "pattern")


def _chosen(screen: Screen, question: str, known: Mapping[str, str], what: str) -> str:
    """Have a person choose one by its name or its number."""
    broad = max(map(len, known))
    lines = [f"  {number}  {name.ljust(broad)}  {says}" for number, (name, says) in enumerate(known.items(), 1)]
    screen.note_block("\n".join([question, *lines]))
    said = screen.ask_for("A name, or its number", next(iter(known)))
    numbers = {str(number): name for number, name in enumerate(known, 1)}
    return _one_of(numbers.get(said, said), known, what)


def _asked_mode(screen: Screen) -> str:
    lines = [wrapped(f"  {mode:10} {says}", screen.width, hang=13) for mode, says in MODES.items()]
    screen.note_block("\n".join(["How far may they go in production?", *lines]))
    return _one_of(screen.ask_for("A mode", "ask"), MODES, "mode")


def _one_of(said: str, known: Mapping[str, str], what: str) -> str:
    if said not in known:
        raise InputWrong(f"there is no {what} `{said}`", fix=nearest(said, known))
    return said


def _write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write all files or none, and none over another.

    Raises:
        InterlockError: one of them is there already.
    """
    there = [str(folder / name) for name in files if name != _KEPT and os.path.lexists(folder / name)]
    if there:
        what = f"there already: {', '.join(f'`{each}`' for each in there)}"
        raise InterlockError(what, fix="name another folder: `interlock contract init DIR`")
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        for name, text in files.items():
            if name == _KEPT and os.path.lexists(folder / name):
                continue
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
    except OSError:
        for path in written:
            path.unlink()
        raise
    return [str(path) for path in written]


def _next(typed: Typed, starter: Starter, pattern: Pattern, folder: Path) -> list[tuple[str, str]]:
    """Say the next commands, each with what it shows."""
    me = _from(folder)
    named = typed.settings.tenant != "default" and "INTERLOCK_TENANT" not in os.environ
    tenant = f" --tenant {typed.settings.tenant}" if named else ""
    (runs, small), (asks, large) = starter.runs, starter.asks
    whom = f" --for sam --agent {pattern.writer}" if pattern.writer else " --for sam"
    publish = (f"{me} contract publish contract.yaml --env dev", "puts the contract in force")
    if pattern.drafts:
        return [
            publish,
            (f"{me} call {runs} '{small}'{whom}{tenant}", "ends as a draft, which people may start"),
            (f"{me} action start ACTION{tenant}", "starts it as yours: somebody else in `approvals.people` agrees"),
        ]
    return [
        publish,
        (f"{me} call {runs} '{small}'{whom}{tenant}", "runs by itself"),
        (f"{me} call {asks} '{large}'{whom}{tenant}", "waits for you, and says how to agree"),
        (f"{me} undo ACTION{tenant}", "takes back what was done; ACTION is the id that was printed"),
    ]


def _from(folder: Path) -> str:
    """Write the words that start this command in another folder."""
    me = itself()
    elsewhere = os.path.realpath(folder) != os.getcwd()
    return f"{shlex.quote(os.getcwd())}/{me}" if elsewhere and me[0] not in "/'" and "/" in me else me


def _told(screen: Screen, written: list[str], steps: list[tuple[str, str]]) -> str:
    folder = os.path.dirname(written[0])
    pairs = [(Path(path).name, _ABOUT.get(Path(path).name, _TOOLS)) for path in written]
    lines = [f"written into {folder or 'this folder'}:", block(pairs, screen.width, indent=2), "", "next:"]
    lines += [f"  cd {shlex.quote(folder)}"] if folder else []
    for command, says in steps:
        lines += [f"  # {says}", f"  {broken(command, screen.width - 4)}"]
    return "\n".join(lines)


_ABOUT = {
    "contract.yaml": "what agents may do, and what they may not",
    "cases.yaml": "how each call must be judged: `interlock policy test cases.yaml`",
    "roles.cedar": "which agent may write",
    _KEPT: "keeps the keys out of git",
}
_TOOLS = "the tools, on a little database of their own"
