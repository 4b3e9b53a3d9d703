"""`serve`: MCP and the HTTP API on one port, until it is told to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import ip_address

import uvicorn

from interlock import app
from interlock.core.errors import UsageWrong
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import be_there, fast_loop, find_tools_here
from interlock.door.entrance import LOOPBACK_NAMES, name_of
from interlock.door.http.logs import to_standard_error
from interlock.door.http.prompt import Prompt
from interlock.door.http.server import server_of
from interlock.gateway.call import Gateway
from interlock.ports import Needs

_CLOSE_SECONDS = 10  # for answers that are on their way when it is told to stop
_WAITING_MAX = 1_000  # connections that wait to be taken


def serve(typed: Typed) -> int:
    """Serve until SIGINT or SIGTERM, then finish what is under way."""
    given = typed.given
    if (given.cert is None) != (given.private_key is None):
        raise UsageWrong("a certificate and its key go together", fix="say `--tls-cert FILE --tls-key FILE`")
    be_there(typed, may_make=False)
    find_tools_here()
    with (
        asyncio.Runner(loop_factory=fast_loop()) as runner,
        app.performing(typed.settings.store, typed.settings.keys) as gateway,
    ):
        return runner.run(_serve(typed, gateway))


async def _serve(typed: Typed, gateway: Gateway) -> int:
    given = typed.given
    await _may_be_open(gateway, given.host, tls=given.cert is not None or given.behind_tls)
    names = LOOPBACK_NAMES | {name_of(each) for each in (given.host, *(given.name or ()))}
    to_standard_error()
    served = server_of(gateway, names, behind_tls=given.behind_tls)
    config = uvicorn.Config(
        served,
        http=Prompt,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
        ssl_certfile=given.cert,
        ssl_keyfile=given.private_key,
    )
    server = _Server(config)

    def told_to_stop(number: int) -> None:
        served.stop.set()  # whoever listens would not leave by themselves
        server.handle_exit(number, None)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop, number)
    listening = _listening(given.host, given.port)
    scheme, port = "https" if given.cert is not None else "http", listening.getsockname()[1]
    where = f"{scheme}://{name_of(given.host)}:{port}"
    typed.screen.show(
        {"url": where, "mcp": f"{where}/mcp", "pid": os.getpid()}, f"serving  {where}\nmcp      {where}/mcp"
    )
    if not await _somebody_comes_in(gateway):
        hint = "make a token: `interlock token new NAME --workflow W --env E --expires 90d`"
        typed.screen.note(f"note: nobody can come in yet: {hint}")
    await server.serve([listening])
    return 0


class _Server(uvicorn.Server):
    """Leaves signals to us: raised anew at its end, they would kill this process before the store is closed."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_WAITING_MAX)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        raise UsageWrong(f"nothing can be served on `{host}` port {port}: {why}", fix="say another `--port`") from error


async def _may_be_open(gateway: Gateway, host: str, *, tls: bool) -> None:
    """Refuse to be reached from elsewhere while nobody has to say who they are, or while tokens could be overheard."""
    if _is_loopback(host):
        return
    if not await _somebody_comes_in(gateway):
        raise UsageWrong(
            f"`{host}` can be reached from elsewhere, and there is no login yet",
            fix="serve on 127.0.0.1, or first: `interlock token new NAME --workflow W --env E --expires 90d`",
        )
    if not tls:
        raise UsageWrong(
            f"`{host}` can be reached from elsewhere, and tokens would go over the wire in the open",
            fix="say `--tls-cert FILE --tls-key FILE`, or `--behind-tls` where a proxy in front of it does that",
        )


async def _somebody_comes_in(gateway: Gateway) -> bool:
    for tenant in gateway.store.tenants():
        door = (await gateway.store.for_tenant(tenant).read(Needs())).door
        if door.credentials or door.issuers:
            return True
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
