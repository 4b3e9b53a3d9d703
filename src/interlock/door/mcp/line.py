"""The way back to a client in the middle of a call: what it is asked, each time by an action of its own, and told.

In a session a question is a request of ours, and its answer a message of the client. A stateless client gets the
questions as the answer to its call, and calls again with what it knows; meanwhile the call is under way here.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from interlock.core.action import Caller
from interlock.core.canonical import Json, JsonObject
from interlock.core.errand import Line, Question
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import ProcessId, RunId, TenantId, ToolName
from interlock.core.outcome import Done, Refused
from interlock.door.mcp import wire
from interlock.door.mcp.client import Client
from interlock.door.mcp.post import Box, Post
from interlock.door.mcp.wire import Message
from interlock.door.sealed import opened, sealed
from interlock.door.told.outcome import name_of
from interlock.gateway.call import Gateway
from interlock.gateway.force import Force
from interlock.gateway.proposal import Proposal

_TOLD_MAX = 1_000  # messages in the middle of one call; the rest of a flood is dropped
_QUESTIONS = ("/sampling/*", "/elicitation/*", "/roots/*")
_UNANSWERED = "call again, and answer"
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""The levels of RFC 5424, from the least to the most urgent."""


def give_up(answers: "Iterable[asyncio.Future[Any]]") -> None:
    """Let whoever waits for an answer know that it does not come."""
    for answer in tuple(answers):
        if not answer.done():
            answer.set_exception(UpstreamFailed("the client did not answer in time", fix=_UNANSWERED))


class _Question(Struct, frozen=True, kw_only=True):
    """What the id of a question says, under our MAC: so its answer finds its way, whichever process it comes to."""

    process: ProcessId
    session: str
    n: int


@dataclass(slots=True, kw_only=True)
class Answers:
    """What clients of sessions were asked and have not answered yet."""

    post: Post
    _open: "dict[tuple[TenantId, int], asyncio.Future[Message]]" = field(
        default_factory=dict[tuple[TenantId, int], "asyncio.Future[Message]"]
    )
    _ns: "count[int]" = field(default_factory=count)

    @classmethod
    def by(cls, post: Post) -> "Answers":
        """Hear of answers that came to other processes, too."""
        answers = cls(post=post)
        post.boxes["answer"] = Box(awaited=lambda: {tenant for tenant, _ in answers._open}, take=answers._brought)
        return answers

    def expect(self, tenant: TenantId, session: str) -> "tuple[str, asyncio.Future[Message]]":
        """Draw the id of a question to the client of a session, with what its answer will come to."""
        question = _Question(process=self.post.gateway.process, session=session, n=next(self._ns))
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._open[tenant, question.n] = future
        future.add_done_callback(lambda _: self._open.pop((tenant, question.n), None))
        self.post.look()
        return sealed(self.post.gateway.secrets, tenant, "mcp question", msgspec.json.encode(question)), future

    async def come(self, tenant: TenantId, session: str, message: Message) -> None:
        """Take an answer, or leave it for the process that asked. What nobody asked this client for is dropped.

        Raises:
            StoreError: it cannot be left.
        """
        text = opened(self.post.gateway.secrets, tenant, "mcp question", str(message.id))
        question = msgspec.json.decode(text, type=_Question) if text is not None else None
        if question is None or question.session != session:
            return
        if question.process == self.post.gateway.process:
            self._take(tenant, question.n, message)
        else:
            said = msgspec.json.encode(message)
            await self.post.send(tenant, question.process, "answer", str(question.n), said)

    def _brought(self, tenant: TenantId, name: str, text: bytes) -> None:
        self._take(tenant, int(name), msgspec.json.decode(text, type=Message))

    def _take(self, tenant: TenantId, n: int, message: Message) -> None:
        future = self._open.get((tenant, n))
        if future is not None and not future.done():
            future.set_result(message)

    def give_up(self) -> None:
        """Wait for none of them any more."""
        give_up(self._open.values())


@dataclass(slots=True, kw_only=True)
class Asking:
    """What every line has: whose call it is, what its client can do and wants to hear, and how it is told."""

    gateway: Gateway
    force: Force | None
    caller: Caller
    client: Client
    run: RunId | None
    push: Callable[[bytes], bool]
    """Sends a message to the client on the stream of this call; says whether that can still be done."""
    progress: str | int | None = None
    """The token that its progress carries; nothing if it wants none."""
    level: str | None = None
    """From which level on it wants log messages."""
    missing: set[str] = field(default_factory=set[str])
    """Capabilities that somebody wanted and the client did not announce."""
    _told: int = 0

    @property
    def asks(self) -> bool:
        """Whether the contract lets anybody ask the client something."""
        tools = self.force.contract.tools.values() if self.force is not None else ()
        return any(tool.source.endswith(_QUESTIONS) for tool in tools)

    def can(self, server: str) -> frozenset[str]:
        named = {kind for kind in ("sampling", "elicitation", "roots") if self._tool(f"mcp:{server}/{kind}/*")}
        return frozenset(each for each in self.client.can if each.partition(".")[0] in named)

    def hears(self) -> tuple[bool, str | None]:
        return self.progress is not None, self.level

    def lacks(self, capability: str) -> None:
        self.missing.add(capability)

    def tell(self, method: str, params: JsonObject) -> None:
        told = self._heard(method, params)
        if told is not None and self._told < _TOLD_MAX:
            self._told += 1
            self.push(wire.notification(method, told))

    def _heard(self, method: str, params: JsonObject) -> JsonObject | None:
        """Return what the client is told, or nothing if it did not ask for that."""
        if method == "notifications/progress" and self.progress is not None:
            return {**params, "progressToken": self.progress}
        said = params.get("level")
        loud = said in LEVELS and self.level is not None and LEVELS.index(said) >= LEVELS.index(self.level)
        return params if method == "notifications/message" and loud else None

    async def answer(self, question: Question, line: Line) -> Json:
        """Carry one question as an action, like any call of an agent.

        Raises:
            UpstreamFailed: it was refused, parked, or not answered.
        """
        proposal = Proposal(
            tool=self._tool(question.source) or ToolName(question.source),
            arguments=msgspec.json.encode(question.params),
            run=self.run,
            beside=True,
            line=line,
        )
        outcome = await self.gateway.call(self.caller, proposal)
        if isinstance(outcome, Done):
            return outcome.result
        why = outcome.reason.value if isinstance(outcome, Refused) else name_of(outcome)
        raise UpstreamFailed(f"the client was not asked: {why}", fix="name it in the contract, if it may be asked")

    def _tool(self, source: str) -> ToolName | None:
        tools = self.force.contract.tools.values() if self.force is not None else ()
        return next((tool.name for tool in tools if tool.source == source), None)


