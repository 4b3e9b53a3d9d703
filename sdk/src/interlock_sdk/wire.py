"""The wire of the HTTP API: what is written into a request, and what is read from an answer."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn, TypedDict, cast

from interlock_sdk.errors import (
    Failed,
    InterlockError,
    Later,
    NotLetIn,
    NotThere,
    NotUnderstood,
    NotWanted,
    Receipt,
    Refused,
    Wrong,
)
from interlock_sdk.outcome import Action, Done, Outcome, Parked, Suggested, Tool, Uncertain, WaitsFor
from interlock_sdk.talk import AGAIN, Heard, after_seconds

Data = Mapping[str, Any]


class _Head(TypedDict):
    action: str
    recalled: bool
    receipt: Receipt | None


_WHOSE = "see whether the id is whole, and whether the agent and the principal of this token have asked for it"
_DEPTH_MAX = 100
_ELSEWHERE = "see whether this address is that of `interlock serve`, and whether both have the same version"
_AS_PEOPLE_SAY = "do not rephrase and try again: whoever runs this can look at it: `interlock explain ACTION`"


def written(said: Data) -> bytes:
    """Write a body.

    Raises:
        NotWanted: it has something that JSON does not have.
    """
    try:
        return json.dumps(said, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_object).encode()
    except (TypeError, ValueError, RecursionError):
        fix = "pass what JSON has: objects, lists, text, finite numbers, true, false, null"
        wrong = _no_json(said.get("arguments"), "$", _DEPTH_MAX)
        where = f": `{wrong.path}` is {wrong.kind}" if wrong else ""
        raise NotWanted(
            f"the arguments cannot be written as JSON{where}", fix=fix, wrong=(wrong,) if wrong else ()
        ) from None


def _no_json(value: Any, path: str, deeper: int) -> Wrong | None:  # noqa: ANN401  it may be anything
    """Find the first thing that is no JSON, and say of which kind it is, never what it says."""
    match value:
        case None | bool() | int():
            return None
        case str():
            return None if value.isascii() or _writable(value) else Wrong(path=path, kind="no Unicode text")
        case float():
            return None if isfinite(value) else Wrong(path=path, kind="no finite number")
        case Mapping() | list() | tuple() if not deeper:
            return Wrong(path=path, kind="nested too deeply")
        case Mapping():
            members = cast("Mapping[Any, Any]", value).items()
            inner = (_no_json(each, f"{path}.{name}", deeper - 1) for name, each in members)
        case list() | tuple():
            items = cast("list[Any]", value)
            inner = (_no_json(each, f"{path}[{at}]", deeper - 1) for at, each in enumerate(items))
        case _:
            return Wrong(path=path, kind=f"of the type {type(value).__name__}")
    return next((each for each in inner if each), None)


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(value: object) -> dict[str, Any]:
    """Write any mapping as an object, as the types of this SDK say."""
    if isinstance(value, Mapping):
        return dict(cast("Data", value))
    raise TypeError("no JSON")


def outcome_in(heard: Heard) -> Outcome:
    """Read how a call ended.

    Raises:
        Refused, Failed: it says no.
        InterlockError: it says something else than how a call ended.
    """
    return returned(ending_of(answer_in(heard)))


def returned(ending: Outcome | Refused | Failed) -> Outcome:
    """Return what may be returned, and raise what says no."""
    match ending:
        case Refused() | Failed():
            raise ending
        case _:
            return ending


def action_in(heard: Heard, id: str) -> Action:
    """Read where an action stands; what is told of another one is not understood."""
    data = answer_in(heard)
    names = ("id", "state", "tool", "workflow", "environment", "agent", "principal", "run", "asked_at", "changed_at")
    try:
        said = data.get("outcome")
        if data["id"] != id or (said and said["action"] != id):
            raise KeyError("id")
        return Action(**{name: str(data[name]) for name in names}, outcome=ending_of(said) if said else None)
    except (KeyError, TypeError, AttributeError):
        _not_understood(heard.status)


def tools_in(heard: Heard) -> list[Tool]:
    """Read which tools there are."""
    try:
        return [
            Tool(
                name=str(each["name"]),
                description=str(each["description"]),
                takes=each["arguments"],
                gives=each["result"],
                read_only=each["effect"] == "read",
            )
            for each in answer_in(heard)["tools"]
        ]
    except (KeyError, TypeError, AttributeError):
        _not_understood(heard.status)


def answer_in(heard: Heard) -> Data:
    """Read an answer that is no problem.

    Raises:
        InterlockError: it is one, or it is none of an Interlock.
    """
    try:
        data: Any = json.loads(heard.body)
    except (ValueError, RecursionError):
        data = None
    if heard.status in (200, 202) and isinstance(data, dict):
        return cast("Data", data)
    if heard.status >= 400 and isinstance(data, dict) and "type" in data:
        raise _problem(heard, cast("Data", data))
    if heard.status in AGAIN:
        seconds = after_seconds(heard)
        raise Later(f"it said {heard.status}", fix=f"try again after {seconds:g} seconds", seconds=seconds)
    _not_understood(heard.status)


def _not_understood(status: int) -> NoReturn:
    raise NotUnderstood(f"what answers there is no Interlock: it said {status}", fix=_ELSEWHERE) from None


def ending_of(data: Data) -> Outcome | Refused | Failed:
    """Read how a call ended, as a value.

    Raises:
        NotUnderstood: it is not as an Interlock says it.
    """
    try:
        return _ending(data)
    except (KeyError, TypeError, AttributeError):
        raise NotUnderstood("an outcome is not as it should be", fix=_ELSEWHERE) from None


def _ending(data: Data) -> Outcome | Refused | Failed:
    seal = data.get("receipt")
    head = _Head(
        action=str(data["action"]),
        recalled=bool(data.get("recalled", False)),
        receipt=Receipt(leaf=seal["leaf"], index=seal["index"], head=seal["head"]) if seal else None,
    )
    match data["outcome"]:
        case "done":
            failed, undone_by = data.get("check") == "failed", data.get("undone_by")
            return Done(**head, result=data["result"], check_failed=failed, undone_by=undone_by)
        case "parked":
            waits = tuple(WaitsFor(roles=tuple(e["roles"]), people=e["people"]) for e in data["waits_for"])
            return Parked(**head, waits_for=waits, until=data["until"])
        case "suggested":
            return Suggested(**head, preview=data["preview"], draft=data["draft"])
        case "uncertain":
            return Uncertain(**head)
        case "refused":
            return _refused(data, head)
        case "failed":
            said = str(data.get("said") or "")
            return Failed("the tool failed and has done nothing", fix=_fix(data), said=said, **head)
        case _:
            raise KeyError("outcome")


def _refused(data: Data, head: _Head) -> Refused:
    reason, wrong = str(data["reason"]), _wrong(data)
    where = "".join(f"; `{each.path}`: {each.kind}" for each in wrong)
    return Refused(f"refused: {reason}{where}", fix=_fix(data), reason=reason, wrong=wrong, **head)


def _fix(data: Data) -> str:
    """Read what to do; a command in it names this very action, so that it can be typed as it stands."""
    return str(data.get("fix") or _AS_PEOPLE_SAY).replace("explain ACTION", f"explain {data.get('action') or 'ACTION'}")


def _wrong(data: Data) -> tuple[Wrong, ...]:
    return tuple(Wrong(path=str(each["path"]), kind=str(each["kind"])) for each in data.get("wrong") or ())


def _problem(heard: Heard, data: Data) -> InterlockError:
    """Make an error of a problem as RFC 9457 writes it."""
    try:
        if data.get("outcome"):
            ending = _ending({"action": "", **data})
            if isinstance(ending, Refused | Failed):
                return ending
        why, fix, kind = str(data["detail"]), _fix(data), str(data["type"]).rpartition("/")[2]
        wrong = _wrong(data)
    except (KeyError, TypeError, AttributeError):
        _not_understood(heard.status)
    match kind:
        case "not-known" | "not-permitted" | "not-from-here":
            return NotLetIn(why, fix=fix)
        case "nothing-there":
            return NotThere(why, fix=_WHOSE)
        case "later" | "too-often" | "too-slow":
            return Later(why, fix=fix, seconds=after_seconds(heard))
        case _:
            return NotWanted(why, fix=fix, wrong=wrong)
