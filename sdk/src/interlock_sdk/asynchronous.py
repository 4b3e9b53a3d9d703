"""A client that awaits. Its methods are those of `client.Interlock`."""

import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import anyio
import httpx2

from interlock_sdk.asking import CALL_SECONDS, Asking, Signer, address_of
from interlock_sdk.carried import LOST, Bearer, Gathered, limits_of, lost, options
from interlock_sdk.errors import NotWanted
from interlock_sdk.outcome import Action, Outcome, Parked, Tool
from interlock_sdk.run import Occurrences
from interlock_sdk.talk import Ask, Heard, Lost, Pause, Retry, Talk

Answer = TypeVar("Answer")


class AsyncInterlock:
    """A client of one Interlock that awaits, on asyncio or trio. It keeps its connections, and tasks may share it.

    End it with `close`, or use it in an `async with`.

    Args:
        url: the address of the server, such as `https://interlock.acme.example`, without `/mcp` or `/v1`.
        token: as `interlock token new` printed it. No text that comes from here shows it.
        agent: who asks. Needed where the token is for several agents.
        principal: on whose behalf. Needed where the token leaves that open.
        retry: how often and how soon a request is sent again.
        signer: signs each proposal, for an agent that has a key: see `signing.KeyFile`.
        call_seconds: how many seconds one request for an action may take.
        tls: the certificates to trust in place of those of this system.
        unsafe_plaintext: whether `http` to another machine is allowed, because something else encrypts the way.

    Raises:
        NotWanted: the address or the token is none, or the token would go over the wire in the open.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        agent: str | None = None,
        principal: str | None = None,
        retry: Retry | None = None,
        signer: Signer | None = None,
        call_seconds: float = CALL_SECONDS,
        tls: ssl.SSLContext | None = None,
        unsafe_plaintext: bool = False,
    ) -> None:
        address, here = address_of(url, unsafe_plaintext=unsafe_plaintext)
        self._asking = Asking(
            agent=agent, principal=principal, retry=retry or Retry(), signer=signer, call_seconds=call_seconds
        )
        self._url = address
        self._make = partial(httpx2.AsyncClient, auth=Bearer(token), **options(address, here=here, tls=tls))
        self._http, self._held, self._process = self._make(), self._make(), os.getpid()

    def __repr__(self) -> str:
        return f"AsyncInterlock({self._url!r})"

    async def __aenter__(self) -> "AsyncInterlock":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        for each in (self._http, self._held):
            with suppress(RuntimeError):  # connections of an event loop that has ended have ended with it
                await each.aclose()

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        run: str | None = None,
        key: str | None = None,
        occurrence: int = 1,
        wait: float | None = None,
    ) -> Outcome:
        """Ask for an action, and return how it ended or what it waits for.

        Args:
            tool: the name that the contract gives the tool.
            arguments: a JSON object.
            run: the run that the call belongs to. There it is known by its tool, arguments and `occurrence`.
            key: an idempotency key: the same key is the same action. Without a key and a run, one is drawn for each
                call, and kept when the call is sent again.
            occurrence: counts equal calls of a run: 1 for the first, 2 for the second one that is meant.
            wait: how many seconds to wait for people if the call parks. Without it, `Parked` is returned at once.

        Raises:
            Refused: a rule, a budget or a person said no; nothing has happened.
            Failed: the tool was asked and has surely done nothing.
            Unanswered: it may have happened, or people may be asked; call again with the error's `key` and `run`.
            UnderWay: people agreed, and it had not ended when `wait` was over.
            Unreachable, Later: nothing has happened, and the same call may be made again.
            InterlockError: anything else, such as a token that opens nothing.
        """
        return await self._carry(
            self._asking.call(tool, arguments, run=run, key=key, occurrence=occurrence, wait=wait),
        )

    async def action(self, id: str) -> Action:
        """Return where an action stands now. What says no stands in its `outcome`, and is not raised.

        Raises:
            NotThere: there is no such action, or not for this token.
            InterlockError: nobody can tell now.
        """
        return await self._carry(self._asking.action(id))

    async def wait(self, about: str | Parked, timeout: float | None = None) -> Outcome:
        """Wait until an action has ended, and return how.

        Args:
            about: the id of the action, or what `call` returned.
            timeout: how many seconds to wait. Without it, as long as people take.

        Returns:
            How it ended; `Parked` if it still waits for people when the time is over.

        Raises:
            Refused: people said no, or nobody agreed in time.
            Failed: people agreed, and the tool has surely done nothing.
            UnderWay: it had started and not ended when the time was over.
            NotThere: there is no such action, or not for this token.
            InterlockError: nobody can tell now. Wait again: waiting changes nothing.
        """
        return await self._carry(self._asking.wait(about, timeout))

    async def tools(self) -> list[Tool]:
        """List the tools that the contract lets this token call.

        Raises:
            InterlockError: nobody can tell now.
        """
        return await self._carry(self._asking.tools())

    def run(self, id: str) -> "AsyncRun":
        """Name a run: up to 64 letters, digits and `._:-`.

        Make the object where the body of the run begins, so that it counts from 1 each time the body is replayed.
        """
        return AsyncRun(id=id, client=self)

    async def _carry(self, talk: Talk[Answer]) -> Answer:
        said: Heard | Lost | None = None
        while True:
            try:
                wanted = talk.send(said)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            if isinstance(wanted, Pause):
                await anyio.sleep(wanted.seconds)
                said = None
            else:
                said = await self._sent(wanted)

    def _connections(self, asked: Ask) -> httpx2.AsyncClient:
        """Return what carries a request. Over connections from before a fork, answers to the parent would come here."""
        if os.getpid() != self._process:
            self._http, self._held = self._make(), self._make()
            self._process = os.getpid()
        if self._http.is_closed:
            raise NotWanted("this client is closed; nothing was sent", fix="make another one, and close it at the end")
        return self._held if asked.held else self._http

    async def _sent(self, asked: Ask) -> Heard | Lost:
        http = self._connections(asked)
        try:
            async with http.stream(
                asked.method, asked.path, content=asked.body, headers=dict(asked.headers), timeout=limits_of(asked)
            ) as answer:
                gathered = Gathered()
                async for part in answer.aiter_bytes():
                    gathered.add(part)
                return gathered.heard(answer)
        except LOST as error:
            return lost(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncRun:
    """A run, in whose body equal calls are counted. Replayed, it is answered from the record."""

    id: str
    client: AsyncInterlock = field(repr=False)
    _made: Occurrences = field(default_factory=Occurrences, repr=False)

    async def call(self, tool: str, arguments: Mapping[str, Any], *, wait: float | None = None) -> Outcome:
        """Ask for the next action of this run; see `AsyncInterlock.call`."""
        return await self.client.call(
            tool, arguments, run=self.id, occurrence=self._made.next(tool, arguments), wait=wait
        )
