"""What a contract may say, and what its owner should know all the same."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from interlock.contract.expr import ExpressionInvalid, parse
from interlock.contract.hooks import is_source
from interlock.contract.ir import Assumption, Budget, Consent, Contract, Tool
from interlock.contract.unenforced import holding_back
from interlock.core.canonical import Json
from interlock.core.charge import Unit
from interlock.core.effect import RESENDABLE, EffectClass, Mode, Tier
from interlock.core.ids import Environment, PersonId, Role, ToolName
from interlock.policy.rule import RuleEffect


def lint(contract: Contract) -> tuple[Assumption, ...]:
    """Return warnings, each with its place. None of them keeps a contract from being honoured."""
    allowed = {rule.tool for rule in contract.rules if rule.effect is RuleEffect.PERMIT}
    asking = {rule.tool for rule in contract.rules if rule.effect is RuleEffect.ASK}
    tools = [tool for tool in contract.tools.values() if not is_source(tool.name)]
    return (
        *_of_contract(contract),
        *_of_names(tools),
        *_of_conditions(contract),
        *(warning for tool in tools for warning in _of_tool(tool)),
        *(warning for tool in tools if tool.name in allowed for warning in _of_allowed(tool, asking)),
        *(warning for tool in tools if tool.name in allowed for warning in _of_limits(tool, contract.budgets)),
        *_of_consent(contract),
        *_of_secrets(tools),
    )


def _of_contract(contract: Contract) -> Iterator[Assumption]:
    free = bool(contract.tools) and all(tool.price == 0 for tool in contract.tools.values())
    if not free and not any(budget.unit is Unit.USD and budget.tool is None for budget in contract.budgets):
        yield _at(contract, "no budget limits what the workflow costs")
    if not any(budget.unit is Unit.TOOL_CALLS and budget.period == "run" for budget in contract.budgets):
        yield _at(contract, "no budget limits the calls of a run")
    production = contract.modes.get(_PROD)
    for section in holding_back(contract) if production is Mode.ACT else ():
        yield Assumption(
            place=section.place,
            text=f"`{section.section}` protects something and is not enforced: `prod` cannot run in mode `act`"
            f" unless `accept_unenforced` names it",
        )


def alike(name: str) -> str:
    """Return what tells a tool from others to somebody who reads, or to a client that rewrites names for its model."""
    return re.sub(r"[.-]", "_", name).lower().translate(_LOOKS_LIKE)


def _of_names(tools: Sequence[Tool]) -> Iterator[Assumption]:
    """Name tools whose names are hard to tell apart: a call reaches the one that it names, letter for letter."""
    known: dict[str, ToolName] = {}
    for tool in tools:
        other = known.setdefault(alike(tool.name), tool.name)
        if other != tool.name:
            yield _of(
                tool, f"is hard to tell from `{other}`: who reads, or a client that rewrites names, may mix them up"
            )


def _of_conditions(contract: Contract) -> Iterator[Assumption]:
    """Name the conditions that are plain words. They are allowed in two sections, and may be a slip of the pen."""
    kept = contract.kept
    done = cast("Json", kept.get("done"))
    lists = [("escalate_when", cast("Json", kept.get("escalate_when")))]
    lists += [("done", each) for each in (done.values() if isinstance(done, dict) else ())]
    places = {section.section: section.place for section in contract.unenforced}
    for section, texts in lists:
        for text in texts if isinstance(texts, list) else ():
            if not _is_expression(str(text)):
                yield Assumption(
                    place=places.get(section, contract.place),
                    text=f"`{text}` in `{section}` is no expression: somebody has to judge it by its words",
                )


def _is_expression(text: str) -> bool:
    try:
        parse(text)
    except ExpressionInvalid:
        return False
    return True


def _of_tool(tool: Tool) -> Iterator[Assumption]:
    if tool.retries and tool.effect not in RESENDABLE and not tool.effect_unsaid:
        yield _of(
            tool, f"says {Unit.RETRIES.show(tool.retries)}, and a tool that is `{tool.effect.value}` is tried once"
        )
    if tool.idempotency_header and tool.effect is not EffectClass.IDEMPOTENT_KEY and not tool.effect_unsaid:
        yield _of(tool, f"names a header for its key, which the effect `{tool.effect.value}` does not send")
    if tool.effect is EffectClass.QUERYABLE and tool.reconcile is None:
        yield _of(tool, "is `queryable` and says no `reconcile`: a person has to find out what became of it")
    if tool.cache_ttl and tool.effect is not EffectClass.READ and not tool.effect_unsaid:
        yield _of(tool, "writes, so its cache is never used")


def _of_allowed(tool: Tool, asking: set[ToolName | None]) -> Iterator[Assumption]:
    if tool.effect is EffectClass.READ or tool.only_as_undo or tool.effect_unsaid:
        return
    # In mode `act`, yellow asks by itself and red is only ever a draft.
    if tool.undo is None and tool.name not in asking and tool.tier is Tier.GREEN:
        yield _of(tool, "writes, cannot be undone and asks nobody")
    if tool.effect is EffectClass.OPAQUE and tool.unique is None and tool.serialize == "" and tool.tier is Tier.GREEN:
        yield _of(tool, "is `opaque` and `green`: a second call has a second effect; say `unique` or a higher tier")


def _of_limits(tool: Tool, budgets: tuple[Budget, ...]) -> Iterator[Assumption]:
    """Name the limits that are below what a single call sets aside. An undo is charged to nobody's limit."""
    if tool.only_as_undo:
        return
    attempts = 1 + (tool.retries if tool.effect in RESENDABLE else 0)
    most = {
        Unit.USD: (tool.price or 0) * attempts,
        Unit.SECONDS: tool.timeout * attempts,
        Unit.RETRIES: attempts - 1,
    }
    for budget in budgets:
        amount = most.get(budget.unit, 0)
        if budget.tool in (None, tool.name) and amount > budget.limit:
            needs, has = budget.unit.show(amount), budget.unit.show(budget.limit)
            yield Assumption(
                place=budget.place,
                text=f"a call of `{tool.name}` sets {needs} aside, and the limit of a {budget.period} is {has}:"
                f" it never starts",
            )


