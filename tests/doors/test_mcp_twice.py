"""A name that is there twice in a message of MCP: no two readers can take it for two things."""

import pytest
from asked_over import Over

from interlock.core.value import replace
from interlock.door.mcp.wire import WireError, read
from world import ALLOW, MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

START = b'{"jsonrpc":"2.0","id":1,'
CALL = START + b'"method":"tools/call","params":'
NAMED = b'"name":"%s"' % MAIL.encode()
TO = b'"arguments":{"to":"sam"}'
TWICE = [
    START + b'"method":"ping","method":"tools/call","params":{%s,%s}}' % (NAMED, TO),
    START + b'"method":"tools/call","m\\u0065thod":"ping","params":{%s,%s}}' % (NAMED, TO),
    START + b'"id":2,"method":"tools/call","params":{%s,%s}}' % (NAMED, TO),
    CALL + b'{"name":"another"},"params":{%s,%s}}' % (NAMED, TO),
    CALL + b'{"name":"another",%s,%s}}' % (NAMED, TO),
    CALL + b'{%s,%s,"arguments":{"to":"eve"}}}' % (NAMED, TO),
    CALL + b'{%s,%s,"\\u0061rguments":{"to":"eve"}}}' % (NAMED, TO),
    CALL + b"{%s,%s,%s}}" % (NAMED, TO, TO),
    CALL + b'{%s,"arguments":[{"to":"a","to":"b"}]}}' % NAMED,
    CALL + b'{%s,%s,"_meta":{},"_meta":{"interlock/key":"k"}}}' % (NAMED, TO),
    CALL + b'{%s,%s,"_meta":{"interlock/key":"k","interlock/key":"l"}}}' % (NAMED, TO),
    CALL + b'{%s,"_meta":{"x":{"to":"a","to":"b"}},"arguments":{"to":"a","to":"b"}}}' % NAMED,
    START + b'"method":"resources/read","params":{"uri":"a","uri":"b"}}',
    START + b'"method":"prompts/get","params":{"name":"a","arguments":{"x":"1","x":"2"}}}',
]


@pytest.mark.parametrize("message", TWICE)
async def test_a_name_that_is_there_twice_is_refused_before_anything_is_asked_for(world: World, message: bytes) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    before = await world.history()
    heard = await over.post(message)
    assert (heard.status, heard.error["code"]) == (400, -32600)
    assert await world.history() == before


@pytest.mark.parametrize(
    "arguments", [b"{}", b'{"name":"a","a":{"name":{}}}', b'{"to":"a","to":"b"}', b'{ "a" : [{}] }']
)
def test_what_stands_in_the_arguments_of_a_call_is_left_to_the_spine(arguments: bytes) -> None:
    meta = b'"_meta":{"a":{},"b":"{}","c":[{ }]}'
    for params in (b'{%s,"arguments":%s,%s}', b'{%s,%s,"arguments":%s}'):
        said = (NAMED, arguments, meta) if params.startswith(b'{%s,"arg') else (NAMED, meta, arguments)
        message = read(CALL + params % said + b"}")
        assert arguments in bytes(message.params)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_what_is_nested_without_end_is_no_message(depth: int) -> None:
    for start in (CALL + b'{"arguments":', CALL + b'{"_meta":'):
        with pytest.raises(WireError):
            read(start + b"[" * depth + b"]" * depth + b"}}")


@pytest.mark.parametrize("cursor", ["9" * 5_000 + ":", "00:", "\u0661:", "2:", "-1:", "0"])
async def test_a_cursor_that_leads_nowhere_is_told_so(world: World, cursor: str) -> None:
    tools = [replace(a_tool(name), source=f"mcp:{name}/resources/*") for name in ("desk", "files")]
    await world.publish(ALLOW, a_rule("allow.look", "permit", "desk"), tools=(a_tool(), *tools))
    over = await Over.to(world)
    await over.begin()
    heard = await over.ask("resources/list", cursor=cursor)
    assert heard.error["message"] == "this cursor leads nowhere"
