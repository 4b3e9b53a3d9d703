"""`data`: what is kept of a subject; handed out, held for a court, or erased."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interlock.core.errors import NotPermitted, UsageWrong
from interlock.core.ids import Instant, SubjectId
from interlock.door.cli.person import operator
from interlock.door.cli.reading import InputWrong, code_of
from interlock.door.cli.render import Time, block, count
from interlock.door.cli.screen import Typed, plain
from interlock.door.cli.session import Session, awaited, session
from interlock.door.told.payloads import arguments_of, member, opened
from interlock.door.told.pictures import pictures_of, whole_picture
from interlock.gateway.erase import About, about, erase, hold_for_law, named, release
from interlock.gateway.expire import Ends, ends_of
from interlock.owned import write_new
from interlock.ports import ActionRow

BACKUPS = (
    "a backup made with `--with-keys` can still be read as long as its file of keys exists; "
    "on Postgres so can base backups and archived logs of the table `interlock_key` from before now"
)

_NOTHING = (
    "only what a tool with `subject:` in its contract was asked, and answered, is kept under the name of a person: see "
    "`interlock help data`"
)


@awaited
async def exported(typed: Typed) -> int:
    """Hand out everything that is kept of a subject, a line of JSON for each action."""
    with session(typed) as here:
        found = await about(here.store, here.gateway.secrets, _subject(typed))
        if not found.actions:
            raise NotPermitted("nothing is kept of it", fix="name the subject as the tool names it, or `--run RUN`")
        lines = [json.dumps(await _told(here, row), default=plain, ensure_ascii=True) for row in found.actions]
    text = "\n".join(lines)
    if typed.given.out is None:
        typed.screen.show([json.loads(line) for line in lines], text)
        return 0
    _write(Path(typed.given.out), text + "\n")
    count = "1 action" if len(lines) == 1 else f"{len(lines)} actions"
    typed.screen.show({"file": typed.given.out, "actions": len(lines)}, f"{count} written to {typed.given.out}")
    return 0


async def _told(here: Session, row: ActionRow) -> dict[str, Any]:
    action, result = row.action, await opened(here, row.result)
    return {
        "action": action.id,
        "tool": action.tool,
        "state": row.state.value,
        "asked_at": Time(action.asked_at),
        "workflow": action.caller.workflow,
        "environment": action.caller.environment,
        "agent": action.caller.agent,
        "for": action.caller.principal,
        "run": action.run,
        "arguments": await arguments_of(here, action.arguments),
        "result": member(result, "full") or member(result, "shown"),
        "preview": await opened(here, row.preview),
        "said": member(await opened(here, row.said), "said"),
        "pictures": [await whole_picture(here, each) for each in await pictures_of(here, row)],
    }


@awaited
async def erased(typed: Typed) -> int:
    """Make what is kept of a subject unreadable for good, and say what else becomes of it."""
    subject = _subject(typed)
    with session(typed) as here:
        found = await about(here.store, here.gateway.secrets, subject)
        if not typed.given.yes and found.readable:
            typed.screen.note_block(_block(typed, found, "would go"))
            if not typed.screen.ask("Nothing can bring it back. Erase it?"):
                raise NotPermitted("nothing was erased", fix="say yes, or `--yes` where nobody can be asked")
        by = await operator(here)
        found = await erase(here.store, here.gateway.secrets, subject, by, even_if_open=typed.given.even_if_open)
    data = {**_data(found), "by": by.person, "known_by": by.known_by, "backups": BACKUPS}
    typed.screen.show(data, _block(typed, found, "erased"))
    typed.screen.note(f"note: {BACKUPS}")
    return 0


def _data(found: About) -> dict[str, Any]:
    return {
        "name": found.name,
        "payloads": len(found.payloads),
        "actions": [row.action.id for row in found.actions],
        "cannot_go_on": [row.action.id for row in (*found.waiting, *found.open)],
        "cannot_be_undone": [row.action.id for row in found.actions if row.undo and row.undone_by is None],
    }


def _block(typed: Typed, found: About, what: str) -> str:
    data = _data(found)
    pairs: list[tuple[str, object]] = [
        (what, _how_much(found)),
        ("name", found.name),
        ("cannot go on", "\n".join(data["cannot_go_on"])),
        ("no undo for", "\n".join(data["cannot_be_undone"])),
        ("stays", "that there were these actions, when, by whom, for whom, what they cost"),
    ]
    return block(pairs, typed.screen.width)


@awaited
async def held(typed: Typed) -> int:
    """Forbid that what is kept of a subject is erased."""
    why = code_of(typed.given.why)
    with session(typed) as here:
        by = await operator(here)
        await hold_for_law(here.store, here.gateway.secrets, _subject(typed), by, why=why)
    typed.screen.show({"held": True, "why": why, "by": by.person}, f"held for law ({why}): it cannot be erased")
    return 0


@awaited
async def released(typed: Typed) -> int:
    """Take a legal hold back."""
    with session(typed) as here:
        by = await operator(here)
        subject = _subject(typed)
        if not await release(here.store, here.gateway.secrets, subject, by):
            raise NotPermitted("nobody holds it for law", fix=f"look at it: `interlock data show {named(subject)}`")
    typed.screen.show({"held": False, "by": by.person}, "released: it can be erased")
    return 0


@awaited
async def shown(typed: Typed) -> int:
    """Say how much is kept of a subject, without what it says."""
    with session(typed) as here:
        found = await about(here.store, here.gateway.secrets, _subject(typed))
        ends = await ends_of(here.store, here.gateway.secrets, found.payloads)
    hold = found.legal_hold
    kept = f"{hold.why}, by {hold.by} since {Time(Instant(hold.at)).short()}" if hold is not None else "no"
    pairs: list[tuple[str, object]] = [
        ("kept", _how_much(found)),
        ("readable", "yes" if ends.readable else "no"),
        ("expires", "\n".join(_ends(ends))),
        ("legal hold", kept),
        ("actions", "\n".join(f"{row.action.id}  {row.state.value:9}  {row.action.tool}" for row in found.actions)),
    ]
    data = {
        **_data(found),
        "readable": ends.readable > 0,
        "legal_hold": hold.why if hold is not None else None,
        "expires": [
            {"lot": lot.name, "on": Time(lot.due) if lot.due is not None else None, "payloads": number}
            for lot, number in sorted(ends.lots.items())
        ],
        "kept_longer": ends.kept,
        "unreadable": ends.gone,
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
    if not found.payloads:
        typed.screen.note(f"note: {_NOTHING}")
    return 0


def _ends(ends: Ends) -> Iterator[str]:
    for lot, number in sorted(ends.lots.items()):
        due = Time(lot.due).short() if lot.due is not None else "never: its contract named no days"
        yield f"{_payloads(number)}: {due}"
    if ends.kept:
        yield f"{_payloads(ends.kept)}: kept longer, as long as the law or an action needs it"
    if ends.gone:
        yield f"{_payloads(ends.gone)}: unreadable"


def _payloads(number: int) -> str:
    return count(number, "payload", "payloads")


def _how_much(found: About) -> str:
    return f"{_payloads(len(found.payloads))} of {count(len(found.actions), 'action', 'actions')}"


def _subject(typed: Typed) -> SubjectId:
    subject, run = typed.given.subject, typed.given.run
    if (subject is None) == (run is None):
        raise UsageWrong("one subject is needed", fix="name it as the tool does, or say `--run RUN`")
    return SubjectId(f"run:{run}" if run is not None else f"subject:{subject}")


def _write(file: Path, text: str) -> None:
    try:
        write_new(file, text.encode())
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise InputWrong(f"`{file}` cannot be written ({why})", fix="name another file") from error
