"""What went wrong (RFC 9457), with what to do about it. It names places and kinds, never what stood there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from interlock.door.asgi import PROBLEM, Send, answer
from interlock.door.entrance import CHALLENGE, is_for_others
from interlock.identity.bearer import NotKnown

PREFIX = "/v1/problems/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of problem: its status, and what it means whenever it comes."""

    status: int
    title: str
    means: str


KINDS: Mapping[str, Kind] = {
    "invalid": Kind(
        status=400,
        title="this cannot be read",
        means="The body, the query or a header is not as the route wants it. `wrong` lists each place and what kind of "
        "thing is wrong there. Nothing was looked at beyond that.",
    ),
    "not-known": Kind(
        status=401,
        title="there is no token that is known here",
        means="There is no token, or it opens nothing: mistyped, expired, revoked, or never issued here.",
    ),
    "not-permitted": Kind(
        status=403,
        title="the token does not allow this",
        means="The token is good and may not do this: a role is missing, a person is wanted, or it is for another "
        "workflow, environment, agent or principal.",
    ),
    "not-from-here": Kind(
        status=403,
        title="this server is not reached by that name, or from that page",
        means="The request names this server by a name that it does not have, or comes from a page of another one.",
    ),
    "refused": Kind(
        status=403,
        title="the call was refused, and nothing has happened",
        means="A rule, a budget, a person or the form of the arguments said no. `reason` is from the closed list of "
        "reasons; the refusal is recorded. The status is 403, or 422 for `invalid_arguments`, 409 for `duplicate`, 503 "
        "where the same call may be repeated in a moment.",
    ),
    "nothing-there": Kind(
        status=404,
        title="there is nothing here",
        means="No route has this path, or what it names is not there, or not for whoever asks: all are told alike.",
    ),
    "another-method": Kind(
        status=405, title="this path has no such method", means="The path is there; `Allow` lists its methods."
    ),
    "not-now": Kind(
        status=409,
        title="this cannot be done as things stand",
        means="What it is about is in another state, or shows something else than what was seen. Look again.",
    ),
    "too-slow": Kind(
        status=408,
        title="this takes too long to come",
        means="The body did not come to its end in time. Nothing was looked at, so the same may be sent again.",
    ),
    "too-large": Kind(status=413, title="this is too large", means="The body has more bytes than any route takes."),
    "another-type": Kind(
        status=415,
        title="this type is not read here",
        means="A body is JSON, and says so: `Content-Type: application/json`.",
    ),
    "failed": Kind(
        status=424,
        title="the tool failed, and nothing has happened",
        means="The call was started, and the other side said for sure that it did nothing. `said` is its word.",
    ),
    "too-often": Kind(
        status=429,
        title="more calls a minute than this token lets in",
        means="`Retry-After` says in how many seconds there is room for one more.",
    ),
    "later": Kind(
        status=503,
        title="this cannot be answered now",
        means="The store does not answer, this process is about to end, or too many wait. Try again after "
        "`Retry-After` seconds; a proposal with the same `Idempotency-Key`, so that it is done once.",
    ),
    "cut-off": Kind(
        status=504,
        title="this process ended before the answer was there",
        means="What was begun goes on or is recorded as it is left; what came of it is not known yet. The same request "
        "tells later, at this process or another one; a proposal with the same `Idempotency-Key`.",
    ),
}
"""Every kind of problem, by the last part of its `type`."""

Headers = tuple[tuple[bytes, bytes], ...]


class Problem(Exception):
    """Something went wrong that the caller can act on."""

    def __init__(
        self,
        kind: str,
        why: str,
        *,
        fix: str,
        status: int | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(why)
        self.kind = kind
        self.status = status if status is not None else KINDS[kind].status
        self.why = why
        self.fix = fix
        self.more = more or {}
        self.headers: Headers = tuple(headers)

    async def answer(self, send: Send) -> None:
        """Answer a request with it."""
        said = {
            "type": PREFIX + self.kind,
            "title": KINDS[self.kind].title,
            "status": self.status,
            "detail": self.why,
            "fix": self.fix,
        }
        await answer(send, self.status, msgspec.json.encode({**said, **self.more}), PROBLEM, self.headers)


def invalid(why: str, path: str, kind: str, *, fix: str) -> Problem:
    """Say which place of a request is not as the route wants it, and what kind of thing is wrong there."""
    return Problem("invalid", why, fix=fix, more={"wrong": [{"path": path, "kind": kind}]})


def nothing_there() -> Problem:
    """Say that there is nothing, whether or not there is something that is not for whoever asks."""
    return Problem("nothing-there", "nothing with this id is there for this token", fix="list what there is")


def no_route() -> Problem:
    """Say that nothing answers at a path."""
    return Problem("nothing-there", "no route has this path", fix="look at `/v1/openapi.json`")


def not_let_in(why: NotKnown) -> Problem:
    """Say why somebody is not let in."""
    if is_for_others(why):
        return Problem("not-permitted", why.why, fix=why.fix)
    return Problem("not-known", why.why, fix=why.fix, headers=(CHALLENGE,))


def cut_off() -> Problem:
    """Say that this process ends, and nobody knows yet what came of a request."""
    fix = "make the same request again, a proposal with the same `Idempotency-Key`: it tells what came of this one"
    return Problem("cut-off", "this process ends, and what came of this is not known yet", fix=fix)


def later(why: str, seconds: int = 1) -> Problem:
    """Say that it may work in a moment."""
    wait = (b"retry-after", str(seconds).encode())
    return Problem("later", why, fix="try again after as many seconds as `Retry-After` says", headers=(wait,))
