"""`ledger keys`, `ledger rotate`: the generations of the key that a ledger is signed with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlock.app import anchor_file
from interlock.core.errors import LedgerBroken, NotPermitted
from interlock.core.ids import Instant
from interlock.door.cli.anchored import book, last_anchor
from interlock.door.cli.outside import text_of
from interlock.door.cli.person import operator
from interlock.door.cli.reading import InputWrong, code_of
from interlock.door.cli.render import Time, block, clean
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.gateway.adopt import not_set_back
from interlock.gateway.history import Known, generations
from interlock.gateway.rotate import rotate
from interlock.ledger.note import Verifier
from interlock.ledger.reading import read
from interlock.ledger.rotation import Chain, Generation, Rotation, chain_of, rotation_of

_QUESTION = "From then on the key of generation {} signs nothing any more. Rotate?"


@awaited
async def keys(typed: Typed) -> int:
    """Print every generation, with the public key that whoever checks has to know."""
    with session(typed) as here:
        found = await generations(here.store, here.gateway.secrets)
        last = await last_anchor(here.store, typed.settings.keys)
    now = found[-1].generation
    if typed.given.current:
        typed.screen.show({"key": str(now.key)}, str(now.key))
        return 0
    data = {
        "ledger": now.key.origin,
        "key": str(now.key),
        "generation": now.number,
        "generations": [_data(each) for each in found],
        "last_anchor": last,
    }
    width = typed.screen.width
    top = block([("ledger", now.key.origin), ("last anchor", last)], width)
    typed.screen.show(data, "\n\n".join([top, *(block(_pairs(each), width) for each in found)]))
    return 0


@awaited
async def rotated(typed: Typed) -> int:
    """Let the next generation sign, once a person has said yes."""
    why = code_of(typed.given.why)
    with session(typed) as here:
        secrets = here.gateway.secrets
        origin = Verifier.of(here.store.tenant, b"").origin
        kept = anchor_file(book(typed.settings.keys)).read()
        await not_set_back(here.store, secrets, [each.head for each in kept if each.origin == origin])
        was = (await here.rows()).door.generation
        if not typed.given.yes and not typed.screen.ask(_QUESTION.format(was)):
            raise NotPermitted("nothing was rotated", fix="say yes, or `--yes` where nobody can be asked")
        done = await rotate(here.store, secrets, await operator(here), why=why)
        found = await generations(here.store, secrets)
    new = next(each for each in found if each.generation.number == done.rotation.generation)
    typed.screen.show({"ledger": new.generation.key.origin, **_data(new)}, block(_pairs(new), typed.screen.width))
    typed.screen.note(
        "a witness refuses this ledger until it knows the new key: start it again with `--trust NEW` in place of OLD"
    )
    return 0


def _pairs(known: Known) -> list[tuple[str, object]]:
    generation, entry = known.generation, known.entry
    now = ", signs now" if generation.last is None else ""
    pairs: list[tuple[str, object]] = [
        ("generation", f"{generation.number}{now}"),
        ("key", generation.key),
        ("signs", generation.range()),
    ]
    if entry is not None:
        why = entry.detail.get("why", "")
        pairs += [
            ("since", f"{Time(Instant(entry.at)).short()}, entry {known.index}"),
            ("by", f"{clean(entry.by)} ({clean(entry.known_by)}), {clean(str(why))}"),
        ]
    return pairs


def _data(known: Known) -> dict[str, Any]:
    entry = known.entry
    return {
        **generation_data(known.generation),
        "current": known.generation.last is None,
        "entry": known.index,
        "at": Time(Instant(entry.at)) if entry is not None else None,
        "by": entry.by if entry is not None else None,
        "known_by": entry.known_by if entry is not None else None,
        "why": entry.detail.get("why") if entry is not None else None,
    }


def generation_data(generation: Generation) -> dict[str, Any]:
    """Return a generation as data."""
    return {
        "generation": generation.number,
        "key": str(generation.key),
        "first": generation.first,
        "last": generation.last,
    }


def generations_text(generations: Sequence[Generation]) -> str:
    """Say which generation signs what, a line each; nothing where there is only one."""
    if len(generations) == 1:
        return ""
    return "\n".join(f"{each.number}: {each.range()}" for each in generations)


def chain_in(file: Path, key: Verifier) -> Chain:
    """Read the rotations out of an export, or out of a file of nothing but them.

    Raises:
        InputWrong: they do not lead from or to the key that is known.
    """
    found: list[Rotation] = []
    for line in text_of(file).splitlines():
        try:
            rotation = rotation_of(read(line.encode(errors="surrogateescape")))
        except LedgerBroken:
            continue  # the first and the last line of an export, and what the audit of it would find
        if rotation is not None:
            found.append(rotation)
    chain = chain_of(found, key)
    if not chain.has(key):
        raise InputWrong(f"no rotation in `{file}` leads from this key, or to it", fix="name an export that has it")
    return chain
