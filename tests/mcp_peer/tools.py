"""The tools of the everything-server: one for each thing that a scenario of the conformance suite tries."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolResult,
    CreateMessageResult,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsResult,
    LoggingLevel,
    TextContent,
    TextResourceContents,
)

from mcp_peer.asking import Call, Schema, form, roots, sample

# A picture of one red point, and a tenth of a millisecond of silence.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
SOUND = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQEAAACAAA=="

STEP_SECONDS = 0.02
"""Between two notifications of one call, so that they cannot arrive as one."""

Answer = CallToolResult | InputRequiredResult
Does = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A tool, as it is listed, and what it does."""

    name: str
    description: str
    does: Does
    schema: Schema = field(default_factory=lambda: {"type": "object", "properties": {}, "additionalProperties": False})


TOOLS: dict[str, Offered] = {}


def tool(name: str, description: str, schema: Schema | None = None) -> Callable[[Does], Does]:
    """Offer what stands below under this name."""

    def offer(does: Does) -> Does:
        more = {"schema": schema} if schema is not None else {}
        TOOLS[name] = Offered(name=name, description=description, does=does, **more)
        return does

    return offer


def said(text: str, *, failed: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=failed)


def one_text(name: str, description: str) -> Schema:
    properties = {name: {"type": "string", "description": description}}
    return {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}


def embedded(uri: str, media: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=media, text=text))


@tool("test_simple_text", "answers with one text")
async def simple_text(call: Call) -> Answer:
    return said("This is a simple text response for testing.")


@tool("test_image_content", "answers with one picture")
async def image_content(call: Call) -> Answer:
    return CallToolResult(content=[ImageContent(type="image", data=PICTURE, mime_type="image/png")])


@tool("test_audio_content", "answers with one sound")
async def audio_content(call: Call) -> Answer:
    return CallToolResult(content=[AudioContent(type="audio", data=SOUND, mime_type="audio/wav")])


@tool("test_embedded_resource", "answers with one resource, as a whole")
async def embedded_resource(call: Call) -> Answer:
    block = embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    return CallToolResult(content=[block])


@tool("test_multiple_content_types", "answers with a text, a picture and a resource")
async def multiple_content_types(call: Call) -> Answer:
    return CallToolResult(
        content=[
            TextContent(type="text", text="Multiple content types test:"),
            ImageContent(type="image", data=PICTURE, mime_type="image/png"),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ]
    )


@tool("test_error_handling", "fails, always")
async def error_handling(call: Call) -> Answer:
    return said("This tool intentionally returns an error for testing", failed=True)


async def log(call: Call, level: LoggingLevel, text: str) -> None:
    await call.context.session.send_log_message(  # pyright: ignore[reportDeprecated]
        level, text, related_request_id=call.context.request_id
    )
    await asyncio.sleep(STEP_SECONDS)


@tool("test_tool_with_logging", "says three times what it is doing")
async def tool_with_logging(call: Call) -> Answer:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await log(call, "info", text)
    return said("it said what it was doing")


@tool("test_logging_tool", "would say what it is doing to a client that asked to be told")
async def logging_tool(call: Call) -> Answer:
    await log(call, "info", "heard by whoever asked for it")
    return said("whoever asked for it was told")


@tool("test_tool_with_progress", "says three times how far it is")
async def tool_with_progress(call: Call) -> Answer:
    for done in (0, 50, 100):
        await call.context.session.report_progress(done, 100, f"{done} of 100")
        await asyncio.sleep(STEP_SECONDS)
    return said("all of it is done")


@tool("test_sampling", "asks the model at the client", one_text("prompt", "what the model is asked"))
async def sampling(call: Call) -> Answer:
    answers = await call.ask({"answer": sample(call.arguments["prompt"])})
    return answers if isinstance(answers, InputRequiredResult) else said(f"LLM response: {_text_of(answers['answer'])}")


@tool("test_elicitation", "asks the person at the client", one_text("message", "what the person is asked"))
async def elicitation(call: Call) -> Answer:
    wanted = {
        "username": {"type": "string", "description": "the name to be called by"},
        "email": {"type": "string", "description": "where mail arrives"},
    }
    answers = await call.ask({"answer": form(call.arguments["message"], wanted)})
    return (
        answers if isinstance(answers, InputRequiredResult) else said(f"User response: {_form_of(answers['answer'])}")
    )


DEFAULTS: Schema = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}


@tool("test_elicitation_sep1034_defaults", "asks with an answer already filled in, of each kind")
async def elicitation_defaults(call: Call) -> Answer:
    answers = await call.ask({"answer": form("Is this right?", DEFAULTS, [])})
    if isinstance(answers, InputRequiredResult):
        return answers
    return said(f"Elicitation completed: {_form_of(answers['answer'])}")


def titled(**titles: str) -> list[Schema]:
    return [{"const": value, "title": title} for value, title in titles.items()]


OPTIONS = ["option1", "option2", "option3"]
TITLED = titled(value1="First Option", value2="Second Option", value3="Third Option")
CHOICES: Schema = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}


@tool("test_elicitation_sep1330_enums", "asks to choose, in each way that the protocol knows")
async def elicitation_choices(call: Call) -> Answer:
    answers = await call.ask({"answer": form("Which ones?", CHOICES, [])})
    if isinstance(answers, InputRequiredResult):
        return answers
    return said(f"Elicitation completed: {_form_of(answers['answer'])}")


@tool("test_reconnection", "hangs up in the middle, and says the rest to whoever comes back for it")
async def reconnection(call: Call) -> Answer:
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
    await asyncio.sleep(STEP_SECONDS)
    return said("said to whoever came back")


