"""Which way leads to a server: a process of ours, or HTTP."""

from pathlib import Path
from typing import TYPE_CHECKING

from interlock.tool.mcp.link import Link
from interlock.tool.mcp.reach import Reach, Revealed, Whose
from interlock.tool.mcp.stdio import StdioLink

if TYPE_CHECKING:
    from interlock.tool.http_client import HttpClient


class Links:
    """Makes links to servers. Those over HTTP share one client."""

    def __init__(self, *, hidden: tuple[Path, ...] = ()) -> None:
        """Be ready to make links.

        Args:
            hidden: folders that no server sees that runs in a sandbox here.
        """
        self._hidden = hidden
        self._client: HttpClient | None = None
        self._started: StdioLink | None = None

    @property
    def last_words(self) -> bytes:
        """Return the end of what the server that was started last wrote about itself. It may hold anything."""
        return self._started.last_words if self._started is not None else b""

    async def make(self, reach: Reach, secrets: Revealed, whose: Whose | None = None) -> Link:
        """Make a link.

        Args:
            reach: to which server.
            secrets: those that it is given.
            whose: they are, for whoever has to log in for them.

        Raises:
            UpstreamFailed: the server cannot be started.
        """
        if reach.command:
            self._started = await StdioLink.open(reach, secrets, hidden=self._hidden)
            return self._started
        # It takes a quarter of a second to import, and many commands call nobody.
        from interlock.tool.http_client import HttpClient  # noqa: PLC0415
        from interlock.tool.mcp.http import HttpLink  # noqa: PLC0415

        self._client = self._client or HttpClient()
        return HttpLink(reach, secrets, self._client, whose)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
