"""What all adapters have in common: which call is which, and how its end is told to a model.

A framework may run the same call again at any time: after a resume, a retry, a crash. So each adapter names a call by
what the framework itself calls it, and the record answers. Whether a call goes on is never read from what the framework
was resumed with, only from what became of the action of that very call.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, assert_never

from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.client import Interlock
from interlock_sdk.errors import Failed, Refused
from interlock_sdk.outcome import Done, Outcome, Parked, Suggested, Tool, Uncertain

Ending = Outcome | Refused | Failed
_RUN = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def run_of(name: str) -> str:
    """Return a name for a run: what a framework calls it, or its hash where that has other letters or too many."""
    return name if _RUN.fullmatch(name) else "h:" + sha256(name.encode()).hexdigest()[:40]


def key_of(*parts: str) -> str:
    """Return the idempotency key of a call that a framework names by these parts."""
    return sha256(json.dumps(parts).encode()).hexdigest()


def asked_of(outcome: Parked) -> dict[str, Any]:
    """Say what a person is asked, as JSON: an interrupt, a deferred call, an event has it."""
    return {
        "action": outcome.action,
        "waits_for": [{"roles": list(each.roles), "people": each.people} for each in outcome.waits_for],
        "until": outcome.until,
    }


def told(ending: Ending) -> Any:  # noqa: ANN401  whatever the tool gave
    """Say how a call ended: the result, or in words why there is none."""
    match ending:
        case Done():
            return ending.result
        case Parked() | Suggested() | Uncertain():
            return ending.in_words
        case Refused(reason="duplicate"):
            return "refused, duplicate: this call has done nothing, an equal one before it may have: do not repeat it"
        case Refused(reason="uncertain"):
            return "refused, uncertain: nobody knows whether it has happened before: do not ask for it again"
        case Refused():
            wrong = "".join(f"; `{each.path}`: {each.kind}" for each in ending.wrong)
            return f"nothing has happened: refused, {ending.reason}{wrong}"
        case Failed():
            return f"nothing has happened: the tool failed{': ' + ending.said if ending.said else ''}"
        case _:
            assert_never(ending)


def text_of(ending: Ending) -> str:
    """Say the same as text, for frameworks whose tools give text."""
    said = told(ending)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def named(tools: Iterable[Tool]) -> dict[str, Tool]:
    """Return tools under the names by which models may call them: some allow no dots.

    Raises:
        ValueError: two of them would have one name.
    """
    found: dict[str, Tool] = {}
    for each in tools:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", each.name)[:64]
        if name in found:
            raise ValueError("two tools would have the same name for a model: leave one of them out")
        found[name] = each
    return found


def called(client: Interlock, tool: str, arguments: Mapping[str, Any], run: str | None, key: str | None) -> Ending:
    """Ask for an action; what says no is returned.

    Raises:
        InterlockError: it could not be asked, or no answer came.
    """
    try:
        return client.call(tool, arguments, run=run, key=key)
    except (Refused, Failed) as ending:
        if _may_be_for_the_token(ending):
            client.tools()
        return _told_at_all(ending)


async def awaited(
    client: AsyncInterlock, tool: str, arguments: Mapping[str, Any], run: str | None, key: str | None
) -> Ending:
    """Ask for an action; what says no is returned.

    Raises:
        InterlockError: it could not be asked, or no answer came.
    """
    try:
        return await client.call(tool, arguments, run=run, key=key)
    except (Refused, Failed) as ending:
        if _may_be_for_the_token(ending):
            await client.tools()
        return _told_at_all(ending)


def _may_be_for_the_token(ending: Refused | Failed) -> bool:
    """Whether it may be that the token opens nothing any more: then any look raises `NotLetIn`.

    Such a refusal says nothing of an earlier attempt under the same key, so no model is to hear it.
    """
    return isinstance(ending, Refused) and ending.reason == "tool_not_allowed" and not ending.recalled


def _told_at_all(ending: Refused | Failed) -> Refused | Failed:
    """Raise what says nothing of an earlier attempt under the same key: nobody could look into the record."""
    if isinstance(ending, Refused) and ending.reason == "internal" and not ending.recalled:
        raise ending
    return ending


async def any_ended(client: AsyncInterlock, actions: Iterable[str]) -> None:
    """Wait until one of these actions has ended, however it did, or cannot be seen. Then resume what waits for them."""
    waiting = [asyncio.ensure_future(client.wait(each)) for each in actions]
    if not waiting:
        return  # whatever was waited for has ended meanwhile
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
