"""What publishing writes down about a tool of a server, so that performing needs nothing else. It has no credential."""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from interlock.contract.ir import Server
from interlock.core.canonical import canonical
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Environment, TenantId, WorkflowId

PREFIX = "mcp:"
SECRET_IN_ENV = "secret:"  # noqa: S105  how a variable says that its value is a secret


class Reach(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a server is reached in one environment."""

    server: str
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    sandbox: bool | None = None
    url: str = ""
    headers: dict[str, str] = {}
    secret: str = ""
    private: bool = False
    protocol: str = ""
    asks: tuple[str, ...] = ()
    """What the contract lets it ask of whoever calls: `elicitation`, `roots`, `sampling`."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Name the secrets that go along."""
        values = (*self.env.values(), *self.headers.values())
        named = {value.removeprefix(SECRET_IN_ENV) for value in values if value.startswith(SECRET_IN_ENV)}
        return tuple(sorted(named | ({self.secret} if self.secret else set())))

    @property
    def hash(self) -> str:
        return sha256(canonical(msgspec.to_builtins(self))).hexdigest()


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tool of a server, as it was reviewed."""

    reach: Reach
    tool: str
    pin: str
    """The hash of what the server said of the tool when somebody looked at it."""
    errors: str = ""
    """What an error of the tool means; `no_effect` where the contract says that nothing happened."""


def names_of(source: str) -> tuple[str, str]:
    """Return the server and the tool that `mcp:SERVER/TOOL` names.

    Raises:
        ContractInvalid: it names none.
    """
    server, _, tool = source.removeprefix(PREFIX).partition("/")
    if not source.startswith(PREFIX) or not server or not tool:
        raise ContractInvalid(f"`{source}` names no tool of a server", fix="write `from: mcp:SERVER/TOOL`")
    return server, tool


def reach_of(name: str, server: Server, beside: str, *, asks: tuple[str, ...] = ()) -> Reach:
    """Say how a server is reached; words of its command that begin with `./` are files beside the contract."""
    command = tuple(f"{beside}/{word[2:]}" if word.startswith("./") else word for word in server.command)
    return Reach(
        server=name,
        command=command,
        env=dict(server.env),
        sandbox=server.sandbox,
        url=server.url,
        headers=dict(server.headers),
        secret=server.secret,
        private=server.private,
        protocol=server.protocol,
        asks=asks,
    )


Whose = tuple[TenantId, WorkflowId, Environment]
"""Whose the secrets of a server are."""
Place = tuple[WorkflowId, Environment]
"""Where a contract is in force that says how a server is reached."""
Revealed = Mapping[str, str]
"""Secrets by their names, for the one moment in which they are sent."""


def revealed(values: Mapping[str, str], secrets: Revealed) -> dict[str, str]:
    """Put the secrets in their places."""
    return {
        name: secrets[value.removeprefix(SECRET_IN_ENV)] if value.startswith(SECRET_IN_ENV) else value
        for name, value in values.items()
    }
