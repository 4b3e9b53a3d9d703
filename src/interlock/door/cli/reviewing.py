"""`tools review`, `tools pin`: what servers say of their tools, and what somebody has accepted of it."""

import shlex
from pathlib import Path
from typing import Any

from interlock import app
from interlock.contract.ir import Contract
from interlock.contract.problem import nearest
from interlock.contract.read import load
from interlock.core.ids import Environment
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import clean, count, listed, table, wrapped
from interlock.door.cli.screen import Typed
from interlock.secret.broker import SecretBroker
from interlock.secret.installed import broker_of
from interlock.tool.mcp.lock import Lock, lock_of
from interlock.tool.mcp.review import Reviewable, in_lines, in_words, reviewables

LEFT = 3
_PIN_SHOWN = 16


def reviewed(typed: Typed) -> int:
    """Show what servers say of the tools of a contract, and write down what is accepted."""
    file = Path(typed.given.file)
    contract = load(file)
    environment = environment_of(contract, typed.given.env)
    lock = Lock.read(lock_of(contract, file.parent))
    found = reviewables(contract, lock, environment, file.parent, broker=broker(typed), only=typed.given.server)
    if not found:
        raise InputWrong("the contract has no tool of a server", fix="write `from: mcp:SERVER/TOOL` at a tool")
    after = lock
    for each in found:
        typed.screen.line(_told(each, typed.screen.width))
        if _accepted(typed, each):
            assert each.offered is not None, "only what is offered can be accepted"
            after = after.with_tool(each.server, each.tool, each.offered)
            typed.screen.line("  accepted")
    if after.tools != lock.tools:
        after.write()
    return _summed_up(typed, found, lock, after)


def broker(typed: Typed) -> SecretBroker:
    """Return what hands out the secrets that servers need."""
    return broker_of(typed.settings.keys, typed.clock or app.SystemClock())


def environment_of(contract: Contract, name: str) -> Environment:
    """Return an environment that the contract has.

    Raises:
        InputWrong: it has none of that name.
    """
    environment = Environment(name)
    if environment not in contract.modes:
        raise InputWrong(f"the contract has no environment `{name}`", fix=nearest(name, contract.modes))
    return environment


def _accepted(typed: Typed, each: Reviewable) -> bool:
    if each.state not in ("new", "changed") or each.offered is None:
        return False
    pins: list[str] = typed.given.accept or []
    if any(_is_pin(pin, each) for pin in pins):
        return True
    return not pins and typed.screen.ask(f"is `{clean(each.name)}` what you want agents to read and call?") is True


def _is_pin(said: str, each: Reviewable) -> bool:
    return each.offered is not None and len(said) >= _PIN_SHOWN and each.offered.pin.startswith(said)


def _summed_up(typed: Typed, found: tuple[Reviewable, ...], before: Lock, after: Lock) -> int:
    accepted = [each for each in found if (each.server, each.tool) in after.tools.keys() and each.offered is not None]
    well = [each for each in accepted if after.tools[each.server, each.tool] == each.offered]
    left = [each for each in found if each not in well]
    typed.screen.show(
        {"lock": str(after.path), "tools": [_data(each, after) for each in found], "left": len(left)},
        f"{count(len(well), 'tool is', 'tools are')} as reviewed, {len(left)} not",
    )
    if after.tools != before.tools:
        typed.screen.note(f"note: written to `{after.path}`; it belongs into version control, beside the contract")
    pins: list[str] = typed.given.accept or []
    for pin in pins:
        if not any(_is_pin(pin, each) for each in found):
            typed.screen.note(f"note: `{clean(pin)}` is the pin of nothing that is shown here")
    for each in left:
        if each.state in ("new", "changed") and each.offered is not None:
            name, pin = clean(each.name), each.offered.pin[:_PIN_SHOWN]
            again = f"interlock tools review {shlex.quote(typed.given.file)} --env {typed.given.env} --accept {pin}"
            typed.screen.note(f"hint: if `{name}` is what you want: `{again}`")
        elif each.state == "unfit":
            typed.screen.note(
                f"hint: have the server of `{clean(each.name)}` corrected, or take it out of the contract"
            )
    return LEFT if left else 0


def _told(each: Reviewable, width: int) -> str:
    """Show a tool: all of it where it is new, what differs where it is not."""
    head = f"{each.name}: {_STATES[each.state]}" + (f" ({each.why_not})" if each.why_not else "")
    lines = [wrapped(clean(f"{head}; used by {listed(each.used_by)}"), width, hang=2)]
    if each.state in ("new", "changed") and each.offered is not None:
        lines += [f"  pin {each.offered.pin[:_PIN_SHOWN]}", *_description(each, width)]
        for key, old, new in (
            ("arguments", each.reviewed and each.reviewed.schema, each.offered.schema),
            ("result", each.reviewed and each.reviewed.result_schema, each.offered.result_schema),
        ):
            shown = list(in_lines(old, new))
            lines += [f"  {key}:", *(f"    {clean(line)}" for line in shown)] if shown else []
    if each.hints:
        hints = ", ".join(f"{name}={str(value).lower()}" for name, value in sorted(each.hints.items()))
        lines.append(wrapped(clean(f"  the server itself says, and nobody relies on it: {hints}"), width, hang=4))
    return "\n".join(lines)


def _description(each: Reviewable, width: int) -> list[str]:
    assert each.offered is not None, "it is offered"
    new = each.offered.description
    text = new if each.reviewed is None else in_words(each.reviewed.description, new)
    if each.reviewed is not None and each.reviewed.description == new:
        return []
    parts = [wrapped(f"    {clean(line)}", width, hang=4) for line in text.splitlines()]
    return ["  description:", *parts]


def _data(each: Reviewable, lock: Lock) -> dict[str, Any]:
    manifest = lock.tools.get((each.server, each.tool))
    return {
        "tool": each.name,
        "used_by": list(each.used_by),
        "state": each.state,
        "why_not": each.why_not or None,
        "offered": each.offered.pin if each.offered is not None else None,
        "accepted": manifest.pin if manifest is not None else None,
        "hints": dict(each.hints),
    }


def pinned(typed: Typed) -> int:
    """List what was reviewed, and whether the contract uses it."""
    file = Path(typed.given.file)
    contract = load(file)
    lock = Lock.read(lock_of(contract, file.parent))
    used = {tool.source.removeprefix("mcp:") for tool in contract.tools.values()}
    rows = [
        [f"{server}/{tool}", manifest.pin[:_PIN_SHOWN], "yes" if f"{server}/{tool}" in used else "no"]
        for (server, tool), manifest in sorted(lock.tools.items())
    ]
    data = [
        {"tool": f"{server}/{tool}", "pin": manifest.pin, "used": f"{server}/{tool}" in used}
        for (server, tool), manifest in sorted(lock.tools.items())
    ]
    text = table(["TOOL", "PIN", "USED"], rows, typed.screen.broad) if rows else "nothing was reviewed yet"
    typed.screen.show(data, text)
    return 0


_STATES = {
    "same": "as it was reviewed",
    "new": "not reviewed before",
    "changed": "not what was reviewed",
    "gone": "its server has no such tool",
    "unfit": "it can be no tool",
}