@tool("test_missing_capability", "cannot be done without the model at the client")
async def missing_capability(call: Call) -> Answer:
    can = call.context.session.client_capabilities
    if can is None or can.sampling is None:
        data: Schema = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this needs the model at the client", data)
    return said("the client has a model")


@tool("test_streaming_elicitation", "asks the person at the client, and says nothing else on its stream")
async def streaming_elicitation(call: Call) -> Answer:
    answers = await call.ask({"go_on": form("Go on?", {"ok": {"type": "boolean"}})})
    return answers if isinstance(answers, InputRequiredResult) else said(f"went on: {_form_of(answers['go_on'])}")


@tool("test_input_required_result_elicitation", "asks for a name, and greets")
async def asks_a_name(call: Call) -> Answer:
    answers = await call.ask({"user_name": form("What is your name?", {"name": {"type": "string"}})})
    return answers if isinstance(answers, InputRequiredResult) else said(f"Hello, {field_of(answers['user_name'])}!")


@tool("test_input_required_result_sampling", "asks the model at the client for a capital")
async def asks_the_model(call: Call) -> Answer:
    answers = await call.ask({"capital_question": sample("What is the capital of France?")})
    return answers if isinstance(answers, InputRequiredResult) else said(_text_of(answers["capital_question"]))


@tool("test_input_required_result_list_roots", "asks for the folders that the client works in")
async def asks_the_roots(call: Call) -> Answer:
    answers = await call.ask({"client_roots": roots()})
    return answers if isinstance(answers, InputRequiredResult) else said(_roots_of(answers["client_roots"]))


async def confirmed(call: Call) -> Answer:
    answers = await call.ask({"confirm": form("Please confirm", {"ok": {"type": "boolean"}})}, state="asked once")
    if isinstance(answers, InputRequiredResult):
        return answers
    if call.stateless and call.state != "asked once":
        return said("this answer belongs to no question", failed=True)
    return said("state-ok")


tool("test_input_required_result_request_state", "asks to confirm, and knows its question again")(confirmed)
tool("test_input_required_result_tampered_state", "asks to confirm, and believes no other's question")(confirmed)


@tool("test_input_required_result_multiple_inputs", "asks the person, the model and the client at once")
async def asks_three(call: Call) -> Answer:
    questions: dict[str, InputRequest] = {
        "user_name": form("What is your name?", {"name": {"type": "string"}}),
        "greeting": sample("Generate a greeting", tokens=50),
        "client_roots": roots(),
    }
    answers = await call.ask(questions, state="three at once")
    if isinstance(answers, InputRequiredResult):
        return answers
    name, greeting = field_of(answers["user_name"]), _text_of(answers["greeting"])
    return said(f"{greeting} {name} {_roots_of(answers['client_roots'])}")


@tool("test_input_required_result_multi_round", "asks for a name, and then for a colour")
async def asks_twice(call: Call) -> Answer:
    name = None if call.state is None else json.loads(call.state)
    if name is None:
        first = form("Step 1: What is your name?", {"name": {"type": "string"}})
        answers = await call.ask({"step1": first}, state="null")
        if isinstance(answers, InputRequiredResult):
            return answers
        name = field_of(answers["step1"])
    second = form("Step 2: What is your favorite color?", {"color": {"type": "string"}})
    answers = await call.ask({"step2": second}, state=json.dumps(name))
    return answers if isinstance(answers, InputRequiredResult) else said(f"{name} likes {field_of(answers['step2'])}")


@tool("test_input_required_result_capabilities", "asks whoever the client says is there")
async def asks_who_is_there(call: Call) -> Answer:
    can = call.context.session.client_capabilities
    questions: dict[str, InputRequest] = {}
    if can is not None and can.sampling is not None:
        questions["model"] = sample("Say a word")
    if can is not None and can.elicitation is not None:
        questions["person"] = form("Say a word", {"word": {"type": "string"}})
    if not questions:
        return said("nobody is there")
    answers = await call.ask(questions)
    return answers if isinstance(answers, InputRequiredResult) else said(f"asked {', '.join(questions)}")


@tool("greet", "greets", one_text("name", "who is greeted"))
async def greet(call: Call) -> Answer:
    return said(f"Hello, {call.arguments['name']}!")


@tool(
    "slow_compute",
    "could be long about it, and is not",
    {
        "type": "object",
        "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}},
        "required": ["seconds"],
        "additionalProperties": False,
    },
)
async def slow_compute(call: Call) -> Answer:
    return said(f"{call.arguments.get('label', 'it')} is done")


@tool(
    "json_schema_2020_12_tool",
    "has arguments that take most of JSON Schema to describe",
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
)
async def takes_much(call: Call) -> Answer:
    return said(f"called with {len(call.arguments)} arguments")


@tool(
    "test_x_mcp_header",
    "has an argument that a header repeats",
    {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["region"],
        "additionalProperties": False,
    },
)
async def in_a_header(call: Call) -> Answer:
    return said(f"in {call.arguments['region']}")


def _text_of(answer: object) -> str:
    content = answer.content if isinstance(answer, CreateMessageResult) else None
    return content.text if isinstance(content, TextContent) else "no text"


def _form_of(answer: object) -> str:
    assert isinstance(answer, ElicitResult)
    return f"action={answer.action}, content={json.dumps(answer.content or {})}"


def field_of(answer: object) -> str:
    content: Mapping[str, Any] = (answer.content or {}) if isinstance(answer, ElicitResult) else {}
    return ", ".join(str(value) for value in content.values()) or "nobody"


def _roots_of(answer: object) -> str:
    found = answer.roots if isinstance(answer, ListRootsResult) else []
    return ", ".join(str(root.uri) for root in found) or "nowhere"
