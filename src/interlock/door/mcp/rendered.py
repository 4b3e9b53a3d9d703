"""How a call ended, as the result of an MCP tool. An agent learns a reason, never a rule, a limit or a name it lacks.

Only what is `done` looks like a result. Everything else says in its first words that nothing was done, or that nobody
knows, so that no model takes it for the answer; the same stands in `structuredContent`, for programs.
"""

from collections.abc import Mapping
from typing import Any, assert_never, cast

import msgspec

from interlock.core.canonical import Json, JsonObject
from interlock.core.effect import EffectClass
from interlock.core.outcome import Done, Failed, Outcome, Parked, Refused, Suggested, Uncertain
from interlock.door.moment import iso
from interlock.door.told.outcome import name_of, receipt_data, said_to_agents, waits_for

OUTCOME = "interlock/outcome"
_BLOCKS = frozenset({"text", "image", "audio", "resource", "resource_link"})

NOT_DONE: JsonObject = {
    "type": "object",
    "description": "what stands in place of a result when the call was not carried out",
    "properties": {"outcome": {"enum": ["parked", "suggested", "refused", "failed", "uncertain"]}},
    "required": ["outcome", "action"],
}
"""JSON Schema of what a call says that has no result."""

_NOT_AGAIN = "(From the record of action {action}: it was carried out once{since}, and this call did not do it again.)"
_UNDONE = " and has been undone since (action {undo})"


def tool_result(outcome: Outcome, effect: EffectClass | None) -> dict[str, Any]:
    """Write an outcome as `CallToolResult`."""
    known = _result(outcome) if isinstance(outcome, Done) else _no_result(outcome)
    if isinstance(outcome, Done) and outcome.recalled and effect not in (None, EffectClass.READ):
        since = _UNDONE.format(undo=outcome.undone_by) if outcome.undone_by else ""
        note = _text(_NOT_AGAIN.format(action=outcome.action, since=since))
        known["content"] = [*known["content"], {**note, "annotations": {"audience": ["assistant"]}}]
    about: dict[str, Any] = {"outcome": name_of(outcome), "action": outcome.action}
    if outcome.recalled:
        about["recalled"] = True
    if isinstance(outcome, Done) and outcome.check == "failed":
        about["check"] = "failed"
    if isinstance(outcome, Done) and outcome.undone_by is not None:
        about["undone_by"] = outcome.undone_by
    if outcome.receipt is not None:
        about["receipt"] = receipt_data(outcome.receipt)
    return {**known, "_meta": {OUTCOME: about}}


def _result(done: Done) -> dict[str, Any]:
    blocks = _blocks(done.result)
    if blocks is not None:
        return {"content": blocks, "isError": False}
    if isinstance(done.result, dict):
        return {"content": [_text(_json(done.result))], "structuredContent": done.result, "isError": False}
    text = done.result if isinstance(done.result, str) else _json(done.result)
    return {"content": [_text(text)], "isError": False}


def _blocks(result: Json) -> list[Any] | None:
    """Return what an upstream server gave as blocks of content, as that."""
    if not isinstance(result, list) or not result:
        return None
    each = [cast("Mapping[str, Any]", block) for block in result if isinstance(block, dict)]
    whole = len(each) == len(result) and all(block.get("type") in _BLOCKS for block in each)
    return list(result) if whole else None


def _no_result(outcome: Parked | Suggested | Refused | Failed | Uncertain) -> dict[str, Any]:
    said = {"outcome": name_of(outcome), "action": outcome.action, **said_to_agents(outcome)}
    return {
        "content": [_text(_words(outcome))],
        "structuredContent": said,
        "isError": isinstance(outcome, Refused | Failed | Uncertain),
    }


def _words(outcome: Parked | Suggested | Refused | Failed | Uncertain) -> str:
    match outcome:
        case Parked():
            return (
                f"Not done yet: this call {in_words(outcome)} (action {outcome.action}). Nothing has happened. "
                "The same call, with the same arguments, later returns how it ended."
            )
        case Suggested():
            says = "a person may start it" if outcome.draft else "it is shown to people, and not carried out"
            preview = "" if outcome.preview is None else f" It would be: {_json(outcome.preview)}"
            return f"Not done: this is a suggestion, {says} (action {outcome.action}).{preview}"
        case Refused():
            wrong = "; ".join(f"{each.path}: {each.kind}" for each in outcome.wrong)
            told = f": {wrong}" if wrong else ""
            return f"Refused ({outcome.reason.value}){told}. Nothing has happened (action {outcome.action})."
        case Failed():
            said = f" It said: {outcome.said}" if outcome.said else ""
            return f"Failed: the tool did nothing (action {outcome.action}).{said}"
        case Uncertain():
            return (
                f"Nobody knows whether this happened (action {outcome.action}). Do not try it again: "
                "people find out, and the same call later returns what they found."
            )
        case _:
            assert_never(outcome)


def in_words(parked: Parked) -> str:
    """Say whose consent a call waits for, and until when."""
    who = " and ".join(_who(each) for each in waits_for(parked)) or "a person"
    return f"waits for {who}, until {iso(parked.expires_at)}"


def _who(each: Mapping[str, Any]) -> str:
    people = "one person" if each["people"] == 1 else f"{each['people']} people"
    return f"{people} with the role {' or '.join(each['roles'])}" if each["roles"] else people


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _json(value: Json) -> str:
    return msgspec.json.encode(value).decode()
