"""How a call ended: all of it for operators, and for an agent no rule, no limit and no name that it lacks."""

from collections.abc import Sequence
from typing import Any, assert_never

from interlock.core.decision import Requirement
from interlock.core.outcome import Done, Failed, Outcome, Parked, Receipt, Refused, Suggested, Uncertain
from interlock.door.moment import iso
from interlock.door.told.measures import Time, usd


def name_of(outcome: Outcome) -> str:
    """Name an outcome in one word."""
    return type(outcome).__name__.lower()


def data_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as data."""
    head: dict[str, Any] = {"outcome": name_of(outcome), "action": outcome.action, "recalled": outcome.recalled}
    seal = receipt_data(outcome.receipt) if outcome.receipt is not None else None
    return {**head, **_own(outcome), "receipt": seal}


def receipt_data(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as data."""
    return {"leaf": receipt.leaf, "index": receipt.index, "head": receipt.head}


def _own(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Done():
            return {
                "result": outcome.result,
                "cost_usd": usd(outcome.cost.micros),
                "check": outcome.check,
                "overrun": outcome.overrun,
                "undone_by": outcome.undone_by,
            }
        case Parked():
            wants = [requirement_data(each) for each in outcome.requirements]
            return {"requirements": wants, "expires_at": Time(outcome.expires_at)}
        case Suggested():
            return {"preview": outcome.preview, "draft": outcome.draft}
        case Refused():
            wrong = [{"path": each.path, "kind": each.kind} for each in outcome.wrong]
            return {"reason": outcome.reason.value, "why": outcome.why, "fix": outcome.fix, "wrong": wrong}
        case Failed():
            return {"why": outcome.why, "said": outcome.said or None}
        case Uncertain():
            return {"why": outcome.why or None}
        case _:
            assert_never(outcome)


def requirement_data(requirement: Requirement, given: Sequence[str] = ()) -> dict[str, Any]:
    """Return a requirement as data."""
    return {
        "rule": requirement.rule,
        "approvers": sorted(requirement.approvers),
        "quorum": requirement.quorum,
        "each": requirement.each,
        "step_up": requirement.step_up,
        "given_by": sorted(given),
    }


def to_agents(outcome: Outcome) -> dict[str, Any]:
    """Return what an agent may know of how its call ended."""
    data: dict[str, Any] = {"outcome": name_of(outcome), "action": outcome.action, "recalled": outcome.recalled}
    if isinstance(outcome, Done):
        data |= {"result": outcome.result, **({"check": "failed"} if outcome.check == "failed" else {})}
        data |= {"undone_by": outcome.undone_by} if outcome.undone_by else {}
    else:
        data |= said_to_agents(outcome)
    return data if outcome.receipt is None else {**data, "receipt": receipt_data(outcome.receipt)}


def to_people(outcome: Outcome) -> dict[str, Any]:
    """Return the same and all that operators know beside it."""
    more = {name: value for name, value in data_of(outcome).items() if value is not None or name == "result"}
    return {**to_agents(outcome), **more}


def said_to_agents(outcome: Parked | Suggested | Refused | Failed | Uncertain) -> dict[str, Any]:
    """Return what an agent may know of a call that was not carried out: a reason, never a rule or a limit."""
    match outcome:
        case Parked():
            return {"waits_for": waits_for(outcome), "until": iso(outcome.expires_at)}
        case Suggested():
            return {"preview": outcome.preview, "draft": outcome.draft}
        case Refused():
            wrong = [{"path": each.path, "kind": each.kind} for each in outcome.wrong]
            return {"reason": outcome.reason.value, **({"wrong": wrong} if wrong else {})}
        case Failed():
            return {"said": outcome.said} if outcome.said else {}
        case Uncertain():
            return {}
        case _:
            assert_never(outcome)


def waits_for(parked: Parked) -> list[dict[str, Any]]:
    """Say whose consent a call waits for, by role."""
    return [
        {"roles": sorted(each.approvers), "people": len(each.approvers) if each.each else each.quorum}
        for each in parked.requirements
    ]