def _of_consent(contract: Contract) -> Iterator[Assumption]:
    approvals = contract.approvals
    both = {"yellow": approvals.yellow, "red": approvals.red}
    yield from _of_people(contract, {tier: consent for tier, consent in both.items() if consent is not None})
    tiers = {tool.tier for tool in contract.tools.values()}
    if Tier.RED in tiers and approvals.red is None:
        yield _at(contract, "tools are `red` and `approvals` names nobody for them: their drafts are never started")
    if Tier.YELLOW in tiers and approvals.yellow is None:
        yield _at(contract, "tools are `yellow` and `approvals` names nobody for them: they are never done")


def _of_people(contract: Contract, consents: Mapping[str, Consent]) -> Iterator[Assumption]:
    people = contract.approvals.people
    for role in sorted(frozenset[Role]().union(*(each.approvers for each in consents.values())) - people.keys()):
        tiers = " and ".join(f"`{tier}`" for tier, consent in consents.items() if role in consent.approvers)
        text = f"nobody holds the role `{role}`, which approves {tiers}: name people under `approvals.people`"
        yield _at(contract, f"{text}, or what only they may agree to waits until it expires")
    for tier, consent in consents.items():
        able = frozenset[str]().union(*(people.get(role, frozenset()) for role in consent.approvers))
        if 0 < len(able) < consent.quorum:
            yield _at(contract, f"`{tier}` needs {consent.quorum} people to agree, and {len(able)} could")
        keys = contract.approvals.keys
        signing = {
            each for each in able if any(key.startswith("key:") for key in (each, *keys.get(PersonId(each), ())))
        }
        if consent.step_up and len(signing) < min(consent.quorum, len(able)):
            text = f"`{tier}` wants signatures (`step_up`), and too few of those who could agree have a key"
            yield _at(contract, f"{text}: name theirs under `approvals.keys`")


def _of_secrets(tools: Sequence[Tool]) -> Iterator[Assumption]:
    """Name the secrets that let a tool that only looks do what another one does."""
    for secret in sorted(frozenset[str]().union(*(tool.every_secret for tool in tools))):
        sharing = [tool for tool in tools if secret in tool.every_secret]
        writes = [f"`{tool.name}`" for tool in sharing if tool.effect is not EffectClass.READ]
        for tool in sharing if writes else ():
            if tool.effect is EffectClass.READ:
                text = f"reads with the secret `{secret}`, with which {' and '.join(writes)} can write"
                yield _of(tool, f"{text}: give it one that can only read")


def _at(contract: Contract, text: str) -> Assumption:
    return Assumption(place=contract.place, text=text)


def _of(tool: Tool, text: str) -> Assumption:
    return Assumption(place=tool.place, text=f"`{tool.name}` {text}")


_PROD = Environment("prod")
_LOOKS_LIKE = str.maketrans("01i", "oll")
"""Characters that look like another one in many types."""
