"""Carries out operations of OpenAPI documents, as their contract pins them. What a status means is in `_meant`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from interlock.core.canonical import Json, Unreadable
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.limits import SAID_CHARS_MAX
from interlock.ports import Performer
from interlock.tool.content_type import charset_of, is_json, kind_of
from interlock.tool.http_client import Answering, HttpClient, Question
from interlock.tool.json_answer import json_answer
from interlock.tool.openapi_plan import Plan
from interlock.tool.openapi_request import request
from interlock.tool.plan import plan_of
from interlock.tool.slots import Slots, SlotsOf

PREFIX = "openapi:"
_DEFINITE = frozenset(status.value for status in HTTPStatus if 400 <= status < 500) - {HTTPStatus.REQUEST_TIMEOUT}
"""What says that the request was not carried out. A 4xx that nobody has registered says nothing."""
_SAID_BYTES_MAX = 4 * SAID_CHARS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApiTool:
    """Carries out one operation."""

    plan: Plan
    key_header: str
    client: HttpClient
    slots: Slots

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Send one request.

        Raises:
            UpstreamFailed: nothing was sent, or the other side says that it did nothing.
            UpstreamSilent: nobody knows.
        """
        self.slots.take()
        try:
            return await self._perform(errand)
        finally:
            self.slots.give_back()

    async def _perform(self, errand: Errand) -> Performed:
        arguments: Mapping[str, Json] = json.loads(errand.arguments)
        secrets = {**errand.secrets, **({"": errand.secret} if errand.secret is not None else {})}
        texts = {scheme: secret.reveal(self.plan.url) for scheme, secret in secrets.items()}
        made = request(self.plan, arguments, texts)
        headers = {**made.headers, **self._key(errand)}
        question = Question(
            method=self.plan.method, url=made.url, headers=headers, body=made.body, private=self.plan.private
        )
        async with self.client.answering(question, before=errand.check_lease) as answering:
            return await _meant(answering, question.host, only_read=errand.action.effect is EffectClass.READ)

    def _key(self, errand: Errand) -> Mapping[str, str]:
        sends = self.key_header and errand.key and errand.action.effect is EffectClass.IDEMPOTENT_KEY
        return {self.key_header: errand.key} if sends else {}


async def _meant(answering: Answering, host: str, *, only_read: bool) -> Performed:
    """Say what an answer means for the effect.

    Args:
        answering: the answer, as it comes in.
        host: who answers.
        only_read: whether there was no effect to be unsure of.

    Raises:
        UpstreamFailed: it says that nothing was done.
        UpstreamSilent: nobody knows.
    """
    status = answering.status
    if 200 <= status < 300:
        return await _done(answering, host, only_read=only_read)
    said = await _said(answering)
    named = f"{status} {HTTPStatus(status).phrase}" if status in _REGISTERED else str(status)
    if status in _DEFINITE:
        raise UpstreamFailed(f"`{host}` says no: {named}", fix="look at what it said", said=said)
    raise UpstreamSilent(f"`{host}` answers {named}", fix="look at what it said, and whether it happened", said=said)


async def _done(answering: Answering, host: str, *, only_read: bool) -> Performed:
    """Read what came back. The other side has done it, whatever it says about it."""
    try:
        result = _read(answering.headers.get("Content-Type", ""), await answering.body())
    except UpstreamSilent:
        if only_read:
            raise
        return Performed(result=Unreadable())
    if only_read and isinstance(result, Unreadable):
        fix = "look at its answer: JSON or text in UTF-8, each name once, numbers that JSON readers keep"
        raise UpstreamFailed(f"`{host}` answers something that cannot be read", fix=fix)
    return Performed(result=result)


def _read(content_type: str, body: bytes) -> Json | Unreadable:
    if not body or is_json(content_type):
        return json_answer(body)
    if not kind_of(content_type).startswith("text/") or charset_of(content_type) not in ("", "utf-8", "us-ascii"):
        return Unreadable()
    try:
        return body.decode()
    except UnicodeDecodeError:
        return Unreadable()


async def _said(answering: Answering) -> str:
    """Return the beginning of what it says of its failure."""
    body = b""
    try:
        async for chunk in answering.chunks():
            body += chunk
            if len(body) >= _SAID_BYTES_MAX:
                break
    except UpstreamSilent:
        pass  # what its status says holds, whether the rest arrives or not
    return body.decode(errors="replace")[:SAID_CHARS_MAX]


_REGISTERED = frozenset(status.value for status in HTTPStatus)


@dataclass(slots=True)
class OpenApiTools:
    """Finds operations by the name that a contract gives them. All share one client."""

    client: HttpClient
    _slots: SlotsOf = field(default_factory=SlotsOf)

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this operation. It connects to nobody.

        Raises:
            ContractInvalid: another version pinned it.
        """
        if not source.startswith(PREFIX):
            return None
        return OpenApiTool(
            plan=plan_of(terms.how, Plan),
            key_header=terms.idempotency_header,
            client=self.client,
            slots=self._slots.find(terms, source),
        )

    def close(self) -> None:
        self.client.close()
