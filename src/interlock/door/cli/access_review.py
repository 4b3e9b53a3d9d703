"""`access review`: who and what can do what, when each was used last, what expires soon."""

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.core.credential import Credential, CredentialKind
from interlock.core.door import Door
from interlock.core.ids import Instant
from interlock.door.cli.accesses import force_of, good, issuers, right_data
from interlock.door.cli.issuers import issuer_data
from interlock.door.cli.reading import span_of
from interlock.door.cli.render import Time, table
from interlock.door.cli.render import listed as in_words
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.door.cli.tokens import token_data
from interlock.gateway.force import Force
from interlock.rows import Wanted

_LOOKED_AT_MAX = 10_000
"""Of the newest actions: when a token was used last is not kept, it is read off them."""
_SOON_MICROS = 14 * 86_400 * 1_000_000


@awaited
async def review(typed: Typed) -> int:
    """List who and what can do what, and what nobody has needed for long."""
    unused = span_of(typed.given.unused)
    with session(typed) as here:
        rows = await here.rows()
        seen = await here.store.actions(Wanted(limit=_LOOKED_AT_MAX))
        used: dict[str, Instant] = {}
        for row in seen:
            used.setdefault(row.action.caller.known_by, row.action.asked_at)
        contracts = [(name, await force_of(here, rows.door, name)) for name in sorted(rows.door.published)]
    full, now, door = len(seen) < _LOOKED_AT_MAX, rows.now, rows.door
    tokens = [_token_line(door, each, used, now, unused, full=full) for each in good(door.credentials, now)]
    people = {name: _people(force) for name, force in contracts if force is not None}
    rights = [right_data(one) for one in door.rights if now < one.until]
    data = {
        "tokens": tokens,
        "people": people,
        "for_a_while": rights,
        "issuers": list(map(issuer_data, issuers(door))),
    }
    typed.screen.show(data, _review_text(data, typed.screen.broad))
    return 0


def _token_line(
    door: Door, token: Credential, used: Mapping[str, Instant], now: Instant, unused: int, *, full: bool
) -> dict[str, Any]:
    last = used.get(token.known_by)
    # Of what only reads nothing is kept; and beyond the newest actions nothing was looked at.
    told = token.kind is CredentialKind.AGENT and (last is not None or full)
    remarks = {
        "expires soon": token.expires_at - now < _SOON_MICROS,
        f"unused for {_days(unused)}": told and now - (last or token.created_at) > unused,
        "older than the last adoption, which may have lost its revocation": token.created_at < door.adopted,
    }
    return {
        **token_data(token, now),
        "last_used": Time(last) if last is not None else None,
        "remarks": [text for text, holds in remarks.items() if holds],
    }


def _days(span: int) -> str:
    days = span // (86_400 * 1_000_000)
    return f"{days} day{'s' if days != 1 else ''}"


def _people(force: Force) -> dict[str, list[str]]:
    return {role: sorted(people) for role, people in sorted(force.contract.approvals.people.items())}


def _review_text(data: Mapping[str, Any], broad: int) -> str:
    tokens = [
        [
            one["id"],
            one["name"],
            f"{one['workflow'] or 'all workflows'} {one['environment'] or ''}".strip(),
            in_words(one["roles"]) or one["kind"],
            one["last_used"].short() if one["last_used"] else "never seen",
            one["expires_at"].short(),
            "; ".join(one["remarks"]),
        ]
        for one in data["tokens"]
    ]
    people = [
        [person, role, where]
        for where, roles in data["people"].items()
        for role, persons in roles.items()
        for person in persons
    ]
    for one in data["issuers"]:
        people += [
            [f"group {name} of {one['name']}", in_words(held), one["url"]] for name, held in one["groups"].items()
        ]
        people += [[f"service {sub} of {one['name']}", what, one["url"]] for sub, what in one["services"].items()]
    given = data["for_a_while"]
    rights = [[one["id"], one["person"], one["role"], one["until"].short(), one["by"]] for one in given]
    parts = [
        _table("no token", ["TOKEN", "NAME", "FOR", "MAY", "LAST USED", "EXPIRES", "REMARK"], tokens, broad),
        _table("no contract and no issuer gives anybody a role", ["WHO", "MAY", "BY"], people, broad),
        _table("nobody holds a role for a while", ["RIGHT", "PERSON", "ROLE", "UNTIL", "BY"], rights, broad),
    ]
    return "\n\n".join(parts)


def _table(nothing: str, head: Sequence[str], rows: Sequence[Sequence[object]], broad: int) -> str:
    return table(head, rows, broad) if rows else nothing
