"""`policy diff`: what changed between two contracts, in words for a review and an exit code for a machine."""

from collections import Counter
from pathlib import Path

from interlock import app
from interlock.contract.bundle import decode
from interlock.contract.diff import differences, opens
from interlock.contract.diff_line import Line, Weight
from interlock.contract.ir import Contract
from interlock.contract.read import load
from interlock.core.errors import UsageWrong
from interlock.core.ids import ContractHash
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import clean, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.gateway.publishable import publishable, with_policy_files

A_PERSON_SHOULD_LOOK = 3
_HANG = 9  # the widest word for a way, and a space
_WORDS = {Weight.OTHER: "cannot be ordered"}


@awaited
async def diffed(typed: Typed) -> int:
    """Print every change, what opens something first."""
    names, old, new = await _both(typed)
    lines = differences(old, new)
    counts = Counter(line.weight for line in lines)
    summary = ", ".join(f"{counts[weight]} {_WORDS.get(weight, weight.value)}" for weight in Weight if counts[weight])
    data = {
        "old": names[0],
        "new": names[1],
        "opens": len(opens(lines)),
        "changes": [_data(line) for line in lines],
    }
    head = f"{names[0]} -> {names[1]}: {summary or 'nothing changed'}"
    width = typed.screen.broad
    told = [wrapped(clean(head), min(width, typed.screen.width), hang=2), ""] if lines else [clean(head)]
    typed.screen.show(data, "\n".join([*told, *(_text(line, width) for line in lines)]))
    return A_PERSON_SHOULD_LOOK if opens(lines) and not typed.given.allow_looser else 0


async def _both(typed: Typed) -> tuple[tuple[str, str], Contract, Contract]:
    files = [Path(name) for name in typed.given.files]
    if len(files) != (1 if typed.given.in_force else 2):
        fix = "name `OLD NEW`, or `--in-force NEW` to compare with what is published"
        raise UsageWrong(f"{len(files)} file{'s' if len(files) != 1 else ''} to compare", fix=fix)
    for file in files:
        if not file.is_file():
            raise InputWrong(f"there is no file `{file}`", fix="name a contract that is there")
    if not typed.given.in_force:
        old, new = (with_policy_files(load(file), file.parent) for file in files)
        return (str(files[0]), str(files[1])), old, new
    with session(typed) as here:
        workflow, environment = await here.place()
        published = (await here.rows()).door.of(workflow, environment)
        assert published is not None, "the place was found among those that are published"
        old = decode(await here.store.contract(ContractHash(published.contract)))
        # What is published says what its tools take, so the other one has to say it too.
        new = publishable(load(files[0]), environment, folder=files[0].parent, describe=app.describe)
    return (f"{workflow} in {environment}", str(files[0])), old, new


def _text(line: Line, width: int) -> str:
    """Write one change: on one line where nobody looks, else with its places below."""
    what, where = clean(f"{line.weight.value.upper():8} {line.about}: {line.what}"), clean(_places(line))
    if len(what) + len(where) + 4 <= width:
        return f"{what}  ({where})"
    return f"{wrapped(what, width, hang=_HANG)}\n{wrapped(' ' * _HANG + where, width, hang=_HANG)}"


def _places(line: Line) -> str:
    old, new = (f"{place.file}:{place.line}" if place.line else place.file for place in (line.old, line.new))
    return old if old == new else f"{old} -> {new}"


def _data(line: Line) -> dict[str, str]:
    return {
        "way": line.weight.value,
        "about": line.about.replace("`", ""),
        "change": line.what,
        "old": str(line.old),
        "new": str(line.new),
    }
