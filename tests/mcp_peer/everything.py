"""An MCP server with one of everything, made with the official SDK: what the conformance suite finds behind Interlock.

python -m mcp_peer.everything             over standard input and output
python -m mcp_peer.everything --http 0    on a free port of this machine; says its address in its first line
"""

import argparse
import asyncio
import json
import logging
import socket
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.caching import CacheHint
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolRequestParams,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    Tool,
    UnsubscribeRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_peer.asking import Call, form
from mcp_peer.replayed import Replayed
from mcp_peer.tools import PICTURE, TOOLS, Answer, Offered, embedded, field_of, said

NAME = "everything"
RESOURCE_NOT_FOUND = -32002  # what clients of the handshake era know
Context = ServerRequestContext[Any, Any]

bus = InMemorySubscriptionBus()
shown: set[str] = set()
"""Which of what comes and goes is there now."""


async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=[_listed(each) for each in (*TOOLS.values(), *_coming_and_going())])


def _listed(each: Offered) -> Tool:
    return Tool(name=each.name, description=each.description, input_schema=each.schema)


def _coming_and_going() -> list[Offered]:
    async def here(call: Call) -> Answer:
        return said("still here")

    there = "test_comes_and_goes" in shown
    return [Offered(name="test_comes_and_goes", description="is there only now and then", does=here)] if there else []


async def call_tool(context: Context, params: CallToolRequestParams) -> Answer:
    offered = {**TOOLS, **{each.name: each for each in _coming_and_going()}}.get(params.name)
    if offered is None:
        raise MCPError(INVALID_PARAMS, f"there is no tool {params.name}")
    missing = [name for name in offered.schema.get("required", []) if name not in (params.arguments or {})]
    if missing:
        return said(f"lacks {', '.join(missing)}", failed=True)
    return await offered.does(Call(context=context, params=params, arguments=params.arguments or {}))


def changes(name: str, event: ToolsListChanged | PromptsListChanged) -> None:
    """Offer a tool that changes one of the lists, and tells whoever listens."""

    async def change(call: Call) -> Answer:
        shown.symmetric_difference_update({name})
        await bus.publish(event)
        return said("the list is another one now")

    kind = "tool" if isinstance(event, ToolsListChanged) else "prompt"
    trigger = f"test_trigger_{kind}_change"
    TOOLS[trigger] = Offered(name=trigger, description=f"changes the list of {kind}s", does=change)


changes("test_comes_and_goes", ToolsListChanged())
changes("test_prompt_comes_and_goes", PromptsListChanged())


async def touch(call: Call) -> Answer:
    uri = "test://watched-resource"
    await bus.publish(ResourceUpdated(uri=uri))
    if not call.stateless:
        await call.context.session.send_resource_updated(uri)
    return said("it is another one now")


TOOLS["test_trigger_resource_change"] = Offered(
    name="test_trigger_resource_change", description="changes the resource that can be watched", does=touch
)

TEXTS = {
    "test://static-text": ("static text", "a text that stays", "This is the content of the static text resource."),
    "test://watched-resource": ("watched", "a text to subscribe to", "what is watched"),
}
TEMPLATE = ("test://template/", "/data")


async def list_resources(context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
    texts = [
        Resource(uri=uri, name=name, description=about, mime_type="text/plain")
        for uri, (name, about, _) in TEXTS.items()
    ]
    picture = Resource(
        uri="test://static-binary", name="picture", description="a picture that stays", mime_type="image/png"
    )
    return ListResourcesResult(resources=[*texts, picture])


async def list_templates(context: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
    template = ResourceTemplate(
        uri_template="{id}".join(TEMPLATE),
        name="by id",
        description="what an id stands for",
        mime_type="application/json",
    )
    return ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    uri = str(params.uri)
    if uri in TEXTS:
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="text/plain", text=TEXTS[uri][2])])
    if uri == "test://static-binary":
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=PICTURE)])
    before, after = TEMPLATE
    id = unquote(uri.removeprefix(before).removesuffix(after))
    if uri.startswith(before) and uri.endswith(after) and id and "/" not in id:
        text = json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="application/json", text=text)])
    stateless = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    raise MCPError(INVALID_PARAMS if stateless else RESOURCE_NOT_FOUND, "there is no such resource", {"uri": uri})


