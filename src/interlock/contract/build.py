"""A table of the full shape into a `Contract`."""

from collections.abc import Mapping

from interlock.contract.budgets import read_budgets
from interlock.contract.consent import read_approvals
from interlock.contract.databases import read_databases
from interlock.contract.full_shape import FALLBACKS, MODES
from interlock.contract.hooks import Hooks
from interlock.contract.hosts import read_hosts
from interlock.contract.ir import Assumption, Contract, Hook, Loop
from interlock.contract.node import Map, Scalar
from interlock.contract.problem import Findings
from interlock.contract.row import Row
from interlock.contract.rules import Rules
from interlock.contract.scalar import DAYS, FLAG, GLOB, NAME, POSITIVE
from interlock.contract.servers import read_servers
from interlock.contract.tools import TIMEOUT, read_timeout, read_tools
from interlock.contract.unenforced import read_accepted, read_unenforced
from interlock.core.effect import Mode
from interlock.core.ids import AgentId, Environment, TenantId, WorkflowId
from interlock.core.value import replace


def build(root: Map, findings: Findings) -> Contract:
    """Make a contract of what has passed the shape. What else is wrong goes to `findings`."""
    row = Row(root)
    hooks = Hooks(findings)
    timeout = read_timeout(row.row("tool_defaults"), TIMEOUT, findings)
    named = read_tools(row, hooks, timeout)
    facts = _facts(row, hooks)
    tools = {**named, **hooks.tools}
    approvals = read_approvals(row, findings)
    rules = Rules(row, tools, approvals, findings)
    class_asks = tuple(rules.class_asks())
    unenforced, kept = read_unenforced(root)
    contract = Contract(
        workflow=WorkflowId(row.get("workflow", NAME, "")),
        tenant=TenantId(row.get("tenant", NAME, "")),
        place=root.place,
        owner=row.text("owner"),
        cost_center=row.text("cost_center"),
        runbook=row.text("runbook"),
        modes=_modes(row, findings),
        agents={AgentId(name): agent.text("key") for name, agent in row.row("agents").rows()},
        tools=tools,
        tool_timeout=timeout,
        hosts=read_hosts(row),
        databases=read_databases(row, findings),
        servers=read_servers(row, findings),
        rules=rules.all(class_asks),
        class_asks=class_asks,
        policy_files=row.row("permissions").many("policy_files", GLOB),
        facts=facts,
        unknown_facts=_unknown_facts(row, findings),
        approvals=approvals,
        budgets=read_budgets(row, findings),
        loop=Loop(equal_calls=row.row("loop").get("equal_calls", POSITIVE, _LOOP)),
        fallback=_fallback(row.row("fallback")),
        handoff_queue=row.row("fallback").row("handoff").text("queue"),
        purpose=row.row("retention").text("purpose"),
        payload_days=row.row("retention").find("payloads", DAYS),
        ledger_days=row.row("retention").find("ledger", DAYS),
        unsafe_durability=row.get("unsafe_durability", FLAG, False),
        accept_unenforced=read_accepted(row, findings),
        unenforced=unenforced,
        kept=kept,
    )
    return replace(contract, assumptions=_in_order(findings))


def _in_order(findings: Findings) -> tuple[Assumption, ...]:
    return tuple(sorted(findings.assumptions, key=lambda each: (each.place.line, each.place.column)))


def _modes(root: Row, findings: Findings) -> Mapping[Environment, Mode]:
    modes: dict[Environment, Mode] = {}
    for name, row in root.row("environments").rows():
        said = row.get("mode", MODES, "read_only")
        if said == "suggest_then_act":
            findings.assume(
                row.place_of("mode"), "`suggest_then_act` is read as mode `ask`: every write waits for a person"
            )
            said = "ask"
        modes[Environment(name)] = Mode(said)
    if not modes:
        findings.assume(root.place_of("environments"), "no environment is named: read as `prod` in mode `ask`")
        modes[Environment("prod")] = Mode.ASK
    return modes


def _facts(root: Row, hooks: Hooks) -> Mapping[str, Hook]:
    section = root.row("facts")
    read = {name: hooks.read(section, name) for name, node in section.map.entries.items() if isinstance(node, Map)}
    return {name: hook for name, hook in read.items() if hook is not None}


def _unknown_facts(root: Row, findings: Findings) -> frozenset[str]:
    section = root.row("facts")
    unknown = [name for name, node in section.map.entries.items() if isinstance(node, Scalar)]
    for name in unknown:
        findings.assume(
            section.place_of(name),
            f"nobody can look up the fact `{name}`: it is unknown, and unknown is a no",
        )
    return frozenset(unknown)


def _fallback(row: Row) -> Mapping[str, str]:
    return {key: row.get(key, FALLBACKS, "") for key in row.map.entries if key != "handoff"}


_LOOP = Loop().equal_calls