@dataclass(slots=True, kw_only=True)
class _Line:
    """What lines have in common."""

    asking: Asking

    def can(self, server: str) -> frozenset[str]:
        return self.asking.can(server)

    def hears(self) -> tuple[bool, str | None]:
        return self.asking.hears()

    def lacks(self, capability: str) -> None:
        self.asking.lacks(capability)

    def tell(self, method: str, params: JsonObject) -> None:
        self.asking.tell(method, params)


@dataclass(slots=True, kw_only=True)
class InSession(_Line):
    """The line of a call in a session."""

    session: str
    answers: Answers

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
        answers = await asyncio.gather(*(self.asking.answer(each, self) for each in questions.values()))
        return dict(zip(questions, answers, strict=True))

    async def relay(self, question: Question) -> Json:
        id, future = self.answers.expect(self.asking.caller.tenant, self.session)
        try:
            if not self.asking.push(wire.request(id, question.method, question.params)):
                raise UpstreamFailed("the client cannot be asked on this stream", fix=_UNANSWERED)
            answer = _result_of(await future)
        finally:
            future.cancel()
        if not fits(question.method, answer):
            raise UpstreamFailed("the client's answer is none", fix=_UNANSWERED)
        return answer


def _result_of(message: Message) -> Json:
    if not isinstance(message.result, Raw):
        raise UpstreamFailed("the client answered with an error", fix=_UNANSWERED)
    try:
        return msgspec.json.decode(bytes(message.result))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamFailed("the client's answer cannot be read", fix=_UNANSWERED) from error


def fits(method: str, answer: object) -> bool:
    """Whether something has the form of an answer to a question of this method."""
    if not isinstance(answer, Mapping):
        return False
    said = cast("Mapping[str, Any]", answer)
    match method:
        case "elicitation/create":
            return said.get("action") in ("accept", "decline", "cancel")
        case "sampling/createMessage":
            return isinstance(said.get("role"), str) and "content" in said and isinstance(said.get("model"), str)
        case "roots/list":
            return isinstance(said.get("roots"), list)
        case _:
            return False


@dataclass(slots=True, kw_only=True)
class Waiting(_Line):
    """The line of a stateless call: its questions wait for the client to call again."""

    given: dict[str, Any] = field(default_factory=dict[str, Any])
    """Answers that came before their questions."""
    posed: "dict[str, tuple[Question, asyncio.Future[Json]]]" = field(
        default_factory=dict[str, "tuple[Question, asyncio.Future[Json]]"]
    )
    round: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while every question that is open waits for the client."""
    _open: int = 0

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
        self._open += len(questions)
        each = [self._one(name, question) for name, question in questions.items()]
        return dict(zip(questions, await asyncio.gather(*each), strict=True))

    async def _one(self, name: str, question: Question) -> Json:
        try:
            return await self.asking.answer(question, _Child(asking=self.asking, above=self, name=name))
        finally:
            self._open -= 1
            self._look()

    async def pose(self, name: str, question: Question) -> Json:
        """Wait for the client to answer one question, by the name that it has."""
        early = self.given.pop(name, None)
        if fits(question.method, early):
            return early
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.posed[name] = (question, future)
        self._look()
        try:
            return await future
        finally:
            del self.posed[name]
            self._look()

    def _look(self) -> None:
        if self.posed and len(self.posed) >= self._open:
            self.round.set()
        else:
            self.round.clear()

    def take(self, answers: Mapping[str, Any]) -> None:
        """Take answers by the names of their questions. What does not fit is asked for again."""
        taken = {
            name: future
            for name, (question, future) in self.posed.items()
            if not future.done() and fits(question.method, answers.get(name))
        }
        for name, future in taken.items():
            future.set_result(answers[name])
        if len(taken) == len(self.posed):
            self.round.clear()

    async def relay(self, question: Question) -> Json:
        raise UpstreamFailed("this question has no name", fix=_UNANSWERED)


@dataclass(slots=True, kw_only=True)
class _Child(_Line):
    """The line of one question of a stateless call."""

    above: Waiting
    name: str

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
        raise UpstreamFailed("a question asks no questions", fix="answer it")

    async def relay(self, question: Question) -> Json:
        return await self.above.pose(self.name, question)
