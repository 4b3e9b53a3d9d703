"""A server made with the official SDK: `python sdk_server.py stdio`, or `python sdk_server.py PORT [json]`."""

import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import BaseModel

app = MCPServer("sdk")


class Sum(BaseModel):
    total: float


@app.tool()
def add(a: float, b: float) -> Sum:
    """Add two numbers."""
    return Sum(total=a + b)


@app.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("cannot do that")


@app.tool()
async def slow(path: str, ctx: Context) -> str:
    """Say how it goes, then write a file."""
    for each in range(3):
        await ctx.report_progress(each, 3)
    Path(path).write_text("done", encoding="utf-8")
    return "written"


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        app.run("stdio")
    else:
        app.run("streamable-http", port=int(sys.argv[1]), json_response="json" in sys.argv)
