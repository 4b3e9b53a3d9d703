"""`contract`: check, show, schema, publish."""

import json
from pathlib import Path
from typing import Any

from interlock import app
from interlock.config import Settings
from interlock.contract.bundle import decode
from interlock.contract.ir import Assumption, Contract, Unenforced
from interlock.contract.lint import lint
from interlock.contract.problem import ContractProblems, by_fix, nearest
from interlock.contract.read import load
from interlock.contract.schema import schema
from interlock.contract.show import show as written_out
from interlock.contract.show_tool import written_tool
from interlock.contract.written import yaml_text
from interlock.core.errors import InterlockError
from interlock.core.ids import Environment, ToolName
from interlock.core.value import replace
from interlock.door.cli.person import operator
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import block, clean, listed, table, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, find_tools_here, session
from interlock.gateway.publish import publish_contract
from interlock.gateway.publishable import publishable
from interlock.secret.installed import broker_of


def checked(typed: Typed) -> int:
    """Say what is wrong with each file, what was assumed, what is not enforced."""
    found = [_check(name, typed.screen.width) for name in typed.given.files]
    typed.screen.show([data for data, _ in found], "\n\n".join(text for _, text in found))
    return 0 if all(data["ok"] for data, _ in found) else 1


def _check(name: str, width: int) -> tuple[dict[str, Any], str]:
    try:
        contract = load(Path(name))
    except ContractProblems as wrong:
        problems = [{"place": str(each.place), "what": each.what, "fix": each.fix} for each in wrong.problems]
        lines: list[str] = []
        for fix, group in by_fix(wrong.problems).items():
            lines += [wrapped(clean(f"{each.place}: {each.what}"), width, hang=4) for each in group]
            lines.append(wrapped(clean(f"    fix: {fix}"), width, hang=9))
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        return {"file": name, "ok": False, "problems": problems}, "\n".join([f"{name}: {count}", *lines])
    said = {"assumed": contract.assumptions, "worth knowing": lint(contract)}
    parts = [f"{name}: ok"]
    for kind, notes in said.items():
        parts += [f"  {kind}:"] if notes else []
        parts += [wrapped(clean(f"    {each.place}: {each.text}"), width, hang=6) for each in notes]
    data = {
        "assumed": list(map(_noted, contract.assumptions)),
        "worth_knowing": list(map(_noted, lint(contract))),
        "not_enforced": list(map(_waiting, contract.unenforced)),
        "not_looked_at": _outside(contract),
    }
    if contract.unenforced:
        parts += ["  not enforced (checked and kept, until the part that honours it is there):", _off(contract, width)]
    if unseen := _unseen(contract):
        parts.append(
            wrapped(f"  not looked at here: {unseen}; `interlock contract publish FILE --env ENV` does", width, hang=4)
        )
    return {"file": name, "ok": True, "problems": [], **data}, "\n".join(parts)


def _outside(contract: Contract) -> dict[str, list[str]]:
    """List what a contract names and does not hold itself."""
    sources = {tool.source for tool in contract.tools.values() if tool.source}
    return {
        "sources": sorted(sources),
        "policy_files": list(contract.policy_files),
        "keys": sorted(key for key in contract.agents.values() if key),
    }


def _unseen(contract: Contract) -> str:
    counts = {kind: len(found) for kind, found in _outside(contract).items() if found}
    said = [f"{count} {_WORDS[kind][count > 1]}" for kind, count in counts.items()]
    return ", ".join(said)


def _off(contract: Contract, width: int) -> str:
    rows = [
        [each.place, each.section, each.honoured_by, "protects something" if each.protects else ""]
        for each in contract.unenforced
    ]
    text = table(["WHERE", "SECTION", "HONOURED BY", ""], rows, width - 4)
    return "\n".join(f"    {line}" for line in text.splitlines())


def _waiting(each: Unenforced) -> dict[str, Any]:
    return {
        "place": str(each.place),
        "section": each.section,
        "honoured_by": each.honoured_by,
        "protects": each.protects,
    }


def _noted(assumption: Assumption) -> dict[str, str]:
    return {"place": str(assumption.place), "text": assumption.text}


@awaited
async def show(typed: Typed) -> int:
    """Write a contract out in full: a file, or the one that is in force."""
    if typed.given.file is not None:
        contract = load(Path(typed.given.file))
    else:
        with session(typed) as here:
            contract = await _in_force(here)
    tool: str | None = typed.given.tool
    text = written_out(contract) if tool is None else _tool_text(contract, tool)
    typed.screen.show({"yaml": text}, text.rstrip("\n"))
    return 0


