"""Consent: what waits for people, what they are shown, and what they say. A yes is to exactly what was shown."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from interlock.core.action import ActionState
from interlock.core.errors import NotPermitted
from interlock.door.http import shapes_people as shapes
from interlock.door.http.pages import page
from interlock.door.http.permissions import PERSON_CONSENTS, QUESTIONS, READERS
from interlock.door.http.problem import Problem
from interlock.door.http.route import Answer, Route
from interlock.door.http.routes_actions import seen_row
from interlock.door.http.visit import Visit
from interlock.door.told.approval import question_data, votes_on, waiting_data
from interlock.gateway.consent import agree, deny, edit
from interlock.ports import ActionRow, Wanted

_LOOK = "look again: `GET /v1/approvals/{id}`"


async def listed(visit: Visit[shapes.ListWaiting, None]) -> Answer:
    """List what waits, page by page."""
    wanted = Wanted(states=frozenset({ActionState.PARKED}), limit=visit.query.limit)
    rows, next = await page(visit, wanted, visit.may_see, about="waiting", cursor=visit.query.cursor)
    votes = await votes_on(visit, *rows)
    return Answer(data={"approvals": [waiting_data(votes, row) for row in rows], "next": next})


async def shown(visit: Visit[None, None]) -> Answer:
    """Show what a yes would be about."""
    row = _waits(await seen_row(visit))
    return Answer(data={**waiting_data(await votes_on(visit, row), row), **await question_data(visit, row)})


async def approve(visit: Visit[None, shapes.Vote]) -> Answer:
    """Say yes to what was shown."""
    async with _asked(visit) as row:
        voted = await agree(visit.gateway, visit.store, row.action.id, visit.by, seen=visit.body.seen)
    said = {"grant": voted.grant, "rules": sorted(voted.answered), "complete": voted.complete}
    return Answer(data={**_said(visit, row), **said})


async def refuse(visit: Visit[None, shapes.Vote]) -> Answer:
    """Say no."""
    async with _asked(visit) as row:
        refused = await deny(visit.gateway, visit.store, row.action.id, visit.by)
    return Answer(data={**_said(visit, row), "reason": refused.reason.value})


async def edit_arguments(visit: Visit[None, shapes.Edit]) -> Answer:
    """Change the arguments of what waits."""
    async with _asked(visit) as row:
        text = bytes(visit.body.arguments).decode()
        await edit(visit.gateway, visit.store, row.action.id, text, visit.by)
    return Answer(data=_said(visit, row))


@asynccontextmanager
async def _asked(visit: Visit[None, Any]) -> AsyncGenerator[ActionRow]:
    """Find the question that somebody answers, who shows that they saw it as it stands."""
    row = _waits(await seen_row(visit))
    if visit.body.seen != row.seen:
        raise Problem("not-now", "what it shows is not what `seen` stands for", fix=_LOOK)
    try:
        yield row
    except NotPermitted as no:
        _waits(await seen_row(visit))  # somebody else may have answered meanwhile
        raise Problem("not-permitted", str(no), fix=no.fix) from no


def _waits(row: ActionRow) -> ActionRow:
    if row.state is not ActionState.PARKED:
        why = f"it does not wait: it is {row.state.value}"
        raise Problem("not-now", why, fix=f"look at it: `GET /v1/actions/{row.action.id}`")
    return row


def _said(visit: Visit[Any, Any], row: ActionRow) -> dict[str, Any]:
    return {"action": row.action.id, "by": visit.by.person, "known_by": visit.by.known_by}


_ANSWER = ("nothing-there", "not-now")

ROUTES = (
    Route(
        method="GET",
        path="/v1/approvals",
        name="list_approvals",
        needs=READERS,
        says="List what waits for people, the one that changed last first.",
        does=listed,
        query=shapes.ListWaiting,
        answers={200: shapes.WaitingList},
    ),
    Route(
        method="GET",
        path="/v1/approvals/{id}",
        name="get_approval",
        needs=QUESTIONS,
        says="Show what a yes would be about: arguments, preview, facts, and `seen`, the hash of all that.",
        does=shown,
        answers={200: shapes.Question},
        problems=_ANSWER,
    ),
    Route(
        method="POST",
        path="/v1/approvals/{id}/approve",
        name="approve",
        needs=PERSON_CONSENTS,
        says="Say yes to exactly what was shown. Once nothing is missing, the action goes on by itself.",
        does=approve,
        body=shapes.Vote,
        answers={200: shapes.Voted},
        problems=_ANSWER,
    ),
    Route(
        method="POST",
        path="/v1/approvals/{id}/deny",
        name="deny",
        needs=PERSON_CONSENTS,
        says="Say no. One no is enough, and it stays the answer to this call.",
        does=refuse,
        body=shapes.Vote,
        answers={200: shapes.Said},
        problems=_ANSWER,
    ),
    Route(
        method="POST",
        path="/v1/approvals/{id}/edit",
        name="edit",
        needs=PERSON_CONSENTS,
        says="Change the arguments of what waits. It is judged anew and waits on, for others than whoever edited it.",
        does=edit_arguments,
        body=shapes.Edit,
        answers={200: shapes.Said},
        problems=_ANSWER,
    ),
)
