"""A contract as the YAML of the full shape. Read again, it is the same contract, in whatever shape it was written."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from interlock.budget.period import Period
from interlock.contract.budgets import PERIODS
from interlock.contract.databases import written_databases
from interlock.contract.full_shape import FULL
from interlock.contract.hooks import is_source
from interlock.contract.hosts import written_hosts
from interlock.contract.ir import Approvals, Budget, Consent, Contract
from interlock.contract.rules import FACT_RULES
from interlock.contract.scalar import DURATION_UNITS
from interlock.contract.servers import without_places, written_server
from interlock.contract.show_tool import written_hook, written_tool
from interlock.contract.tools import TIMEOUT
from interlock.contract.written import Number, Written, count, day, days, duration, json_value, micros, table, yaml_text
from interlock.core.charge import Unit
from interlock.core.ids import Instant, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.policy.rule import Above, Always, AsUndo, Before, FactIsNot, OneOf, Outside, Place, Rule, RuleEffect


def show(contract: Contract) -> str:
    """Write a contract in the full shape."""
    tree: dict[str, Written] = {**_who(contract), **_what(contract)}
    whole = _merged(tree, {key: json_value(value) for key, value in contract.kept.items()})
    return yaml_text({key: whole[key] for key in FULL.keys if key in whole})


def same(one: Contract, other: Contract) -> bool:
    """Whether two contracts say the same, wherever it is written and whatever was assumed on the way."""
    return _without_places(one) == _without_places(other)


def _who(contract: Contract) -> dict[str, Written]:
    return table(
        interlock=count(1),
        workflow=contract.workflow,
        tenant=contract.tenant,
        owner=contract.owner or None,
        cost_center=contract.cost_center or None,
        runbook=contract.runbook or None,
        environments={name: {"mode": mode.value} for name, mode in contract.modes.items()} or None,
        agents={name: table(key=key or None) for name, key in contract.agents.items()} or None,
        unsafe_durability=contract.unsafe_durability or None,
        accept_unenforced=sorted(contract.accept_unenforced) or None,
    )


def _what(contract: Contract) -> dict[str, Written]:
    facts: dict[str, Written] = {name: written_hook(hook, contract) or {} for name, hook in contract.facts.items()}
    unknown: dict[str, Written] = dict.fromkeys(sorted(contract.unknown_facts), "unknown")
    queue = contract.handoff_queue
    return table(
        tool_defaults=None if contract.tool_timeout == TIMEOUT else {"timeout": duration(contract.tool_timeout)},
        servers={name: written_server(server) for name, server in contract.servers.items()} or None,
        tools={name: written_tool(tool, contract) for name, tool in contract.tools.items() if not is_source(name)}
        or None,
        hosts=written_hosts(contract) or None,
        databases=written_databases(contract) or None,
        permissions=_permissions(contract) or None,
        facts={**facts, **unknown} or None,
        approvals=_approvals(contract.approvals, contract.rules) or None,
        budgets=_budgets(contract.budgets) or None,
        fallback={**contract.fallback, **({"handoff": {"queue": queue}} if queue else {})} or None,
        retention=_retention(contract) or None,
        loop=None if contract.loop == _UNSAID.loop else {"equal_calls": count(contract.loop.equal_calls)},
    )


def _retention(contract: Contract) -> dict[str, Written]:
    ledger, payloads = contract.ledger_days, contract.payload_days
    return table(
        purpose=contract.purpose or None,
        ledger=None if ledger is None else days(ledger),
        payloads=None if payloads is None else days(payloads),
    )


def _permissions(contract: Contract) -> dict[str, Written]:
    rules = contract.rules
    classes: list[Written] = [
        table(
            action=ask.kind,
            threshold_usd=None if ask.over is None else micros(ask.over),
            any=True if ask.over is None else None,
        )
        for ask in contract.class_asks
    ]
    per_tool: dict[str, Written] = {}
    for rule in rules:
        said = _said_of_tool(rule)
        if said is not None and rule.tool is not None:
            per_tool[rule.tool] = {**_as_table(per_tool.get(rule.tool)), **said}
    return {
        **table(
            allowed_tools=[str(rule.tool) for rule in rules if _allows_agents(rule)] or None,
            approval_required_tools=[said for rule in rules for said in _required(rule)] or None,
            require_approval_for=classes or None,
            policy_files=contract.policy_files or None,
        ),
        **per_tool,
    }


def _required(rule: Rule) -> Iterable[Written]:
    """Write a rule of `approval_required_tools`; nothing if it is none."""
    if rule.effect is RuleEffect.ASK and rule.tool is not None:
        match rule.when:
            case Always() if rule.id == f"{rule.tool}.approval":
                yield rule.tool
            case OneOf(values=values):
                yield {rule.tool: {rule.id.removeprefix(f"{rule.tool}.approval_"): values}}
            case _:
                pass


def _said_of_tool(rule: Rule) -> Mapping[str, Written] | None:
    """Write a rule that stands under the name of its tool; nothing if it stands elsewhere."""
    match rule.when:
        case Outside(high=high):
            return {"max_amount_usd": micros(high)}
        case Above(micros=over) if rule.id == f"{rule.tool}.approval_over":
            return {"require_human_approval_over_usd": micros(over)}
        case FactIsNot(name=name, value=quiet):
            start = next(
                start for start, (effect, _, value) in FACT_RULES.items() if (effect, value) == (rule.effect, quiet)
            )
            return {f"{start}{name}": True}
        case _:
            return None


def _approvals(approvals: Approvals, rules: tuple[Rule, ...]) -> dict[str, Written]:
    first = [rule for rule in rules if isinstance(rule.when, Before)]
    until = first[0].when if first else None
    return table(
        yellow=_consent(approvals.yellow),
        red=_consent(approvals.red),
        separation_of_duties=None if approvals.separation_of_duties else False,
        remind=[f"{percent}%" for percent in approvals.remind] or None,
        on_expiry=None if approvals.on_expiry == "refuse" else approvals.on_expiry,
        first_weeks={
            "tools": [str(rule.tool) for rule in first],
            # The rule ends when the day that is named has ended.
            "ask_always_until": day(Instant(until.instant - DURATION_UNITS["d"])),
        }
        if isinstance(until, Before)
        else None,
        people={role: sorted(people) for role, people in sorted(approvals.people.items())} or None,
        keys={person: sorted(keys) for person, keys in sorted(approvals.keys.items())} or None,
    )


def _consent(consent: Consent | None) -> Written | None:
    if consent is None:
        return None
    return table(
        approvers=sorted(consent.approvers),
        quorum=count(consent.quorum),
        each=consent.each or None,
        expires=duration(consent.expires),
        step_up=consent.step_up or None,
        on_change=None if consent.on_change == "ask" else consent.on_change,
    )


def _budgets(budgets: tuple[Budget, ...]) -> dict[str, Written]:
    keys: dict[Period, str] = {period: key for key, period in PERIODS}
    said: dict[str, Written] = {}
    for budget in budgets:
        if budget.tool is None:
            key = keys[budget.period]
            said[key] = {**_as_table(said.get(key)), budget.unit.value: _amount(budget)}
    limits: dict[str, Written] = {
        tool: {key: value for budget in of_tool for key, value in _limit(budget).items()}
        for tool, of_tool in groupby((budget for budget in budgets if budget.tool), key=lambda each: str(each.tool))
    }
    return {**said, **table(limits=limits or None)}


def _limit(budget: Budget) -> Mapping[str, Written]:
    if budget.unit is Unit.USD_OF_ARGS:
        return {"usd_of_args": micros(budget.limit), "per": budget.period}
    if budget.period == "run":
        return {"calls_per_run": count(budget.limit)}
    return {"rate": f"{budget.limit}/{budget.period[0]}"}


def _amount(budget: Budget) -> Number:
    return micros(budget.limit) if budget.unit in {Unit.USD, Unit.SECONDS} else count(budget.limit)


def _merged(one: Mapping[str, Written], other: Mapping[str, Written]) -> dict[str, Written]:
    merged = dict(one)
    for key, value in other.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _as_table(value: Written | None) -> Mapping[str, Written]:
    return value if isinstance(value, Mapping) else {}


def _without_places(contract: Contract) -> Contract:
    return replace(
        contract,
        place=_NOWHERE,
        assumptions=(),
        tools={name: replace(tool, place=_NOWHERE) for name, tool in contract.tools.items()},
        servers={name: without_places(server) for name, server in contract.servers.items()},
        rules=tuple(replace(rule, place=_NOWHERE) for rule in contract.rules),
        budgets=tuple(replace(budget, place=_NOWHERE) for budget in contract.budgets),
        class_asks=tuple(replace(ask, place=_NOWHERE) for ask in contract.class_asks),
        unenforced=tuple(replace(section, place=_NOWHERE) for section in contract.unenforced),
    )


_NOWHERE = Place(file="")
_UNSAID = Contract(workflow=WorkflowId(""), tenant=TenantId(""), place=_NOWHERE)


def _allows_agents(rule: Rule) -> bool:
    return rule.effect is RuleEffect.PERMIT and not isinstance(rule.when, AsUndo)
