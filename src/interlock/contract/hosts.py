"""Where the operations of documents are reached, where the contract says it in place of the documents."""

from collections.abc import Mapping

from interlock.contract.ir import Contract, Host
from interlock.contract.node import Map, Scalar
from interlock.contract.row import Row, read
from interlock.contract.scalar import ADDRESS, FLAG, NAME
from interlock.contract.written import Written, table
from interlock.core.ids import Environment


def read_hosts(root: Row) -> Mapping[str, Host]:
    """Read the section `hosts`."""
    entries = root.row("hosts").map.entries
    return {name: _host(node) for name, node in entries.items() if isinstance(node, Map | Scalar)}


def _host(node: Map | Scalar) -> Host:
    if isinstance(node, Scalar):
        return Host(url=read(node, ADDRESS))
    row = Row(node)
    urls = {Environment(name): url for name, url in row.named("url", ADDRESS).items()}
    return Host(
        url=row.get("url", ADDRESS, ""),
        urls=urls,
        private=row.get("private", FLAG, False),
        private_in=frozenset(Environment(name) for name in row.many("private", NAME)),
    )


def written_hosts(contract: Contract) -> dict[str, Written]:
    """Write the section as the full shape has it."""
    return {
        name: table(url=host.url or {**host.urls} or None, private=host.private or sorted(host.private_in) or None)
        for name, host in contract.hosts.items()
    }


def origin_of(url: str) -> str:
    """Return what an address begins with: its scheme, host and port."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def file_of(source: str) -> str:
    """Return the file that a source names: what stands between its kind and its `#`."""
    return source.partition(":")[2].partition("#")[0]
