"""What waits for a person: what they are shown, whose consent is wanted, and who has given it."""

from collections.abc import Mapping
from typing import Any

from interlock.core.fact import Fact, Known
from interlock.door.told.action import row_data
from interlock.door.told.here import Here
from interlock.door.told.measures import Time
from interlock.door.told.outcome import requirement_data
from interlock.door.told.payloads import arguments_of, opened, opened_bytes
from interlock.gateway.people import asked_before_adoption, since_adoption
from interlock.policy.vocabulary import question_of
from interlock.ports import ActionRow, Needs, Rows


async def question_data(here: Here, row: ActionRow) -> dict[str, Any]:
    """Return what is shown: the arguments as they stand, the facts as they were decided on, the preview."""
    kept = await opened_bytes(here, row.question)
    facts: Mapping[str, Fact] = question_of(kept).facts if isinstance(kept, bytes) else {}
    return {
        "arguments": await arguments_of(here, row.action.arguments),
        "preview": await opened(here, row.preview),
        "facts": facts_data(facts),
    }


async def votes_on(here: Here, *rows: ActionRow) -> Rows:
    """Read, for all of them at once, who has said what, with the door and the time."""
    return await here.store.read(Needs(grants=frozenset(row.action.id for row in rows)))


def waiting_data(votes: Rows, row: ActionRow) -> dict[str, Any]:
    """Return what waits as data, without what a person is shown of it."""
    return {
        **row_data(row),
        "requirements": [requirement_data(each, given_by(votes, row, each.rule)) for each in row.requirements],
        "expires_at": Time(row.expires_at),
        "expired": votes.now >= row.expires_at,
        "seen": row.seen,
        "edited_by": sorted(row.authors),
        "may_have_been_done": asked_before_adoption(votes.door, row),
    }


def given_by(votes: Rows, row: ActionRow, rule: str) -> list[str]:
    """Name who has said yes to one rule, as the action stands now."""
    given = since_adoption(votes.door, votes.grants[row.action.id])
    return sorted({v.person for v in given if rule in v.rules and (v.digest, v.seen) == (row.action.digest, row.seen)})


def facts_data(facts: Mapping[str, Fact]) -> dict[str, Any]:
    """Return facts as data, by their names."""
    return {name: _fact_data(fact) for name, fact in sorted(facts.items())}


def _fact_data(fact: Fact) -> dict[str, Any]:
    if isinstance(fact, Known):
        return {"known": True, "value": fact.value, "as_of": Time(fact.as_of)}
    return {"known": False, "why": fact.why}
