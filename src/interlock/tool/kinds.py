"""The kinds of sources that this version can carry out: how each is described, and what carries it out.

Whoever needs none of a kind should not wait for the imports that it takes.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from interlock.core.errors import ContractInvalid
from interlock.core.hint import Hints
from interlock.tool.every import EveryTool, Kind
from interlock.tool.manifest import Asking, Manifest, function_manifest
from interlock.tool.mcp.describe import Descriptions
from interlock.tool.mcp.tools import McpTools
from interlock.tool.python import PythonTools
from interlock.tool.sql import Statements
from interlock.tool.sql_tool import SqlTools
from interlock.tool.with_secret import Broker


def describe(asking: Asking, broker: Broker | None = None) -> Manifest:
    """Find out what a source says of itself, for publishing. It may take as long as an import, or a connection.

    Args:
        asking: the tool, in its contract.
        broker: hands out the secrets that it takes to ask a server. Without it none is asked.

    Raises:
        ContractInvalid: it is not there, or this version cannot carry it out.
    """
    kind = asking.source.partition(":")[0]
    if kind not in _DESCRIBE:
        fix = "write a Python function that calls it and name that: `from: python:module:function`"
        raise ContractInvalid(f"`{kind}:` sources cannot be carried out by this version", fix=fix)
    return _DESCRIBE[kind](asking, broker)


def _openapi(asking: Asking, _: Broker | None) -> Manifest:
    from interlock.tool.openapi import describe_openapi  # noqa: PLC0415

    return describe_openapi(asking)


def _page(asking: Asking, _: Broker | None) -> Manifest:
    from interlock.tool.page import describe_page  # noqa: PLC0415

    return describe_page(asking)


def _browser(asking: Asking, _: Broker | None) -> Manifest:
    from interlock.tool.browser import describe_browser  # noqa: PLC0415

    return describe_browser(asking)


_DESCRIBE: Mapping[str, Callable[[Asking, Broker | None], Manifest]] = {
    "browser": _browser,
    "mcp": Descriptions().describe,
    "openapi": _openapi,
    "page": _page,
    "python": lambda asking, _: function_manifest(asking),
    "sql": Statements().describe,
}
"""How the sources begin that this version can carry out."""


def every_tool(broker: Broker | None = None, *, hidden: tuple[Path, ...] = (), hints: Hints | None = None) -> EveryTool:
    """Make what carries out every kind of source. It keeps connections and children until it is closed.

    Args:
        broker: hands out the secrets that servers are given.
        hidden: folders that no server sees that runs in a sandbox here.
        hints: takes what servers say has changed.
    """
    servers = partial(McpTools, broker, hidden=hidden, tell=(hints or Hints()).tell)
    kinds: Mapping[str, Callable[[], Kind]] = {
        "browser": _browser_tools,
        "mcp": servers,
        "openapi": _openapi_tools,
        "page": _page_tools,
        "python": PythonTools,
        "sql": SqlTools,
    }
    return EveryTool(kinds)


def _browser_tools() -> Kind:
    _has_playwright()
    from interlock.tool.browser_tool import BrowserTools  # noqa: PLC0415

    return BrowserTools.on_this_machine(os.environ)


def _has_playwright() -> None:
    if find_spec("playwright") is None:
        fix = "install it with its extra: `pip install 'interlock[browser]'`"
        raise ContractInvalid("this installation cannot use a browser", fix=fix)


def try_browser() -> str:
    """Start the browser of this machine and end it again. Returns what it says that it is.

    Raises:
        ContractInvalid: this installation cannot use one.
        UpstreamFailed: there is none, or it does not start.
    """
    _has_playwright()
    from interlock.tool.browser_engine import BrowserSettings, tried  # noqa: PLC0415

    return asyncio.run(tried(BrowserSettings.of(os.environ)))


def _openapi_tools() -> Kind:
    from interlock.tool.http_client import HttpClient  # noqa: PLC0415
    from interlock.tool.openapi_tool import OpenApiTools  # noqa: PLC0415

    return OpenApiTools(HttpClient())


def _page_tools() -> Kind:
    from interlock.tool.http_client import HttpClient  # noqa: PLC0415
    from interlock.tool.page import PageTools  # noqa: PLC0415

    return PageTools(HttpClient())
