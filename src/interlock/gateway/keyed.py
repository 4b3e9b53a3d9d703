"""What makes two calls the same call, and what a person's yes is about: MACs over who asks, for whom, and what."""

from collections.abc import Mapping
from hashlib import sha256

from interlock.core.action import Caller
from interlock.core.canonical import Json, canonical, line_bytes
from interlock.core.ids import Digest, Key, ToolName
from interlock.ports import Secrets


def given_key(caller: Caller, key: str, secrets: Secrets, *, by_person: bool) -> Key:
    """Say what a key stands for that a caller gives: it is theirs alone, also before an agent that speaks for them."""
    return key_of(caller, {"kind": "person" if by_person else "given", "key": key}, secrets)


def equal_key(caller: Caller, tool: ToolName, arguments: bytes, which: str, secrets: Secrets) -> Key:
    """Say what stands for one of several equal calls: `arguments` are canonical, `which` tells it from the others."""
    what = {"kind": "equal", "tool": tool, "args": arguments.decode(), "which": which}
    return key_of(caller, what, secrets)


def key_of(caller: Caller, what: Mapping[str, Json], secrets: Secrets) -> Key:
    """Bind what makes two calls the same call to who makes them."""
    place = {"tenant": caller.tenant, "workflow": caller.workflow, "environment": caller.environment}
    who = {**place, "agent": caller.agent, "for": caller.principal}
    return Key(secrets.mac(caller.tenant, b"key\0" + canonical({**who, **what})).hex())


def run_owner(caller: Caller) -> str:
    """Name who may go on with a run: the agent that began it, for the same principal, whatever it is known by."""
    who = (caller.workflow, caller.environment, caller.agent, caller.principal)
    return sha256("\0".join(who).encode()).hexdigest()[:32]


def digest(caller: Caller, tool: ToolName, arguments: bytes, secrets: Secrets) -> Digest:
    """Name what a yes is about, and what a repetition under the same key must agree with."""
    what = {
        "tenant": caller.tenant,
        "workflow": caller.workflow,
        "environment": caller.environment,
        "agent": caller.agent,
        "principal": caller.principal,
        "tool": tool,
        "arguments": arguments.decode(),
    }
    return Digest(secrets.mac(caller.tenant, b"digest\0" + line_bytes(what)).hex())
