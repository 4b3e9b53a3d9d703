"""Step 9: what came back. Its schema and size, the post-conditions of the contract, and what the agent gets to see."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from interlock.contract import expr
from interlock.contract.path import Absent
from interlock.core.canonical import Json, Unreadable, canonical
from interlock.core.errors import InterlockError
from interlock.core.ids import Instant
from interlock.core.limits import RESULT_BYTES_MAX
from interlock.core.picture import Moment
from interlock.gateway import fresh
from interlock.gateway.asked import Asked, commitment
from interlock.gateway.perform import Ending
from interlock.ports import Payload, Secrets

Check = Literal["", "passed", "failed"]


class Checked(Struct, frozen=True, kw_only=True):
    """A result as it is kept, shown and undone."""

    shown: Json
    """What the agent gets to see."""
    check: Check
    commitment: str
    result: Payload
    undo: Payload | None
    """The arguments with which it would be undone."""


class Seen(Struct, frozen=True, kw_only=True):
    """A picture as it is kept."""

    moment: Moment
    commitment: str
    payload: Payload

    @property
    def detail(self) -> tuple[str, str]:
        """What the entry says of it: where it is kept, and the commitment to it."""
        return f"picture_{self.moment}", f"{self.payload.id} {self.commitment}"


def seen_apart(asked: Asked, ending: Ending, secrets: Secrets, now: Instant) -> tuple[Seen, ...]:
    """Keep what was seen as results are kept. No agent gets it: no outcome has it."""
    pictures: dict[Moment, bytes] = {picture.moment: picture.png for picture in ending.pictures}
    ids = fresh.payload_ids(now, len(pictures))
    return tuple(
        Seen(moment=moment, commitment=commitment(asked.salt, png), payload=asked.sealed(secrets, id, png))
        for (moment, png), id in zip(pictures.items(), ids, strict=True)
    )


def checked(
    asked: Asked, came: Json | Unreadable, secrets: Secrets, *, around: Mapping[str, Json] | None = None
) -> Checked:
    """(9) Look at what came back. Whatever is wrong with it, the effect has happened: the outcome stays done.

    Args:
        asked: the action.
        came: what came back.
        secrets: encrypts what is kept.
        around: what was read `before` and `after`, where the contract asks for it.
    """
    result = None if isinstance(came, Unreadable) else came
    text = None if isinstance(came, Unreadable) else _readable(result)
    known = text is not None
    fits = known and _fits_schema(asked, result)
    shown = projected(result, asked.tool.keep) if known else None
    kept: dict[str, Json] = {"shown": shown, **(around or {})}
    if known and asked.tool.keep:
        kept["full"] = result
    if not known:
        kept["unreadable"] = True
    return Checked(
        shown=shown,
        check=_check(asked, result, fits=fits) if known else "failed",
        commitment=commitment(asked.salt, text or b""),
        result=asked.sealed(secrets, asked.drawn.result, canonical(kept)),
        undo=_undo(asked, result, secrets) if known else None,
    )


def said_apart(asked: Asked, said: str, secrets: Secrets) -> Payload | None:
    """Keep what the other side said of its failure as its results are kept: encrypted, and never in an entry."""
    if not said:
        return None
    text = said.encode(errors="replace").decode()
    return asked.sealed(secrets, asked.drawn.said, canonical({"said": text}))


def projected(result: Json, keep: tuple[str, ...]) -> Json:
    """Leave only the members that the contract lets an agent see; of a list, of each of its items."""
    if not keep:
        return result
    if isinstance(result, list):
        return [projected(item, keep) for item in result]
    if isinstance(result, dict):
        return {name: result[name] for name in keep if name in result}
    return None


def _readable(result: Json) -> bytes | None:
    try:
        text = canonical(result)
    except (InterlockError, RecursionError):
        return None
    return text if len(text) <= RESULT_BYTES_MAX else None


def _fits_schema(asked: Asked, result: Json) -> bool:
    schema = asked.force.results.get(asked.action.tool)
    return schema is None or schema.fits(result)


def _check(asked: Asked, result: Json, *, fits: bool) -> Check:
    checks = asked.force.checks.get(asked.action.tool, ())
    if not checks and asked.tool.result_schema is None:
        return ""
    scope: Mapping[str, Json] = {"args": dict(asked.arguments.values), "result": result}
    return "passed" if fits and all(expr.evaluate(check, scope) for check in checks) else "failed"


def _undo(asked: Asked, result: Json, secrets: Secrets) -> Payload | None:
    undo = asked.tool.undo
    if undo is None:
        return None
    values: dict[str, Json] = {}
    for name, text in undo.args.items():
        found = asked.at(text, result=result) if text.startswith("$.") else text
        if isinstance(found, Absent):
            return None
        values[name] = found
    return asked.sealed(secrets, asked.drawn.undo, canonical({"tool": undo.tool, "arguments": values}))
