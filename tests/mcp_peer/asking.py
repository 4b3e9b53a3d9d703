"""How the everything-server asks its client for something in the middle of a call: in either era of the protocol.

Handshake era: a request on the stream of the call. Stateless era: the call ends as `input_required`, and comes again
with the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    InputResponseRequestParams,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

Schema = dict[str, Any]
Answers = Mapping[str, InputResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a tool, or one wish for a prompt."""

    context: ServerRequestContext[Any, Any]
    params: InputResponseRequestParams
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def stateless(self) -> bool:
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def state(self) -> str | None:
        """What we gave along with the last question; nobody else can have written it."""
        return self.params.request_state

    async def ask(
        self, questions: Mapping[str, InputRequest], *, state: str | None = None
    ) -> Answers | InputRequiredResult:
        """Return the answer to each question, or what has to be returned in order to get them."""
        if not self.stateless:
            return {name: await self._asked_now(question) for name, question in questions.items()}
        given = self.params.input_responses or {}
        if all(isinstance(given.get(name), _ANSWERS[type(question)]) for name, question in questions.items()):
            return given
        return InputRequiredResult(input_requests=dict(questions), request_state=state)

    async def _asked_now(self, question: InputRequest) -> InputResponse:
        related = ServerMessageMetadata(related_request_id=self.context.request_id)
        return await self.context.session.send_request(question, _ANSWERS[type(question)], metadata=related)


_ANSWERS: Mapping[type[InputRequest], type[Any]] = {
    CreateMessageRequest: CreateMessageResult,
    ElicitRequest: ElicitResult,
    ListRootsRequest: ListRootsResult,
}


def form(message: str, properties: Schema, required: list[str] | None = None) -> ElicitRequest:
    """A question to the person at the client, answered in a form."""
    schema: Schema = {"type": "object", "properties": properties}
    if required is None or required:
        schema["required"] = list(properties) if required is None else required
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str, *, tokens: int = 100) -> CreateMessageRequest:
    """A question to the model at the client."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def roots() -> ListRootsRequest:
    """A question for the folders that the client works in."""
    return ListRootsRequest()
