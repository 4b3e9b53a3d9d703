"""A client that blocks."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

import httpx2

from interlock_sdk.asking import CALL_SECONDS, Asking, Signer, address_of
from interlock_sdk.carried import Bearer, Gathered, limits_of, lost, options
from interlock_sdk.outcome import Action, Outcome, Parked, Tool
from interlock_sdk.run import Occurrences
from interlock_sdk.talk import Ask, Heard, Lost, Pause, Retry, Talk

Answer = TypeVar("Answer")


class Interlock:
    """Asks one Interlock for actions. Its connections are kept; threads may share it.

    `close` it, or use it in a `with`.

    Args:
        url: where `interlock serve` is reached.
        token: what lets you in; it is shown in no text that comes from here.
        agent: who asks, where the token is for several agents.
        principal: on whose behalf, where the token leaves that open.
        retry: how often and how soon the same thing is sent again.
        signer: signs each proposal, for an agent that has a key.
        call_seconds: how long one call may take.
        tls: which certificates to trust, if not those of this system.
        unsafe_plaintext: whether to talk to another machine in the open.
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
        self._http = httpx2.Client(auth=Bearer(token), **options(address, here=here, tls=tls))

    def __repr__(self) -> str:
        return f"Interlock({self._url!r})"

    def __enter__(self) -> "Interlock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def call(
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
            tool: as the contract calls it.
            arguments: as JSON has them.
            run: the run that it belongs to: there it is known as the `occurrence`-th equal call.
            key: the same key is the same action. Without a key and a run one is drawn for this call.
            occurrence: the how-manyeth equal call of the run this is.
            wait: how many seconds to wait for people, if it parks.

        Raises:
            Refused: a rule, a budget or a person said no; nothing has happened.
            Failed: the tool has surely done nothing.
            Unanswered: it may have happened; the same call with the error's `key` and `run` finds out.
            Unreachable, Later: nothing has happened, and the same call may be made again.
            InterlockError: anything else that kept it from being looked at.
        """
        return self._carry(
            self._asking.call(tool, arguments, run=run, key=key, occurrence=occurrence, wait=wait),
        )

    def action(self, id: str) -> Action:
        """Say where an action stands."""
        return self._carry(self._asking.action(id))

    def wait(self, about: str | Parked, timeout: float | None = None) -> Outcome:
        """Wait until an action has ended, for `timeout` seconds or as long as it takes.

        Returns:
            How it ended; `Parked` if it still waits for people when the time is over.

        Raises:
            Refused: people said no, or nobody agreed in time.
            UnderWay: it has started and not ended when the time is over.
        """
        return self._carry(self._asking.wait(about, timeout))

    def tools(self) -> list[Tool]:
        """List the tools that the contract lets this token call."""
        return self._carry(self._asking.tools())

    def run(self, id: str) -> "Run":
        """Name a run. Make it anew each time its body is replayed: it counts from the beginning."""
        return Run(id=id, client=self)

    def _carry(self, talk: Talk[Answer]) -> Answer:
        said: Heard | Lost | None = None
        while True:
            try:
                wanted = talk.send(said)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            if isinstance(wanted, Pause):
                time.sleep(wanted.seconds)
                said = None
            else:
                said = self._sent(wanted)

    def _sent(self, asked: Ask) -> Heard | Lost:
        try:
            with self._http.stream(
                asked.method, asked.path, content=asked.body, headers=dict(asked.headers), timeout=limits_of(asked)
            ) as answer:
                gathered = Gathered()
                for part in answer.iter_bytes():
                    gathered.add(part)
                return gathered.heard(answer)
        except httpx2.RequestError as error:
            return lost(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, in whose body equal calls are counted. Replayed, it is answered from the record."""

    id: str
    client: Interlock = field(repr=False)
    _made: Occurrences = field(default_factory=Occurrences, repr=False)

    def call(self, tool: str, arguments: Mapping[str, Any], *, wait: float | None = None) -> Outcome:
        """Ask for the next action of this run; see `Interlock.call`."""
        return self.client.call(tool, arguments, run=self.id, occurrence=self._made.next(tool, arguments), wait=wait)
