"""What publishing finds out about a tool of a server: what was reviewed, and that the server still says the same."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock as Turn

from interlock.contract.ir import Contract, Server
from interlock.contract.problem import nearest
from interlock.core.errors import ContractInvalid, UpstreamError
from interlock.core.ids import Environment
from interlock.core.limits import MCP_CONNECT_SECONDS_MAX
from interlock.tool.apart import apart
from interlock.tool.manifest import Asking, Manifest, pinned
from interlock.tool.mcp.back import KINDS
from interlock.tool.mcp.beside import described
from interlock.tool.mcp.credentials import fetched, revealed, text_without
from interlock.tool.mcp.link import LoginWanted
from interlock.tool.mcp.links import Links
from interlock.tool.mcp.listed import Offer
from interlock.tool.mcp.lock import Lock, lock_of
from interlock.tool.mcp.reach import PREFIX, Definition, Reach, Whose, names_of, reach_of
from interlock.tool.mcp.session import begun
from interlock.tool.plan import how_of
from interlock.tool.with_secret import Broker

_BY_ITSELF = (
    "look whether it runs by itself from another folder: a file beside the contract is named in `command` with `./` "
    "before it, and `sandbox: false` lets a server write elsewhere than in its own folder"
)
_THERE = "look whether it answers at its address"

Offers = Mapping[str, Offer]


@dataclass(slots=True)
class Descriptions:
    """Describes tools of servers for publishing; each server is asked once for each contract that is looked at."""

    _contract: Contract | None = None
    _offers: dict[str, Offers] = field(default_factory=dict[str, Offers])
    _turn: Turn = field(default_factory=Turn)

    def describe(self, asking: Asking, broker: Broker | None = None) -> Manifest:
        """Say what a tool is.

        Args:
            asking: the tool, in its contract.
            broker: hands out the secrets that its server needs. Without it the server is not asked whether the tool
                is still what was reviewed.

        Raises:
            ContractInvalid: it was not reviewed, is not what was reviewed, or its server is not there.
        """
        server, tool = names_of(asking.source)
        kinds = sorted(KINDS.values())
        asks = tuple(kind for kind in kinds if _names(asking.contract, f"{PREFIX}{server}/{kind}/*"))
        reach = reach_of(server, server_of(asking.contract, server, asking.environment), _folder(asking), asks=asks)
        beside = described(tool)
        if beside is not None:
            description, schema = beside
            how = how_of(Definition(reach=reach, tool=tool, pin=""))
            return pinned(description=description, schema=schema, result_schema=None, how=how)
        reviewed = Lock.read(lock_of(asking.contract, asking.folder)).tools.get((server, tool))
        file, where = asking.contract.place.file, asking.environment or "ENV"
        review = f"look at it: `interlock tools review {file} --env {where}`"
        if reviewed is None:
            raise ContractInvalid(f"nobody has looked at what `{server}` says of `{tool}`", fix=review)
        if asking.tool.secret:
            fix = f"name it at the server: `servers: {{{server}: {{secret: {asking.tool.secret}}}}}`"
            raise ContractInvalid("a tool of a server has no secret of its own", fix=fix)
        if asking.environment is not None and broker is not None:
            offers = self._asked(asking.contract, asking.environment, reach, broker)
            _still_the_same(offers.get(tool), reviewed, server, tool, review)
        definition = Definition(reach=reach, tool=tool, pin=reviewed.pin, errors=asking.tool.errors)
        return pinned(
            description=reviewed.description,
            schema=reviewed.schema,
            result_schema=reviewed.result_schema,
            how=how_of(definition),
        )

    def _asked(self, contract: Contract, environment: Environment, reach: Reach, broker: Broker | None) -> Offers:
        with self._turn:
            if self._contract is not contract:
                self._contract = contract
                self._offers.clear()
            if reach.hash not in self._offers:
                self._offers[reach.hash] = offers_at(reach, broker, (contract.tenant, contract.workflow, environment))
            return self._offers[reach.hash]


def _names(contract: Contract, source: str) -> bool:
    return any(tool.source == source for tool in contract.tools.values())


def _still_the_same(offer: Offer | None, reviewed: Manifest, server: str, tool: str, review: str) -> None:
    if offer is None:
        raise ContractInvalid(f"`{server}` has no tool `{tool}` any more", fix="take it out of the contract")
    if offer.manifest is None:
        raise ContractInvalid(f"`{server}/{tool}` can be no tool: {offer.why_not}", fix="have its server corrected")
    if offer.pin != reviewed.pin:
        raise ContractInvalid(f"`{server}` says something else of `{tool}` than what was reviewed", fix=review)


def server_of(contract: Contract, name: str, environment: Environment | None) -> Server:
    """Return a server as it is in an environment.

    Raises:
        ContractInvalid: the contract has none of that name.
    """
    server = contract.servers.get(name)
    if server is None:
        fix = nearest(name, contract.servers) if contract.servers else f"add `servers: {{{name}: {{url: ...}}}}`"
        raise ContractInvalid(f"the contract has no server `{name}`", fix=fix)
    return server if environment is None else server.apart.get(environment, server)


def _folder(asking: Asking) -> str:
    return str(Path(asking.folder).resolve())


def offers_at(reach: Reach, broker: Broker | None, whose: Whose) -> Offers:
    """Ask a server what it has. It takes as long as the server takes to start.

    Raises:
        ContractInvalid: it is not there.
    """

    async def ask() -> Offers:
        links = Links()
        secrets = await fetched(reach, broker, whose)
        try:
            async with asyncio.timeout(MCP_CONNECT_SECONDS_MAX):
                now = asyncio.get_running_loop().time
                session = await begun(lambda: links.make(reach, revealed(reach, secrets), whose), reach, now)
            session.link.close()
            return session.offers
        except (UpstreamError, TimeoutError) as error:
            late = isinstance(error, TimeoutError)
            why = f"`{reach.server}` did not say within {MCP_CONNECT_SECONDS_MAX} s what it has" if late else str(error)
            words = text_without(secrets, links.last_words.decode("utf-8", "replace")).split("\n")
            said = next((f"; it wrote: {line.strip()}" for line in reversed(words) if line.strip()), "")
            fix = error.fix if isinstance(error, LoginWanted) else _BY_ITSELF if reach.command else _THERE
            raise ContractInvalid(text_without(secrets, why) + said, fix=fix) from None
        finally:
            links.close()

    return apart(ask)
