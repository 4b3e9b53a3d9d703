from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock.tool.mcp.tools import McpTools
from upstream.stdio_world import Place, gone


@pytest.fixture
async def place(tmp_path: Path, anyio_backend: str) -> AsyncGenerator[Place]:
    """A server that lists its usual tools; nothing of it may be left behind."""
    tools = McpTools()
    found = Place(tmp_path, tools)
    found.lists()
    yield found
    tools.close()
    await gone(*found.started())
