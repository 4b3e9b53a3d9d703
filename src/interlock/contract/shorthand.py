"""The four short shapes that operators already write, turned into the full shape. Each thing assumed is said.

Nothing here guesses towards permission: a tool that a shorthand names is opaque, red and without a price until somebody
says otherwise, and what is not allowed by name is denied.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from interlock.contract.full_shape import FALLBACK, FULL, MODES
from interlock.contract.node import Map, Node, Scalar, Seq, table, text
from interlock.contract.problem import Findings, nearest
from interlock.contract.row import Row
from interlock.contract.scalar import (
    COUNT,
    DECIMAL,
    DURATION,
    FLAG,
    MONEY,
    NAME,
    PERCENT,
    one_of,
)
from interlock.contract.shape import Many, Named, Table, fit
from interlock.contract.tool_shape import ALLOWED_TOOLS, APPROVAL_FOR_CLASSES, APPROVAL_REQUIRED, TOOL_PERMISSIONS
from interlock.policy.rule import Place


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A short shape and how it becomes the full one."""

    shape: Table
    expand: Callable[[Row, Findings], dict[str, Node | None]]


def to_full(node: Node, file: str, findings: Findings) -> Map | None:
    """Return the table in the full shape, whatever shape it was written in."""
    if not isinstance(node, Map):
        findings.wrong(node.place, f"a contract is a table, found {node}", "begin with `interlock: 1`")
        return None
    if "interlock" in node.keys:
        full = fit(FULL, node, findings)
    else:
        shorthand = _recognise(node, findings)
        if shorthand is None:
            return None
        short = fit(shorthand.shape, node, findings)
        full = _expanded(shorthand, short, file, findings) if isinstance(short, Map) else None
    return full if isinstance(full, Map) else None


def variables_to_full(node: Map, file: str, findings: Findings) -> Map | None:
    """Return shell variables in the full shape."""
    short = fit(_D.shape, node, findings)
    return _expanded(_D, short, file, findings) if isinstance(short, Map) else None


def _recognise(node: Map, findings: Findings) -> Shorthand | None:
    keys = node.keys.keys()
    # A key of ours that no shorthand has: somebody wrote the full shape and forgot its first line.
    if keys & (FULL.keys.keys() - _A.shape.keys.keys() - _B.shape.keys.keys()):
        findings.wrong(
            node.place, "`interlock` is missing: this looks like the full shape", "begin with `interlock: 1`"
        )
        return None
    if "agent" in keys:
        return _C
    of_a, of_b = keys & _ONLY_A, keys & _ONLY_B
    if of_a and of_b:
        one, other = min(of_a), min(of_b)
        findings.wrong(
            node.place_of(other),
            f"`{one}` and `{other}` belong to different short shapes",
            "write the full shape, which begins with `interlock: 1`",
        )
        return None
    if of_a or of_b:
        return _A if of_a else _B
    for key in sorted(keys - _SHARED):
        known = FULL.keys.keys() | _A.shape.keys.keys() | _B.shape.keys.keys() | _C.shape.keys.keys()
        findings.wrong(node.place_of(key), f"unknown key `{key}`", nearest(key, known))
    findings.wrong(
        node.place, "this is neither the full shape nor one of the short ones", "write the full shape: `interlock: 1`"
    )
    return None


def _expanded(shorthand: Shorthand, short: Map, file: str, findings: Findings) -> Map:
    entries = shorthand.expand(Row(short), findings)
    name = entries.get("workflow") or _name_of_file(file, short.place, findings)
    findings.assume(short.place, "no tenant is named: read as `default`")
    head: dict[str, Node | None] = {
        "interlock": Scalar(text="1", kind="number", place=short.place),
        "workflow": name,
        "tenant": text("default", short.place),
    }
    full = table({**head, **{key: node for key, node in entries.items() if key != "workflow"}}, short.place)
    # What is written out here has the full shape, or this is a bug that the fit would show as a problem.
    fitted = fit(FULL, full, findings) if not findings.problems else full
    return fitted if isinstance(fitted, Map) else full


def _name_of_file(file: str, place: Place, findings: Findings) -> Scalar:
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", PurePath(file).stem)[:100].lstrip("-.") or "workflow"
    findings.assume(place, f"no workflow is named: read as `{stem}`, after the file")
    return text(stem, place)


