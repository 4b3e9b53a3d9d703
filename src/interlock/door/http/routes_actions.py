"""Actions: ask for one, see where it stands, say what became of it, take it back."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from msgspec import UnsetType

from interlock.core.action import ActionState
from interlock.core.ids import ActionId, AgentId, Environment, PrincipalId, RunId, ToolName, WorkflowId
from interlock.door.http import shapes
from interlock.door.http.ended import answer_of
from interlock.door.http.pages import page
from interlock.door.http.permissions import AGENTS, AGENTS_OR_READERS, OPERATORS, PERSON_OPERATES, STORIES
from interlock.door.http.problem import invalid, not_let_in, nothing_there
from interlock.door.http.route import Answer, Route
from interlock.door.http.visit import Visit
from interlock.door.told.action import row_data
from interlock.door.told.outcome import to_agents, to_people
from interlock.door.told.payloads import arguments_of
from interlock.door.told.pictures import pictures_of, whole_picture
from interlock.door.told.story import story_of
from interlock.gateway.draft import start_draft
from interlock.gateway.listing import Filter
from interlock.gateway.proposal import Proposal
from interlock.gateway.recall import outcome_of, row_of
from interlock.gateway.recover import reap
from interlock.gateway.refuse import expired
from interlock.gateway.resolve import resolve
from interlock.gateway.reverse import undo
from interlock.identity.bearer import NotKnown
from interlock.identity.signature import SIGNATURE, SIGNED_AT, from_headers
from interlock.ports import ActionRow, Needs, Wanted

_UNNAMED = AgentId("api")
"""Who asks where neither the token nor the contract names an agent."""
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_OPEN = (ActionState.PARKED, ActionState.STARTED)
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")


async def propose(visit: Visit[None, shapes.Propose]) -> Answer:
    """Carry one call from here to the ledger."""
    said = visit.body
    caller = await visit.entrance.caller(
        visit.bearer,
        agent=AgentId(said.agent) if said.agent is not None else None,
        principal=PrincipalId(said.principal) if said.principal is not None else None,
        unnamed=_UNNAMED,
        workflow=WorkflowId(said.workflow) if said.workflow is not None else None,
        environment=Environment(said.environment) if said.environment is not None else None,
    )
    if isinstance(caller, NotKnown):
        raise not_let_in(caller)
    proposal = Proposal(
        tool=ToolName(said.tool),
        arguments=b"{}" if isinstance(said.arguments, UnsetType) else bytes(said.arguments),
        run=RunId(said.run) if said.run is not None else None,
        key=_key(visit.header("Idempotency-Key")),
        occurrence=said.occurrence,
        signature=from_headers(visit.header(SIGNATURE), visit.header(SIGNED_AT)),
    )
    return answer_of(await visit.gateway.call(caller, proposal))


def _key(said: str | None) -> str | None:
    """Read the key of a caller, which may stand in quotes as the draft of the header wants it."""
    if said is None:
        return None
    text = said[1:-1] if len(said) > 1 and said.startswith('"') and said.endswith('"') else said
    if not _KEY.fullmatch(text):
        fix = "send 1 to 256 printable characters, such as a UUID, and the same ones again with a retry"
        raise invalid("the idempotency key is none", "$header.idempotency-key", "form", fix=fix)
    return text


async def listed(visit: Visit[shapes.ListActions, None]) -> Answer:
    """List actions, page by page."""
    wanted = visit.query
    narrow = Filter(
        workflow=wanted.workflow,
        environment=wanted.environment,
        agent=wanted.agent,
        principal=wanted.principal,
        tool=wanted.tool,
    )
    about = (sorted(wanted.state), wanted.run, narrow)
    states = frozenset(ActionState(name) for name in wanted.state)
    run = RunId(wanted.run) if wanted.run is not None else None
    rows, next = await page(
        visit,
        Wanted(states=states, run=run, limit=wanted.limit),
        lambda action: narrow.fits(action) and visit.may_see(action),
        about=about,
        cursor=wanted.cursor,
    )
    return Answer(data={"actions": [line_of(visit, row) for row in rows], "next": next})


async def shown(visit: Visit[shapes.GetAction, None]) -> Answer:
    """Show where an action stands, now or as soon as it has ended."""
    row = await seen_row(visit)
    if visit.query.wait and row.state in _OPEN:
        row = await _ended(visit, row, visit.query.wait)
        await visit.still_let_in()
    outcome = await _outcome(visit, row)
    data: dict[str, Any] = line_of(visit, row)
    if visit.may_detail(row.action.caller.workflow):
        data["arguments"] = await arguments_of(visit, row.action.arguments)
        data["outcome"] = to_people(outcome) if outcome is not None else None
    elif visit.is_agent:
        data["outcome"] = to_agents(outcome) if outcome is not None else None
    return Answer(data=data)


async def _outcome(visit: Visit[Any, Any], row: ActionRow) -> Any:  # noqa: ANN401  an outcome or nothing
    now = (await visit.store.read(Needs())).now
    if row.state is ActionState.STARTED and now < row.lease_until:
        return None
    if row.state is ActionState.PARKED and now >= row.expires_at:
        return expired(row.action.id)
    return await outcome_of(row, visit.store, visit.gateway.secrets)


async def _ended(visit: Visit[Any, Any], row: ActionRow, seconds: float) -> ActionRow:
    """Wait until an action neither waits nor is under way, for so many seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    async with visit.watches.on(visit.bearer) as watch:
        while True:
            row = await row_of(visit.store, row.action.id) or row
            left = until - loop.time()
            if row.state not in _OPEN or left <= 0 or visit.watches.stop.is_set():
                return row
            await watch.told_of(row.action.id, left)


