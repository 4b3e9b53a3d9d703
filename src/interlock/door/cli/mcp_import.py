"""`mcp import`, `mcp restore`: a client that used MCP servers by itself uses them through Interlock, and back again.

First time: a contract with its servers is written, and their credentials go into the encrypted file. Once the contract
is published, the same words put Interlock into the client's configuration. What stood there is kept beside it.
"""

import re
import shutil
import sys
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from interlock.app import SystemClock
from interlock.contract.ir import Contract
from interlock.contract.written import Number, Written, yaml_text
from interlock.core.errors import InterlockError, NotPermitted, UsageWrong
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.door.cli.accesses import force_of
from interlock.door.cli.client_config import OURS, ClientConfig, Found, read_config
from interlock.door.cli.person import user_name
from interlock.door.cli.reading import name_of
from interlock.door.cli.render import block, broken, clean, listed
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.owned import write_new
from interlock.secret.installed import sealed_file
from interlock.secret.kept import SecretId, text_of

_KEPT = ".before-interlock"
_CONSENT = (
    "# In the mode `ask` each write waits for one of these people, and never for the one whose agent asks alone.\n"
)
_CONSENT_ALONE = (
    "# In the mode `ask` each write waits for this person, who also is the one whose agent asks: nobody else looks.\n"
    "# Where somebody else can, add them to `people` and strike the line `separation_of_duties`.\n"
)
_SANDBOX = (
    "# A program runs in a sandbox, where it writes in a folder of its own alone. One that keeps files elsewhere\n"
    "# needs `sandbox: false` beside its `command`.\n"
)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@awaited
async def imported(typed: Typed) -> int:
    """Bring the servers of a client behind a contract, then put Interlock in their place."""
    path, contract = Path(typed.given.file), Path(typed.given.contract)
    config = read_config(path.name, path.read_bytes())
    if config.ours and not config.movable:
        typed.screen.show({"file": str(path), "moved": []}, f"{path} goes through Interlock already")
        return 0
    if not config.movable:
        raise InterlockError(
            f"`{path}` has no server that Interlock can take the place of{_reasons(config)}", fix="name another file"
        )
    if not contract.exists():
        return _begun(typed, config, contract)
    in_force = await _in_force(typed)
    if in_force is None:
        workflow, environment = typed.given.workflow, typed.given.env
        publish = f"interlock contract publish {quote(str(contract))} --env {environment}"
        other = f"if it is another one, name a new file: `--contract {workflow}.yaml`"
        raise InterlockError(
            f"`{contract}` is there, and no contract of `{workflow}` is in force in `{environment}`",
            fix=f"if it is that of `{workflow}`, publish it: `{publish}`, then say this again; {other}",
        )
    return _rewritten(typed, config, path, in_force)


def _reasons(config: ClientConfig) -> str:
    return "".join(f"; `{clean(server.name)}`: {server.why_not}" for server in config.servers if server.why_not)


def _begun(typed: Typed, config: ClientConfig, contract: Path) -> int:
    given = typed.given
    others = _others(typed)
    names = _names(config.movable)
    settings = typed.settings
    workflow, environment = name_of(given.workflow, "workflow"), name_of(given.env, "environment")
    values: dict[str, str] = {}
    servers = {name: _server(name, found, values) for name, found in names.items()}
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept, now = sealed_file(settings.keys), (typed.clock or SystemClock()).now()
    for name, value in values.items():
        kept.put(_secret(settings.tenant, workflow, environment, name), text_of(value), now)
    text = _contract(workflow, environment, settings.tenant, servers, others)
    with contract.open("x", encoding="utf-8") as file:
        file.write(text)
    skipped = {server.name: server.why_not for server in config.servers if server.why_not}
    data: dict[str, Any] = {
        "contract": str(contract),
        "servers": {name: found.name for name, found in names.items()},
        "secrets": sorted(values),
        "left_alone": skipped,
    }
    typed.screen.show(
        data, "\n".join(_told(contract, data, workflow, environment, Path(given.file), typed.screen.width))
    )
    return 0


def _others(typed: Typed) -> list[str]:
    """Say who agrees beside the person at the client; nobody where that one said to be alone.

    Raises:
        UsageWrong: neither was said. That nobody else looks is nothing to begin with unasked.
    """
    given = typed.given
    others = [name_of(each, "approver") for each in given.approver or ()]
    if bool(others) == given.alone:
        fix = "name who else does, `--approver NAME`, or say `--alone`: then you agree to what your own agent asks"
        what = "nobody is both alone and with others" if others else "nobody is said to agree to what agents write"
        raise UsageWrong(what, fix=fix)
    if user_name() in others:
        what = f"`{user_name()}` is the person whose agent asks, so another one has to agree"
        raise UsageWrong(what, fix="name somebody else, or say `--alone`")
    return others


def _names(found: tuple[Found, ...]) -> dict[str, Found]:
    """Name each server as a contract can, no two alike."""
    names: dict[str, Found] = {}
    for server in found:
        name = _NOT_IN_A_NAME.sub("-", server.name).strip("-.")[:64] or "server"
        while name in names:
            name += "-2"
        names[name] = server
    return names


def _server(name: str, found: Found, values: dict[str, str]) -> Written:
    """Write a server as a contract does. What its client told it may be a credential, and becomes a secret."""

    def kept(said: str, value: str) -> str:
        secret = f"{name}-{_NOT_IN_A_NAME.sub('-', said).lower()}"
        values[secret] = value
        return f"secret:{secret}"

    env = {each: kept(each, value) for each, value in found.env.items()}
    headers = {each: kept(each, value) for each, value in found.headers.items()}
    if found.url:
        private: dict[str, Written] = {"private": True} if urlsplit(found.url).scheme == "http" else {}
        return {"url": found.url, **({"headers": headers} if headers else {}), **private}
    return {"command": list(found.command), **({"env": env} if env else {})}


