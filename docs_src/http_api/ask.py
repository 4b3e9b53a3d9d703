"""A program that asks for an action over HTTP, and follows it until it has ended."""

import asyncio
from typing import Any

import aiohttp

MAY_HIDE_AN_ANSWER = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
AGAIN = (429, 502, 503, 504)
UNDER_WAY = ("parked", "started")


async def ask(http: aiohttp.ClientSession, key: str, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    """Ask until there is an answer, each time under the same key: it is carried out once."""
    for wait in (0.1, 0.5, 1, 2, 5):
        try:
            asked = {"tool": tool, "arguments": arguments}
            async with http.post("/v1/actions", json=asked, headers={"Idempotency-Key": key}) as reply:
                if reply.status not in AGAIN:
                    return await reply.json(content_type=None)
        except MAY_HIDE_AN_ANSWER:
            pass
        await asyncio.sleep(wait)
    raise TimeoutError("the server does not answer")


async def follow(http: aiohttp.ClientSession, action: str) -> dict[str, Any]:
    """Wait for people as long as they take, and return how it ended."""
    while True:
        try:
            async with http.get(f"/v1/actions/{action}", params={"wait": "30"}) as reply:
                if reply.status not in AGAIN:
                    reply.raise_for_status()
                    found = await reply.json()
                    if found["state"] not in UNDER_WAY:
                        return found["outcome"]
                    continue
        except MAY_HIDE_AN_ANSWER:
            pass
        await asyncio.sleep(1)
