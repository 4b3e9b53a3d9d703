"""Who connects and does not say what they want leaves room for others."""

import asyncio

import pytest
import uvicorn

from interlock.door.http import prompt
from interlock.door.http.prompt import Prompt

pytestmark = pytest.mark.anyio


async def app(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


@pytest.mark.parametrize(
    "said", [b"", b"POST /mcp HT", b"POST /mcp HTTP/1.1\r\nHost: x\r\nX: ", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
async def test_a_connection_on_which_no_request_comes_to_its_end_is_closed(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "HEAD_SECONDS_MAX", 0.05)
    config = uvicorn.Config(app, http=Prompt, ws="none", lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    listening = await asyncio.get_running_loop().create_server(
        lambda: Prompt(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer.write(said)
    async with asyncio.timeout(10):
        heard = await reader.read()
    assert heard.startswith(b"HTTP/1.1 204") == said.startswith(b"GET")
    writer.close()
    listening.close()