async def explained(visit: Visit[None, None]) -> Answer:
    """Tell the whole story of an action."""
    return Answer(data=await story_of(visit, await seen_row(visit)))


async def pictures(visit: Visit[None, None]) -> Answer:
    """Hand out the pictures of an action."""
    found = await pictures_of(visit, await seen_row(visit))
    return Answer(data={"pictures": [await whole_picture(visit, each) for each in found]})


async def resolved(visit: Visit[None, shapes.Resolve]) -> Answer:
    """Take somebody's word for what became of an action."""
    row, said = await seen_row(visit), visit.body
    if row.state is ActionState.STARTED and (await visit.store.read(Needs())).now >= row.lease_until:
        await reap(visit.store, visit.gateway.process)
    if said.result is not None and said.verdict != "happened":
        raise invalid("`result` belongs to `happened`", "$.result", "unknown_field", fix="leave it out")
    done = await resolve(
        visit.gateway,
        visit.store,
        row.action.id,
        said.verdict,
        visit.by,
        result=said.result,
        may_still_happen=said.first_may_still_happen,
    )
    again = to_people(done.retried) if done.retried is not None else None
    return Answer(data={"action": row.action.id, "state": done.state.value, "retried": again})


async def undone(visit: Visit[None, shapes.Undo]) -> Answer:
    """Reverse an effect, as an action of its own."""
    row = await seen_row(visit)
    changed = visit.body.even_if_changed
    outcome = await undo(visit.gateway, visit.store, row.action.id, visit.by, even_if_changed=changed)
    return answer_of(outcome, people=True)


async def started(visit: Visit[None, shapes.Nothing]) -> Answer:
    """Start what an agent drafted, as an action of this person's own."""
    row = await seen_row(visit)
    return answer_of(await start_draft(visit.gateway, visit.store, row.action.id, visit.by), people=True)


async def seen_row(visit: Visit[Any, Any]) -> ActionRow:
    """Find the action that a path names, if it is one for whoever asks to see.

    Raises:
        Problem: there is none, or it is not for them: they are told the same.
    """
    id = ActionId(visit.path["id"])
    row = await row_of(visit.store, id) if _ID.fullmatch(id) else None
    if row is None or not visit.may_see(row.action):
        raise nothing_there()
    return row