async def _in_force(here: Session) -> Contract:
    workflow, environment = await here.place()
    published = (await here.rows()).door.of(workflow, environment)
    assert published is not None, "the place was found among those that are published"
    return decode(await here.store.contract(published.contract))


def _tool_text(contract: Contract, name: str) -> str:
    tool = contract.tools.get(ToolName(name))
    if tool is None:
        raise InputWrong(f"the contract has no tool `{name}`", fix=nearest(name, contract.tools))
    return yaml_text({name: written_tool(tool, contract)})


def schema_of(typed: Typed) -> int:
    """Print the JSON Schema of the full shape."""
    typed.screen.show(schema(), json.dumps(schema(), indent=2))
    return 0


@awaited
async def publish(typed: Typed) -> int:
    """Hold a contract against the world, put it in force, and say what changed by it."""
    file = Path(typed.given.file)
    contract = load(file)
    environment = Environment(typed.given.env)
    if environment not in contract.modes:
        raise InputWrong(f"the contract has no environment `{environment}`", fix=nearest(environment, contract.modes))
    typed = replace(typed, settings=_of_its_tenant(typed, contract))
    settings = typed.settings
    look = broker_of(settings.keys, typed.clock or app.SystemClock()).look
    describe = app.describing(settings.keys, typed.clock)
    new = settings.file is not None and not settings.file.exists()
    if new:
        # A contract that cannot be published leaves no empty store behind, where a path was mistyped least of all.
        find_tools_here()
        publishable(contract, environment, folder=file.parent, describe=describe, look=look)
    with session(typed, may_make=True) as here:
        by = await operator(here)
        done = await publish_contract(
            here.store, contract, environment, by, folder=file.parent, describe=describe, look=look
        )
        epoch = (await here.rows()).door.epoch
    named = [("new tools", done.new), ("changed tools", done.changed), ("gone tools", done.gone)]
    pairs: list[tuple[str, object]] = [
        ("published", f"{contract.workflow} in {environment}"),
        ("contract", done.hash),
        ("mode", done.mode.value),
        *((name, listed(tools)) for name, tools in named if tools),
        ("epoch", epoch),
        ("by", f"{by.person} ({by.known_by})"),
    ]
    who = {"by": by.person, "known_by": by.known_by, "epoch": epoch, "tenant": here.store.tenant}
    what = {"workflow": contract.workflow, "environment": environment, "contract": done.hash, "mode": done.mode.value}
    tools = {"new": list(done.new), "changed": list(done.changed), "gone": list(done.gone)}
    unenforced = list(map(_waiting, done.unenforced))
    typed.screen.show(
        {**what, **who, "tools": tools, "undo_lost": dict(done.undo_lost), "not_enforced": unenforced},
        block(pairs, typed.screen.width),
    )
    if new:
        typed.screen.note(f"note: the store `{settings.shown}` is new; its keys are in `{settings.keys}`")
    for tool, count in sorted(done.undo_lost.items()):
        effects = "1 effect" if count == 1 else f"{count} effects"
        typed.screen.note(f"warning: `{tool}` is gone, and without it {effects} cannot be undone any more")
    _remark(typed, done.contract)
    return 0


def _of_its_tenant(typed: Typed, contract: Contract) -> Settings:
    settings = typed.settings
    if settings.tenant_said and settings.tenant != contract.tenant:
        raise InterlockError(
            f"the contract is of the tenant `{contract.tenant}`, and `{settings.tenant}` was said",
            fix="leave `--tenant` out, or correct `tenant` in the contract",
        )
    return replace(settings, tenant=contract.tenant)


def _remark(typed: Typed, contract: Contract) -> None:
    for each in (*contract.assumptions, *lint(contract)):
        typed.screen.note(f"note: {each.place}: {each.text}")
    if contract.unenforced:
        sections = listed({f"`{each.section}`" for each in contract.unenforced})
        typed.screen.note(f"note: not enforced in this version: {sections}")
    if not typed.settings.tenant_said and contract.tenant != "default":
        typed.screen.note(
            f"hint: other commands need `--tenant {contract.tenant}`, or INTERLOCK_TENANT={contract.tenant}"
        )


_WORDS = {
    "sources": ("source", "sources"),
    "policy_files": ("pattern of policy files", "patterns of policy files"),
    "keys": ("key file", "key files"),
}
