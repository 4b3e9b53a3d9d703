"""`approvals`: list, show, approve, deny, edit. A yes is to exactly what was shown."""

from typing import Any

from interlock.core.action import ActionState
from interlock.core.errors import NotPermitted, UsageWrong
from interlock.core.ids import Instant
from interlock.core.outcome import Outcome
from interlock.door.cli.carry import carry_on
from interlock.door.cli.outcomes import requirement_line, text_of
from interlock.door.cli.payloads import shown
from interlock.door.cli.person import operator, voter
from interlock.door.cli.reading import arguments_text
from interlock.door.cli.render import Time, block, clean, since, table
from interlock.door.cli.render import listed as in_words
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, session
from interlock.door.told.approval import given_by, question_data, votes_on, waiting_data
from interlock.door.told.outcome import data_of
from interlock.gateway.consent import agree, edit, waiting
from interlock.gateway.consent import deny as say_no
from interlock.gateway.people import asked_before_adoption
from interlock.policy.words import as_text
from interlock.ports import ActionRow, Wanted

_SEEN_SHOWN = 16
"""How much of the hash of what was shown is printed and asked for: 64 bits, as an answer to one question."""

_LIST_MAX = 1_000
_MAY_BE_DONE = "it was asked for before the ledger was adopted: it may have been done in what is lost"


@awaited
async def listed(typed: Typed) -> int:
    """List what waits, the newest first."""
    with session(typed) as here:
        rows = await here.store.actions(Wanted(states=frozenset({ActionState.PARKED}), limit=_LIST_MAX))
        votes = await votes_on(here, *rows)
        lines: list[list[object]] = []
        for row in rows:
            wants = [requirement_line(each, given_by(votes, row, each.rule)) for each in row.requirements]
            who = f"{row.action.caller.agent} for {row.action.caller.principal}"
            expires = "expired" if votes.now >= row.expires_at else since(row.expires_at, votes.now)
            lines.append([row.action.id, row.action.tool, who, expires, "; ".join(wants)])
        data = [waiting_data(votes, row) for row in rows]
    text = table(["ID", "TOOL", "AGENT FOR", "EXPIRES", "WAITS FOR"], lines, typed.screen.broad)
    typed.screen.show(data, text if rows else "nothing waits for a person")
    if len(rows) == _LIST_MAX:
        typed.screen.note(
            f"note: the newest {_LIST_MAX:,}; `interlock action list --state parked --limit 10000` has older ones"
        )
    return 0


@awaited
async def show(typed: Typed) -> int:
    """Show what a yes would be about."""
    with session(typed) as here:
        row = await waiting(here.store, (await here.action(typed.given.id)).action.id)
        data = {**waiting_data(await votes_on(here, row), row), **await question_data(here, row)}
        typed.screen.show(data, await _text(here, row))
    return 0


@awaited
async def approve(typed: Typed) -> int:
    """Say yes to what was shown, and carry the action on if nothing is missing."""
    with session(typed) as here:
        row = await waiting(here.store, (await here.action(typed.given.id)).action.id)
        await operator(here)  # nobody is asked who could not answer
        seen = await _seen(here, row)
        by = await voter(here, row, seen)
        voted = await agree(here.gateway, here.store, row.action.id, by, seen=seen)
        outcome = await carry_on(here, row.action.id) if voted.complete else None
        pairs = [
            ("approved", row.action.id),
            ("by", f"{by.person} ({by.known_by})"),
            ("answers", in_words(voted.answered)),
            ("grant", voted.grant),
            ("then", "nothing is missing" if voted.complete else "others have to agree as well"),
            ("next", f"`interlock action show {row.action.id}`" if voted.complete and outcome is None else ""),
        ]
        data = {
            "action": row.action.id,
            "grant": voted.grant,
            "by": by.person,
            "known_by": by.known_by,
            "rules": sorted(voted.answered),
            "complete": voted.complete,
        }
        _show(typed, data, block(pairs, typed.screen.width), outcome)
    return 0


@awaited
async def deny(typed: Typed) -> int:
    """Say no."""
    with session(typed) as here:
        row = await waiting(here.store, (await here.action(typed.given.id)).action.id)
        by = await voter(here, row, row.seen)
        refused = await say_no(here.gateway, here.store, row.action.id, by)
        data = {"action": row.action.id, "by": by.person, "known_by": by.known_by, "reason": refused.reason.value}
        typed.screen.show(data, f"{row.action.id} is refused: {by.person} ({by.known_by}) said no")
    return 0