def line_of(visit: Visit[Any, Any], row: ActionRow) -> dict[str, Any]:
    """Return as much of where an action stands as is for whoever asks."""
    data = row_data(row)
    return {name: data[name] for name in _TO_AGENTS} if visit.is_agent else data


_TO_AGENTS = ("id", "state", "tool", "workflow", "environment", "agent", "principal", "run", "asked_at", "changed_at")

_OUTCOMES: Mapping[int, Any] = {
    200: shapes.Done,
    202: shapes.Parked | shapes.Suggested | shapes.Uncertain,
}

ROUTES = (
    Route(
        method="POST",
        path="/v1/actions",
        name="propose",
        needs=AGENTS,
        says="Ask for an action. It is judged, carried out if it may be, and recorded; the answer says how it ended. "
        "200 means that it was done, and nothing else does. 202: it waits for a person, is a suggestion, or nobody "
        "knows how it ended. A refusal (403, 409, 422, 503) and a failure of the tool (424) are problems, with the "
        "outcome in them.",
        does=propose,
        body=shapes.Propose,
        headers={
            "Idempotency-Key": "The same key from the same caller is the same action: it is carried out once, and "
            "answered from the record from then on. 1 to 256 printable characters.",
            SIGNATURE: "Of an agent that has a key: salt and Ed25519 signature in hex, with a point between.",
            SIGNED_AT: "When that was signed, in seconds since 1970.",
        },
        answers=_OUTCOMES,
        problems=("refused", "failed"),
    ),
    Route(
        method="GET",
        path="/v1/actions",
        name="list_actions",
        needs=AGENTS_OR_READERS,
        says="List actions, the one that changed last first: an agent its own, a role those of its workflows.",
        does=listed,
        query=shapes.ListActions,
        answers={200: shapes.Actions},
    ),
    Route(
        method="GET",
        path="/v1/actions/{id}",
        name="get_action",
        needs=AGENTS_OR_READERS,
        says="Show where an action stands. With `wait` the answer comes once it neither waits nor is under way.",
        does=shown,
        query=shapes.GetAction,
        answers={200: shapes.Action},
        problems=("nothing-there",),
    ),
    Route(
        method="GET",
        path="/v1/actions/{id}/explain",
        name="explain_action",
        needs=STORIES,
        says="Tell the whole story of an action: who, what, by which rules, whose consent, at what cost, what changed.",
        does=explained,
        answers={200: shapes.Story},
        problems=("nothing-there",),
    ),
    Route(
        method="GET",
        path="/v1/actions/{id}/pictures",
        name="get_pictures",
        needs=STORIES,
        says="Hand out the pictures of pages that are kept of an action, as PNG in base64.",
        does=pictures,
        answers={200: shapes.Pictures},
        problems=("nothing-there",),
    ),
    Route(
        method="POST",
        path="/v1/actions/{id}/resolve",
        name="resolve_action",
        needs=OPERATORS,
        says="Say what became of an action whose end nobody knows.",
        does=resolved,
        body=shapes.Resolve,
        answers={200: shapes.Resolved},
        problems=("nothing-there", "not-now"),
    ),
    Route(
        method="POST",
        path="/v1/actions/{id}/undo",
        name="undo_action",
        needs=OPERATORS,
        says="Reverse an effect, as an action of its own, by policy.",
        does=undone,
        body=shapes.Undo,
        answers=_OUTCOMES,
        problems=("nothing-there", "not-now", "refused", "failed"),
    ),
    Route(
        method="POST",
        path="/v1/actions/{id}/start",
        name="start_draft",
        needs=PERSON_OPERATES,
        says="Start what an agent drafted, as an action of a person. It waits for the consent of others.",
        does=started,
        body=shapes.Nothing,
        answers=_OUTCOMES,
        problems=("nothing-there", "not-now", "refused", "failed"),
    ),
)