def _expand_a(row: Row, findings: Findings) -> dict[str, Node | None]:
    tools = _names(row.items("allowed_tools")) + _names(row.items("approval_required_tools"))
    pii = row.node("pii_redaction")
    return {
        "tools": _bare_tools(tools, row.place),
        "permissions": table(
            {
                "allowed_tools": row.node("allowed_tools"),
                "approval_required_tools": row.node("approval_required_tools"),
            },
            row.place,
        ),
        "budgets": _per_run(row.place, tool_calls=row.node("max_tool_calls"), tokens=row.node("max_total_tokens")),
        "redaction": table({"pii": pii}, pii.place) if pii else None,
        "fallback": row.node("fallback"),
    }


def _expand_b(row: Row, findings: Findings) -> dict[str, Node | None]:
    timeouts = row.row("timeouts")
    return {
        "tool_defaults": _timeout(timeouts, findings),
        "permissions": table(
            {"require_approval_for": row.row("policies").node("require_approval_for")},
            row.row("policies").place,
        ),
        "budgets": _per_run(
            row.place,
            usd=row.row("budgets").node("max_usd_per_run"),
            tokens=row.node("max_total_tokens"),
            tool_calls=row.node("max_tool_calls"),
            seconds=timeouts.node("overall_seconds"),
        ),
    }


def _timeout(timeouts: Row, findings: Findings) -> Node | None:
    seconds = timeouts.find("per_tool_seconds", DECIMAL)
    if seconds is None:
        return None
    place = timeouts.place_of("per_tool_seconds")
    millis, rest = divmod(seconds, 1_000)
    if rest:
        findings.wrong(place, "a timeout is given to the millisecond", "write at most three decimals")
    return table({"timeout": text(f"{millis}ms", place)}, place)


def _expand_c(row: Row, findings: Findings) -> dict[str, Node | None]:
    agent = row.row("agent")
    budgets, permissions = agent.row("budgets"), agent.row("permissions")
    if budgets.has("max_usd_per_task"):
        findings.assume(budgets.place_of("max_usd_per_task"), "a task is read as a run: the limit is one of each run")
    name = agent.node("name")
    return {
        "workflow": name,
        "environments": _environments(agent, findings),
        "agents": table({agent.text("name"): table({}, name.place)}, name.place) if name else None,
        "tools": _tools_of_c(permissions, findings),
        "permissions": permissions.map,
        "facts": _unknown_facts(permissions),
        "budgets": _per_run(
            budgets.place, usd=budgets.node("max_usd_per_task"), tool_calls=budgets.node("max_tool_calls")
        ),
        "breakers": _breaker(agent.row("circuit_breakers"), findings) if agent.has("circuit_breakers") else None,
    }


def _environments(agent: Row, findings: Findings) -> Node | None:
    mode = agent.node("mode")
    if mode is None:
        return None
    findings.assume(mode.place, "no environment is named: the mode is that of `prod`")
    return table({"prod": table({"mode": mode}, mode.place)}, mode.place)


def _tools_of_c(permissions: Row, findings: Findings) -> Node:
    tools: dict[str, Node] = dict(_bare_tools(_names(permissions.items("allowed_tools")), permissions.place).entries)
    for name, row in permissions.rows():
        if name == "allowed_tools":
            continue
        tools[name] = table({}, row.place)
        if row.has("max_amount_usd") or row.has("require_human_approval_over_usd"):
            findings.assume(row.place, f"the amount that `{name}` moves is read from its argument `amount_usd`")
            role: dict[str, Node | None] = {"role": text("quantity", row.place), "unit": text("usd", row.place)}
            argument = table({"amount_usd": table(role, row.place)}, row.place)
            tools[name] = table({"args": argument}, row.place)
    return table(tools, permissions.place)


def _unknown_facts(permissions: Row) -> Node | None:
    facts: dict[str, Node | None] = {}
    for name, row in permissions.rows():
        for key in row.map.entries if name != "allowed_tools" else ():
            for start in TOOL_PERMISSIONS.starts:
                if key.startswith(start):
                    facts[key.removeprefix(start)] = text("unknown", row.place_of(key))
    return table(facts, permissions.place) if facts else None