@awaited
async def edit_arguments(typed: Typed) -> int:
    """Change the arguments of an action that waits, and have it judged again."""
    text = arguments_text(typed)
    if typed.given.arguments is None and typed.given.file is None:
        raise UsageWrong("the new arguments are missing", fix="write them as JSON, or say `--args FILE`")
    with session(typed) as here:
        row = await waiting(here.store, (await here.action(typed.given.id)).action.id)
        by = await operator(here)
        await edit(here.gateway, here.store, row.action.id, text, by)
        outcome = await carry_on(here, row.action.id)
        data = {"action": row.action.id, "edited_by": by.person, "known_by": by.known_by}
        _show(typed, data, f"{row.action.id} has new arguments, by {by.person}; somebody else decides", outcome)
    return 0


def _show(typed: Typed, data: dict[str, Any], text: str, outcome: Outcome | None) -> None:
    """Print what was said, and what came of it if it was carried on here."""
    width = typed.screen.width
    now = f"{text}\n\n{text_of(outcome, width)}" if outcome is not None else text
    typed.screen.show({**data, "outcome": data_of(outcome) if outcome is not None else None}, now)


async def _seen(here: Session, row: ActionRow) -> str:
    """Return the hash of what the person was shown, who shows it by naming its beginning, or looks at it now."""
    said: str | None = here.typed.given.seen
    id = row.action.id
    if said is not None:
        if len(said) < _SEEN_SHOWN or not row.seen.startswith(said):
            why = f"what `{id}` shows is not what `{clean(said[:64])}` stands for"
            raise NotPermitted(why, fix=f"look again: `interlock approvals show {id}`")
        return row.seen
    screen = here.typed.screen
    if screen.somebody_there:
        screen.note_block(await _text(here, row))
    answer = screen.ask("approve exactly this?")
    if answer is None:
        fix = f"look at it: `interlock approvals show {id}`, then say `--seen` with what it prints"
        raise NotPermitted("a yes needs somebody who has seen what it is about", fix=fix)
    if not answer:
        raise NotPermitted(
            "you did not say yes, and nothing was written", fix=f"to refuse: `interlock approvals deny {id}`"
        )
    return row.seen


async def _text(here: Session, row: ActionRow) -> str:
    typed, votes = here.typed, await votes_on(here, row)
    question, room = await question_data(here, row), typed.screen.width - 12
    facts = [f"{name}: {_fact_words(fact)}" for name, fact in question["facts"].items()]
    wants = [requirement_line(each, given_by(votes, row, each.rule)) for each in row.requirements]
    caller = row.action.caller
    pairs = [
        ("action", row.action.id),
        ("tool", f"{row.action.tool} ({row.action.effect.value}, {row.action.tier.value})"),
        ("arguments", shown(question["arguments"], room)),
        ("preview", shown(question["preview"], room) if question["preview"] is not None else ""),
        ("facts", "\n".join(facts)),
        ("agent", clean(f"{caller.agent} for {caller.principal}, {caller.workflow} in {caller.environment}")),
        ("take care", _MAY_BE_DONE if asked_before_adoption(votes.door, row) else ""),
        ("edited by", in_words(row.authors) + ", who cannot approve it" if row.authors else ""),
        ("waits for", "\n".join(wants)),
        ("expires", _expiry(row, votes.now)),
        ("seen", row.seen[:_SEEN_SHOWN]),
        ("to agree", f"`interlock approvals approve {row.action.id} --seen {row.seen[:_SEEN_SHOWN]}`"),
        ("to refuse", f"`interlock approvals deny {row.action.id}`"),
    ]
    return block(pairs, typed.screen.width)


def _expiry(row: ActionRow, now: Instant) -> str:
    if now >= row.expires_at:
        return f"expired {since(row.expires_at, now)}"
    return f"{Time(row.expires_at).short()} ({since(row.expires_at, now)})"


def _fact_words(fact: dict[str, Any]) -> str:
    return as_text(fact["value"]) if fact["known"] else f"unknown ({fact['why']})"
