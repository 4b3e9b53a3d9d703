"""The whole story of an action as data. Nothing in it comes from anywhere but rows, payloads and entries."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from interlock.contract.bundle import decode
from interlock.core.errors import InterlockError
from interlock.core.ids import BudgetId, PersonId
from interlock.core.unit import Unit
from interlock.door.told.action import row_data
from interlock.door.told.approval import facts_data
from interlock.door.told.budget import unit_of
from interlock.door.told.here import Here
from interlock.door.told.measures import Amount, Time
from interlock.door.told.outcome import requirement_data
from interlock.door.told.payloads import Missing, arguments_of, member, opened, opened_bytes
from interlock.door.told.pictures import named_in
from interlock.gateway.force import compiled
from interlock.ledger.pruned import is_pruned, leaf_of
from interlock.policy.cases import verdict_of
from interlock.policy.decide import decide
from interlock.policy.explain import explain
from interlock.policy.vocabulary import question_of
from interlock.ports import ActionRow, Needs

Data = dict[str, Any]


async def story_of(here: Here, row: ActionRow) -> Data:
    """Put together all that is known of an action."""
    written = await here.store.entries_of(row.action.id)
    entries = [(index, json.loads(line)) for index, line in written if not is_pruned(line)]
    kept = await opened(here, row.result)
    return {
        **row_data(row),
        "tenant": here.store.tenant,
        "pruned_by": row.pruned.entry if row.pruned is not None else None,
        "arguments": await arguments_of(here, row.action.arguments),
        "under": await _under(here, row, entries),
        "pictures": [each.as_data() for each in named_in(entries)],
        "steps": [_step(index, entry) for index, entry in entries],
        "decision": await _decision(here, row),
        "consent": await _consent(here, row, entries),
        "budgets": _budgets(row, entries),
        "gathered_usd": Amount(Unit.USD, row.gathered),
        "preview": await opened(here, row.preview),
        "result": member(kept, "shown"),
        "said": member(await opened(here, row.said), "said"),
        "full_result": member(kept, "full"),
        "before": member(kept, "before"),
        "after": member(kept, "after"),
        "undo": await _undo(here, row),
        "receipt": await _receipt(here, written),
    }


async def _under(here: Here, row: ActionRow, entries: Sequence[tuple[int, Mapping[str, Any]]]) -> Data:
    """Say what it was judged under: the contract, and the numbers of the doors at each step."""
    caller = row.action.caller
    published = (await here.store.read(Needs())).door.of(caller.workflow, caller.environment)
    return {
        "contract": row.contract or None,
        "in_force": published is not None and published.contract == row.contract,
        "slice": row.slice or None,
        "epochs": sorted({entry["epoch"] for _, entry in entries}),
    }


def _step(index: int, entry: Mapping[str, Any]) -> Data:
    """Return one entry as a step: what an operator wants to read of it."""
    return {
        "index": index,
        "at": Time(entry["at"]),
        "kind": entry["kind"],
        "state": entry["state"],
        "epoch": entry["epoch"],
        "process": entry["process"],
        "fence": entry["fence"],
        "decision": entry["decision"] or None,
        "rules": entry["rules"],
        "reason": entry["reason"] or None,
        "cost_usd": Amount(Unit.USD, entry["cost"]),
        "people": [{"person": used["person"], "known_by": used["known_by"]} for used in entry["grants"]],
        "detail": entry["detail"],
    }


async def _decision(here: Here, row: ActionRow) -> Data | None:
    """Judge the recorded question again, by the contract that decided, and say why it comes out as it does."""
    kept = await opened_bytes(here, row.question)
    if kept is None or isinstance(kept, Missing):
        return None if kept is None else {"unreadable": kept.why}
    question = question_of(kept)
    data = {"at": Time(question.now), "mode": question.mode.value, "facts": facts_data(question.facts)}
    try:
        policies = compiled(decode(await here.store.contract(row.contract)), row.contract).policies
    except InterlockError as error:
        return {**data, "unreadable": f"the contract that decided: {error}"}
    judgement = decide(policies, question)
    why = list(explain(policies, question, judgement))
    same = judgement.slice == row.slice
    return {
        **data,
        "said": verdict_of(judgement.decision),
        "rules": list(judgement.rules),
        "why": why,
        "same_slice": same,
    }


async def _consent(here: Here, row: ActionRow, entries: Sequence[tuple[int, Mapping[str, Any]]]) -> Data:
    """List whose consent is wanted, who gave it and how they are known, and who refused or edited."""
    votes = (await here.store.read(Needs(grants=frozenset({row.action.id})))).grants[row.action.id]
    said = [
        {
            "person": vote.person,
            "known_by": vote.known_by,
            "roles": sorted(vote.roles),
            "at": Time(vote.given_at),
            "rules": sorted(vote.rules),
            "grant": vote.id,
            "seen": vote.seen,
            "used": vote.consumed_by is not None,
        }
        for vote in sorted(votes, key=lambda vote: (vote.given_at, vote.id))
    ]
    no = [
        {"kind": entry["kind"], "at": Time(entry["at"]), **_who(entry)}
        for _, entry in entries
        if entry["kind"] in ("denied", "edited")
    ]
    by_rule = {each.rule: [PersonId(v.person) for v in votes if each.rule in v.rules] for each in row.requirements}
    return {
        "wanted": [requirement_data(each, by_rule[each.rule]) for each in row.requirements],
        "given": said,
        "otherwise": no,
        "expires_at": Time(row.expires_at) if row.expires_at else None,
    }


def _who(entry: Mapping[str, Any]) -> Data:
    used: Data = entry["grants"][0] if entry["grants"] else {}
    return {"person": used.get("person"), "known_by": used.get("known_by")}


def _budgets(row: ActionRow, entries: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Data]:
    """Add up, budget by budget, what was held at the start and what was charged at any time."""
    held: dict[str, int] = {charge.budget: charge.amount for charge in row.holds}
    cost: dict[str, int] = {}
    for _, entry in entries:
        held |= {hold["budget"]: hold["amount"] for hold in entry["holds"]}
        for budget, amount in entry["costs"].items():
            cost[budget] = cost.get(budget, 0) + amount
    found: list[Data] = []
    for budget in sorted(held.keys() | cost.keys()):
        unit = unit_of(BudgetId(budget)) or Unit.CALLS
        still = any(charge.budget == budget for charge in row.holds)
        found.append(
            {
                "budget": budget,
                "unit": unit.value,
                "held": Amount(unit, held.get(budget, 0)),
                "cost": Amount(unit, cost.get(budget, 0)),
                "still_held": still,
            }
        )
    return found


async def _undo(here: Here, row: ActionRow) -> Data:
    kept = await opened(here, row.undo)
    return {
        "tool": member(kept, "tool"),
        "arguments": member(kept, "arguments"),
        "until": Time(row.undo_until) if row.undo_until else None,
        "over": bool(row.undo_until) and (await here.store.read(Needs())).now >= row.undo_until,
        "undone_by": row.undone_by,
    }


async def _receipt(here: Here, written: Sequence[tuple[int, bytes]]) -> Data | None:
    """Return what holds the ledger to its word about the last entry: its leaf, its index, the head as it is now."""
    if not written:
        return None
    index, line = written[-1]
    return {"index": index, "leaf": leaf_of(line).hex(), "head": await here.store.signed_head()}
