"""`verify`: hold this installation to its promises, on a store of the same kind that is thrown away afterwards."""

import asyncio
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from interlock import app
from interlock.contract.problem import nearest
from interlock.core.errors import UsageWrong
from interlock.door.cli.reading import InputWrong, key_of
from interlock.door.cli.render import count, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import session
from interlock.gateway.history import generations
from interlock.ledger.note import Verifier
from interlock.verify.every import EVERY
from interlock.verify.killing import KILLED, kill_and_freeze
from interlock.verify.lab import Lab, lab_like
from interlock.verify.promises import PROMISES
from interlock.verify.report import About, as_data, read_report, signed_report
from interlock.verify.run import Told, run_all

if TYPE_CHECKING:
    from interlock.verify.check import Check

_MARKS = {"kept": "kept     ", "broken": "BROKEN   ", "not shown": "NOT SHOWN"}
_FREEZE_ONE_OF = 10


def verify(typed: Typed) -> int:
    """Run the checks, tell of each as it ends, and say whether every promise is kept."""
    given = typed.given
    if given.check is not None:
        return _checked(typed, Path(given.check), given.key)
    checks = _wanted(given.only)
    if given.list:
        return _listed(typed, checks)
    if given.kill is not None and given.kill < 1:
        raise UsageWrong(f"`{given.kill}` is no number of kills", fix="say `--kill 1000`")
    report = Path(given.report) if given.report is not None else None
    if report is not None and report.exists():
        raise InputWrong(f"`{report}` is there already", fix="name another file")
    if report is not None and not os.access(report.parent, os.W_OK):
        raise InputWrong(f"nothing can be written in `{report.parent}`", fix="name a file in another folder")
    clock = typed.clock or app.SystemClock()
    about = About(version=version("interlock"), store=_kind(typed), at=clock.now())
    data = as_data(about, _run(typed, checks, given.kill))
    if report is not None:
        _write(typed, report, data)
    kept = data["kept"]
    found = [each for promise in data["promises"] for each in promise["checks"]]
    wrong = [each for each in found if each["verdict"] != "kept"]
    number = count(len(found), "check", "checks")
    said = f"{number}, every promise is kept" if kept else f"{len(wrong)} of {number} found fault"
    typed.screen.show(data, said)
    return 0 if kept else 1


def _run(typed: Typed, checks: "list[Check]", kills: int | None) -> list[Told]:
    told: list[Told] = []

    def tell(each: Told) -> None:
        told.append(each)
        _tell(typed, each)

    # Whoever ends it by a signal wants the scratch store to be gone as well.
    signal.signal(signal.SIGTERM, _ended)
    with lab_like(typed.settings.store) as lab:
        asyncio.run(run_all(lab, checks, tell))
        if kills is not None:
            tell(_killed(typed, lab, kills))
    return told


def _ended(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _killed(typed: Typed, lab: Lab, kills: int) -> Told:
    freezes = max(1, kills // _FREEZE_ONE_OF)
    every = max(1, (kills + freezes) // 10)

    def tell(done: int) -> None:
        if done % every == 0:
            typed.screen.note(f"note: {done} of {kills + freezes} processes killed or frozen")

    return kill_and_freeze(lab, kills=kills, freezes=freezes, tell=tell)


def _tell(typed: Typed, told: Told) -> None:
    """Print a line for a check that has ended: people see it at once, programs get it all at the end."""
    head = f"{_MARKS[told.verdict]}  {told.check.promise:8}"
    first = wrapped(f"{head}  {told.check.says}", typed.screen.width, hang=21)
    typed.screen.line(f"{first}\n{wrapped(' ' * 21 + told.seen, typed.screen.width, hang=21)}")


def _listed(typed: Typed, checks: "list[Check]") -> int:
    every = [*checks, *([KILLED] if KILLED.promise in {check.promise for check in checks} else [])]
    data = [{"promise": check.promise, "name": check.name, "says": check.says} for check in every]
    lines = [wrapped(f"{check.promise:8}  {check.says}", typed.screen.width, hang=10) for check in every]
    typed.screen.show(data, "\n".join(lines))
    return 0


def _wanted(only: list[str] | None) -> "list[Check]":
    for name in only or ():
        if name not in PROMISES:
            raise UsageWrong(f"there is no promise `{name}`", fix=nearest(name, PROMISES))
    return [check for check in EVERY if not only or check.promise in only]


def _kind(typed: Typed) -> str:
    return "sqlite" if typed.settings.file is not None else "postgres"


def _write(typed: Typed, report: Path, data: dict[str, Any]) -> None:
    with session(typed) as here:
        secrets, tenant = here.gateway.secrets, here.store.tenant
        known = asyncio.run(generations(here.store, secrets))
        now = known[-1].generation
        signer = now.key
        text = signed_report(
            data,
            signer,
            lambda line: secrets.sign(tenant, line, generation=now.number),
            [each.line for each in known if each.line],
        )
    try:
        report.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputWrong(f"`{report}` cannot be written ({error.strerror})", fix="name another file") from error
    typed.screen.note(f"note: the report is in {report}, signed by {signer.origin}")


def _checked(typed: Typed, file: Path, key: str | None) -> int:
    """Say what a report says, if it is what its signer wrote."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputWrong(f"`{file}` cannot be read", fix="name a report that is there") from error
    data = read_report(text, key_of(Verifier.parse, key) if key is not None else None)
    checks = [each for promise in data["promises"] for each in promise["checks"]]
    wrong = [each for each in checks if each["verdict"] != "kept"]
    pinned = "the key that you know" if key is not None else "the key in it: pin it with `--key`"
    lines = [f"{count(len(checks), 'check', 'checks')}, {len(wrong)} found fault; signed by {pinned}"]
    found = [f"{each['verdict']}: {each['says']}: {each['seen']}" for each in wrong]
    lines += [wrapped(each, typed.screen.width, hang=2) for each in found]
    typed.screen.show(data, "\n".join(lines))
    return 0 if data["kept"] else 1