async def subscribe(context: Context, params: SubscribeRequestParams | UnsubscribeRequestParams) -> EmptyResult:
    if str(params.uri) not in TEXTS:
        raise MCPError(RESOURCE_NOT_FOUND, "there is no such resource", {"uri": str(params.uri)})
    return EmptyResult()


def _prompt(name: str, about: str, *arguments: str) -> Prompt:
    wanted = [PromptArgument(name=each, description=f"what to say for {each}", required=True) for each in arguments]
    return Prompt(name=name, description=about, arguments=wanted)


PROMPTS = {
    each.name: each
    for each in (
        _prompt("test_simple_prompt", "one message"),
        _prompt("test_prompt_with_arguments", "one message made of two arguments", "arg1", "arg2"),
        _prompt("test_prompt_with_embedded_resource", "a resource, and what to do with it", "resourceUri"),
        _prompt("test_prompt_with_image", "a picture, and what to do with it"),
        _prompt("test_input_required_result_prompt", "one message, after a question to the person"),
    )
}


async def list_prompts(context: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
    now_and_then = [_prompt("test_prompt_comes_and_goes", "is there only now and then")]
    there = now_and_then if "test_prompt_comes_and_goes" in shown else []
    return ListPromptsResult(prompts=[*PROMPTS.values(), *there])


async def get_prompt(context: Context, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    prompt, given = PROMPTS.get(params.name), params.arguments or {}
    if prompt is None or any(each.name not in given for each in prompt.arguments or []):
        raise MCPError(INVALID_PARAMS, "there is no such prompt, or it lacks an argument")
    if params.name == "test_input_required_result_prompt":
        question = form("What context should the prompt use?", {"context": {"type": "string"}})
        answers = await Call(context=context, params=params).ask({"user_context": question})
        if isinstance(answers, InputRequiredResult):
            return answers
        return _messages(_text(f"In this context: {field_of(answers['user_context'])}"))
    return _messages(*PROMPT_BLOCKS[params.name](given))


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


Block = TextContent | ImageContent | Any
PROMPT_BLOCKS: dict[str, Callable[[dict[str, str]], list[Block]]] = {
    "test_simple_prompt": lambda given: [_text("This is a simple prompt for testing.")],
    "test_prompt_with_arguments": lambda given: [
        _text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")
    ],
    "test_prompt_with_embedded_resource": lambda given: [
        embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing."),
        _text("Please process the embedded resource above."),
    ],
    "test_prompt_with_image": lambda given: [
        ImageContent(type="image", data=PICTURE, mime_type="image/png"),
        _text("Please analyze the image above."),
    ],
}


def _messages(*blocks: Block) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in blocks])


WORDS = ("paris", "park", "party", "test", "testing")


async def complete(context: Context, params: CompleteRequestParams) -> CompleteResult:
    found = [word for word in WORDS if word.startswith(params.argument.value)]
    return CompleteResult(completion=Completion(values=found, total=len(found), has_more=False))


async def set_level(context: Context, params: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()


def everything() -> Server[Any]:
    kept = CacheHint(ttl_ms=1_000, scope="public")
    server: Server[Any] = Server(
        NAME,
        version="1.0.0",
        cache_hints={"tools/list": kept, "prompts/list": kept, "resources/list": kept, "resources/read": kept},
        get_tool_input_schema=lambda name: TOOLS[name].schema if name in TOOLS else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=subscribe,
        on_subscriptions_listen=ListenHandler(bus),
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
    )
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
    return server


async def over_stdio(server: Server[Any]) -> None:
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())


async def over_http(server: Server[Any], port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    app = server.streamable_http_app(event_store=Replayed(), retry_interval=50)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    await uvicorn.Server(uvicorn.Config(app, http="h11", log_level="warning")).serve(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--http", type=int, metavar="PORT", help="over HTTP; 0 takes a port that is free")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # the older era is what half of the scenarios are about
    asyncio.run(over_stdio(everything()) if asked.http is None else over_http(everything(), asked.http))


if __name__ == "__main__":
    main()
