"""The servers of a contract: read, written back, and held against what can be meant."""

from collections.abc import Mapping

from interlock.contract.ir import Server
from interlock.contract.node import Map
from interlock.contract.problem import Findings
from interlock.contract.row import Row
from interlock.contract.scalar import FLAG, NAME, TEXT
from interlock.contract.server_shape import ADDRESSED, PROTOCOL, STARTED, URL
from interlock.contract.written import Written, table
from interlock.core.ids import Environment
from interlock.core.value import replace
from interlock.policy.rule import Place

_OURS = ("host", "content-type", "content-length", "accept", "accept-encoding", "connection", "transfer-encoding")
_SECRET = "secret:"  # noqa: S105  how a value says that it is one


def read_servers(root: Row, findings: Findings) -> Mapping[str, Server]:
    """Read the section `servers`."""
    return {name: _server(name, row, findings) for name, row in root.row("servers").rows()}


def _server(name: str, row: Row, findings: Findings) -> Server:
    base = _read(row)
    apart = row.row("in")
    for where in sorted(apart.map.entries):
        inner = apart.row(where)
        merged = _read(_laid_over(row, inner))
        _look(f"`{name}` in `{where}`", merged, inner.place, findings)
        base = replace(base, apart={**base.apart, Environment(where): merged})
    _look(f"`{name}`", base, row.place, findings)
    return base


def _laid_over(row: Row, over: Row) -> Row:
    """Put what an environment says over what holds elsewhere. One that names another way to it begins anew."""
    gone = {"in"}
    if over.has("url"):
        gone |= set(STARTED)
    if over.has("command"):
        gone |= set(ADDRESSED)
    kept = {key: node for key, node in row.map.entries.items() if key not in gone}
    return Row(Map(entries={**kept, **over.map.entries}, place=over.place))


def _read(row: Row) -> Server:
    return Server(
        place=row.place,
        command=row.many("command", TEXT),
        env=row.named("env", TEXT),
        sandbox=row.find("sandbox", FLAG),
        url=row.get("url", URL, ""),
        headers=row.named("headers", TEXT),
        secret=row.get("secret", NAME, ""),
        private=row.get("private", FLAG, False),
        protocol=row.get("protocol", PROTOCOL, ""),
    )


def _look(who: str, server: Server, place: Place, findings: Findings) -> None:
    """Find what cannot be meant, and credentials that stand in the file itself."""
    if bool(server.command) == bool(server.url):
        what = "both a command and a `url`" if server.url else "neither a command nor a `url`"
        findings.wrong(place, f"the server {who} has {what}", "write `command: [...]`, or `url: https://...`")
        return
    foreign = ADDRESSED if server.command else STARTED
    for key in (key for key in foreign if getattr(server, key) not in ("", (), {}, False, None)):
        kind = "started by a command" if server.command else "reached by a `url`"
        findings.wrong(place, f"`{key}` says nothing of the server {who}, which is {kind}", "remove it")
    if server.url.startswith("http://") and not server.private:
        what = f"the server {who} would be spoken to in the clear, and what is sent could be read on the way"
        findings.wrong(place, what, "write `https://`, or `private: true` for one in your own network")
    _look_at_headers(who, server, place, findings)
    for value in (*server.env.values(), *server.headers.values()):
        if value.startswith(_SECRET) and not _is_name(value.removeprefix(_SECRET)):
            findings.wrong(place, f"`{value[:60]}` of {who} names no secret", "write `secret:NAME`")


def _look_at_headers(who: str, server: Server, place: Place, findings: Findings) -> None:
    for name, value in server.headers.items():
        low = name.lower()
        if low in _OURS or low.startswith("mcp-"):
            findings.wrong(place, f"the header `{name}` of {who} is written by Interlock itself", "remove it")
        elif low in ("authorization", "proxy-authorization", "cookie") and not value.startswith(_SECRET):
            fix = f"write `{name}: secret:NAME`, and `interlock secret set NAME --workflow W --env E`"
            findings.wrong(place, f"the header `{name}` of {who} is a credential, and stands in the file", fix)
        elif low == "authorization" and server.secret:
            findings.wrong(place, f"{who} has two credentials", "keep `secret` or the header `Authorization`")
        elif not (value.isascii() and value.isprintable()):
            findings.wrong(place, f"the header `{name}` of {who} is not of plain characters", "write it in ASCII")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 128 and all(char.isascii() and (char.isalnum() or char in "_.-") for char in text)


def secrets_of(server: Server) -> tuple[str, ...]:
    """Name the secrets that go along."""
    values = (*server.env.values(), *server.headers.values())
    named = {value.removeprefix(_SECRET) for value in values if value.startswith(_SECRET)}
    return tuple(sorted(named | ({server.secret} if server.secret else set())))


def written_server(server: Server) -> Written:
    """Write a server as the full shape does."""
    inner: dict[str, Written] = {name: _written(each, whole=True) for name, each in server.apart.items()}
    return {**_written(server, whole=False), **table(in_=inner or None)}


def _written(server: Server, *, whole: bool) -> dict[str, Written]:
    """Write what a server says; as a whole, it says of nothing that something else may stand there."""
    started = table(
        command=list(server.command) or None,
        env=dict(server.env) or ({} if whole and server.command else None),
        sandbox=server.sandbox,
    )
    addressed = table(
        url=server.url or None,
        headers=dict(server.headers) or ({} if whole and server.url else None),
        secret=server.secret or None,
        private=server.private or (False if whole and server.url else None),
    )
    return {**started, **addressed, **table(protocol=server.protocol or None)}


def without_places(server: Server) -> Server:
    """Return a server as it is, wherever that is written."""
    nowhere = Place(file="")
    return replace(
        server, place=nowhere, apart={name: replace(each, place=nowhere) for name, each in server.apart.items()}
    )
