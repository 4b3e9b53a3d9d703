"""What a client can say: each way of asking as a talk, the same for one that blocks and one that awaits."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from interlock_sdk.errors import (
    Failed,
    InterlockError,
    Later,
    NotWanted,
    Refused,
    Unanswered,
    UnderWay,
    Unreachable,
)
from interlock_sdk.outcome import Action, Outcome, Parked, Tool
from interlock_sdk.talk import Ask, Pause, Retry, Talk, ask
from interlock_sdk.wire import action_in, outcome_in, returned, tools_in, written

CALL_SECONDS = 150.0  # a tool may take 120, and what is recorded before and after it some more
LOOK_SECONDS = 15.0
POLL_SECONDS_MAX = 30  # what the server lets one question wait
KEY_LETTERS_MAX = 256
POLL_SECONDS_MIN = 1.0  # between two questions about one action, where the server does not hold them back


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """One call, as it is asked for."""

    tool: str
    arguments: Mapping[str, Any]
    run: str | None
    key: str | None
    occurrence: int
    agent: str | None
    principal: str | None


class Signer(Protocol):
    """Signs what an agent proposes; see `signing`."""

    def headers(self, proposed: Proposed) -> Mapping[str, str]:
        """Sign one proposal, now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, and how patiently."""

    agent: str | None
    principal: str | None
    retry: Retry
    signer: Signer | None
    call_seconds: float = CALL_SECONDS

    def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        run: str | None,
        key: str | None,
        occurrence: int,
        wait: float | None,
    ) -> Talk[Outcome]:
        """Ask for an action."""
        _checked(wait)
        # Within a run the call is known by its arguments and its number, and a key of our own would hide that.
        key = token_hex(16) if key is None and run is None else _key(key)
        proposed = Proposed(
            tool=tool,
            arguments=arguments,
            run=run,
            key=key,
            occurrence=occurrence,
            agent=self.agent,
            principal=self.principal,
        )
        named = {"agent": self.agent, "principal": self.principal, "run": run}
        said = {name: value for name, value in named.items() if value is not None}
        body = written({"tool": tool, "arguments": arguments, "occurrence": occurrence, **said})
        heard = yield from ask(lambda: self._proposal(proposed, body), self.retry, key=key, run=run)
        outcome = outcome_in(heard)
        if not isinstance(outcome, Parked) or not wait:
            return outcome
        try:
            return (yield from self.wait(outcome, wait))
        except (Refused, Failed, UnderWay):
            raise
        except InterlockError as lost:
            # Whoever calls again without the key asks for another action, and people may agree to both.
            id = outcome.action
            why = f"`{id}` was waiting for people, and what became of it cannot be seen: {lost.args[0]}"
            fix = f"wait for it: `wait({id!r})`; or call again with this error's `key` and `run`"
            raise Unanswered(why, fix=fix, key=key, run=run, action=id) from lost

    def _proposal(self, proposed: Proposed, body: bytes) -> Ask:
        headers = {"Content-Type": "application/json"}
        if proposed.key is not None:
            headers["Idempotency-Key"] = proposed.key
        if self.signer is not None:
            headers.update(self.signer.headers(proposed))
        return Ask(method="POST", path="/v1/actions", headers=headers, body=body, seconds=self.call_seconds)

    def action(self, id: str, *, wait: float = 0) -> Talk[Action]:
        """Ask where an action stands, now or as soon as it has ended."""
        path = f"/v1/actions/{quote(id, safe='')}" + (f"?wait={wait:g}" if wait else "")
        look = Ask(method="GET", path=path, seconds=LOOK_SECONDS + wait, held=wait > 0)
        heard = yield from ask(lambda: look, self.retry)
        return action_in(heard, id)

    def wait(self, about: str | Parked, timeout: float | None) -> Talk[Outcome]:
        """Ask again and again until an action has ended. A server that is away for a while ends no wait."""
        _checked(timeout)
        id = about if isinstance(about, str) else about.action
        until = None if timeout is None else time.monotonic() + timeout
        away_since: float | None = None
        while True:
            began = time.monotonic()
            left = POLL_SECONDS_MAX if until is None else max(0.0, until - began)
            try:
                action = yield from self.action(id, wait=min(POLL_SECONDS_MAX, round(left, 3)))
            except (Unreachable, Unanswered, Later) as lost:
                away_since = began if away_since is None else away_since
                yield self._until_it_is_back(lost, away_since, until)
                continue
            away_since = None
            if action.outcome is not None and not isinstance(action.outcome, Parked):
                return returned(action.outcome)
            now = time.monotonic()
            if until is not None and now >= until:
                if action.outcome is None:
                    raise UnderWay(id)
                return action.outcome
            if now - began < POLL_SECONDS_MIN:
                yield Pause(seconds=POLL_SECONDS_MIN if until is None else min(POLL_SECONDS_MIN, until - now))

    def _until_it_is_back(self, lost: InterlockError, away_since: float, until: float | None) -> Pause:
        """Say how long to pause before the next look, or raise why there is none."""
        now = time.monotonic()
        over = (
            away_since + self.retry.away_seconds if until is None else min(until, away_since + self.retry.away_seconds)
        )
        if now >= over:
            raise lost
        obey = lost.seconds if isinstance(lost, Later) else POLL_SECONDS_MIN
        pause = self.retry.pause(self.retry.attempts, min(obey, self.retry.obey_seconds_max))
        return Pause(seconds=min(pause.seconds, over - now))

    def tools(self) -> Talk[list[Tool]]:
        """Ask what the contract lets this token call."""
        return tools_in((yield from ask(lambda: Ask(method="GET", path="/v1/tools", seconds=LOOK_SECONDS), self.retry)))


def _checked(seconds: float | None) -> None:
    if seconds is not None and not seconds >= 0:
        raise NotWanted("that is no time to wait; nothing was sent", fix="say 0 or more seconds, or leave it out")


def _key(key: str | None) -> str | None:
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= KEY_LETTERS_MAX):
        fix = f"pass 1 to {KEY_LETTERS_MAX} printable ASCII characters, such as a UUID"
        raise NotWanted("this is no idempotency key; nothing was sent", fix=fix)
    return key


def address_of(url: str, *, unsafe_plaintext: bool) -> tuple[str, bool]:
    """Return the address of a server without its last slash, and whether it is on this machine.

    Raises:
        NotWanted: it is no such address, or tokens would go over the wire in the open.
    """
    try:
        parts = urlsplit(url)
        here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        fits = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        fits = fits and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        fits, here, parts = False, False, urlsplit("")
    if not fits:
        raise NotWanted("this is no address of a server", fix="say one such as `https://interlock.acme.example`")
    if url.rstrip("/").endswith(("/mcp", "/v1")):
        raise NotWanted("this is the address of a door, not of the server", fix="leave out `/mcp` or `/v1` at its end")
    if parts.scheme == "http" and not here and not unsafe_plaintext:
        raise NotWanted(
            "the token would go over the wire in the open",
            fix="say an `https` address, or `unsafe_plaintext=True` where something else encrypts the way",
        )
    return url.rstrip("/"), here