def _secret(tenant: TenantId, workflow: str, environment: str, name: str) -> SecretId:
    return SecretId(tenant=tenant, workflow=WorkflowId(workflow), environment=Environment(environment), name=name)


def _contract(workflow: str, environment: str, tenant: TenantId, servers: dict[str, Written], others: list[str]) -> str:
    head: dict[str, Written] = {
        "interlock": Number("1"),
        "workflow": workflow,
        "tenant": tenant,
        "environments": {environment: {"mode": "ask"}},
        "servers": servers,
    }
    tools = (
        "# What agents may call: `interlock tools import FILE --server S --env E` prints the lines of a server.\n"
        "tools: {}\npermissions: { allowed_tools: [] }\n"
    )
    consent: dict[str, Written] = {
        "approvals": {
            "yellow": {"approvers": ["owner"], "expires": "24h"},
            **({} if others else {"separation_of_duties": False}),
            "people": {"owner": [user_name(), *others]},
        }
    }
    starts = any(isinstance(server, dict) and "command" in server for server in servers.values())
    return (
        yaml_text(head)
        + (_SANDBOX if starts else "")
        + tools
        + (_CONSENT if others else _CONSENT_ALONE)
        + yaml_text(consent)
    )


def _told(contract: Path, data: dict[str, Any], workflow: str, environment: str, config: Path, width: int) -> list[str]:
    pairs: list[tuple[str, object]] = [
        ("written", contract),
        ("servers", listed(data["servers"])),
        ("secrets", listed(data["secrets"])),
        ("left alone", "\n".join(f"{clean(name)}: {why}" for name, why in data["left_alone"].items())),
    ]
    beside = quote(str(contract))
    looks = [f"interlock tools import {beside} --server {name} --env {environment}" for name in data["servers"]]
    again = f"interlock mcp import {quote(str(config))} --contract {beside}"
    steps = [
        ("what each has, as lines for the contract", looks),
        ("look at each tool, and accept it", [f"interlock tools review {beside} --env {environment}"]),
        ("in force", [f"interlock contract publish {beside} --env {environment}"]),
        ("now through Interlock", [f"{again} --workflow {workflow} --env {environment}"]),
    ]
    lines = [
        line for says, typed in steps for line in (f"  # {says}", *(f"  {broken(each, width - 4)}" for each in typed))
    ]
    return [block(pairs, width), "", "next:", *lines]


async def _in_force(typed: Typed) -> Contract | None:
    given = typed.given
    if typed.settings.file is not None and not typed.settings.file.exists():
        return None
    with session(typed) as here:
        force = await force_of(here, (await here.rows()).door, f"{given.workflow}/{given.env}")
    return None if force is None else force.contract


def _command(typed: Typed) -> list[str]:
    """Write the line that a client starts Interlock with, whatever folder it starts it in."""
    settings, given = typed.settings, typed.given
    store = settings.store if settings.file is None else str(settings.file.resolve())
    found = shutil.which("interlock")
    program = [found] if found is not None else [sys.executable, "-m", "interlock"]
    place = ["--tenant", settings.tenant, "--workflow", given.workflow, "--env", given.env]
    return [*program, "mcp", "stdio", "--store", store, "--keys", str(settings.keys.resolve()), *place]


def _rewritten(typed: Typed, config: ClientConfig, path: Path, in_force: Contract) -> int:
    kept = path.with_name(path.name + _KEPT)
    try:
        write_new(kept, config.text.encode())
    except FileExistsError as error:
        fix = f"`interlock mcp restore {quote(str(path))}` puts it back; or move it away"
        raise NotPermitted(f"what stood in `{path}` before is in `{kept}` already", fix=fix) from error
    _replace(path, config.through(_command(typed)))
    moved = [server.name for server in config.movable]
    pairs: list[tuple[str, object]] = [
        ("rewritten", path),
        ("moved", listed(map(clean, moved))),
        ("before", f"{kept}, which holds its credentials: nobody else can read it"),
        ("undo", f"`interlock mcp restore {quote(str(path))}`"),
    ]
    data = {"file": str(path), "moved": moved, "before": str(kept)}
    typed.screen.show(data, block(pairs, typed.screen.width))
    served = {tool.source.partition("/")[0] for tool in in_force.tools.values()}
    gone = [found.name for name, found in _names(config.movable).items() if f"mcp:{name}" not in served]
    if gone:
        what = f"of {listed(map(clean, gone))} agents get nothing now: the contract in force names no tool of it"
        typed.screen.note(f"note: {what}")
    typed.screen.note("note: start the client anew")
    return 0


def _replace(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    write_new(beside, text.encode())
    beside.chmod(path.stat().st_mode & 0o777)
    beside.replace(path)


def restored(typed: Typed) -> int:
    """Put back what a client's configuration was before Interlock came into it."""
    path = Path(typed.given.file)
    kept = path.with_name(path.name + _KEPT)
    if not kept.exists():
        raise InterlockError(
            f"there is no `{kept}`, so nothing of `{path}` can be put back", fix="name the file that was rewritten"
        )
    config = read_config(path.name, path.read_bytes())
    added = sorted(server.name for server in config.servers if server.name != OURS and not server.why_not)
    if added and not typed.given.over:
        what = f"`{path}` has changed since: {listed(map(clean, added))} would be lost"
        raise NotPermitted(what, fix="move it into the other file by hand, or say `--over`")
    _replace(path, kept.read_text(encoding="utf-8"))
    kept.unlink()
    typed.screen.show({"file": str(path)}, f"{path} is as it was before Interlock")
    return 0