def _breaker(row: Row, findings: Findings) -> Node:
    window = row.text("window")
    if not window:
        window = "5m"
        findings.assume(row.place_of("action_error_rate_max"), "the breaker says no window: read as 5m")
    rate = row.text("action_error_rate_max") or "0%"
    trigger = row.get("on_trigger", _TRIGGERS, "downgrade_to_read_only").removeprefix("downgrade_to_")
    place = row.place_of("action_error_rate_max")
    breaker: dict[str, Node | None] = {
        "when": text(f"action_error_rate > {rate} over {window}", place),
        "do": text(trigger, row.place_of("on_trigger")),
    }
    return Seq(items=(table(breaker, place),), place=place)


def _expand_d(row: Row, findings: Findings) -> dict[str, Node | None]:
    allowed = row.node("ALLOWED_TOOLS")
    return {
        "tools": _bare_tools(_names(row.items("ALLOWED_TOOLS")), row.place),
        "permissions": table({"allowed_tools": allowed}, row.place),
        "budgets": _per_run(row.place, tool_calls=row.node("MAX_TOOL_CALLS"), tokens=row.node("MAX_TOKENS")),
    }


def _per_run(place: Place, **amounts: Node | None) -> Node | None:
    run = table(amounts, place)
    return table({"per_run": run}, place) if run.entries else None


def _names(items: tuple[Node, ...]) -> list[tuple[str, Place]]:
    """Name the tools of a list, each with where it is named first."""
    named: list[tuple[str, Place]] = []
    for item in items:
        if isinstance(item, Scalar):
            named.append((item.text, item.place))
        elif isinstance(item, Map):
            named += [(key, item.place_of(key)) for key in item.entries]
    return named


def _bare_tools(names: list[tuple[str, Place]], place: Place) -> Map:
    first: dict[str, Place] = {}
    for name, where in names:
        first.setdefault(name, where)
    return table({name: table({}, where) for name, where in first.items()}, place)


_TRIGGERS = one_of("downgrade_to_suggest_only", "downgrade_to_read_only")

_A = Shorthand(
    shape=Table(
        keys={
            "max_tool_calls": COUNT,
            "max_total_tokens": COUNT,
            "allowed_tools": ALLOWED_TOOLS,
            "approval_required_tools": APPROVAL_REQUIRED,
            "pii_redaction": FLAG,
            "fallback": FALLBACK,
        }
    ),
    expand=_expand_a,
)
_B = Shorthand(
    shape=Table(
        keys={
            "max_tool_calls": COUNT,
            "max_total_tokens": COUNT,
            "timeouts": Table(keys={"overall_seconds": DECIMAL, "per_tool_seconds": DECIMAL}),
            "budgets": Table(keys={"max_usd_per_run": MONEY}),
            "policies": Table(keys={"require_approval_for": APPROVAL_FOR_CLASSES}),
        }
    ),
    expand=_expand_b,
)
_C = Shorthand(
    shape=Table(
        keys={
            "agent": Table(
                keys={
                    "name": NAME,
                    "mode": MODES,
                    "budgets": Table(keys={"max_usd_per_task": MONEY, "max_tool_calls": COUNT}),
                    "permissions": Table(
                        keys={"allowed_tools": ALLOWED_TOOLS}, others=Named(of=TOOL_PERMISSIONS, names=NAME)
                    ),
                    "circuit_breakers": Table(
                        keys={"action_error_rate_max": PERCENT, "window": DURATION, "on_trigger": _TRIGGERS},
                        needed=frozenset({"action_error_rate_max", "on_trigger"}),
                    ),
                },
                needed=frozenset({"name"}),
            )
        },
        needed=frozenset({"agent"}),
    ),
    expand=_expand_c,
)
_D = Shorthand(
    shape=Table(keys={"MAX_TOOL_CALLS": COUNT, "MAX_TOKENS": COUNT, "ALLOWED_TOOLS": Many(of=NAME)}),
    expand=_expand_d,
)
_SHARED = _A.shape.keys.keys() & _B.shape.keys.keys()
_ONLY_A = _A.shape.keys.keys() - _SHARED
_ONLY_B = _B.shape.keys.keys() - _SHARED
SHORT_SHAPES = (_A.shape, _B.shape, _C.shape, _D.shape)
