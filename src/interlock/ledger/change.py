"""What the detail of a change says, written and read in one place, so that a door can be built from entries alone."""

from collections.abc import Mapping, Sequence

from interlock.core.door import BreakGlass, Door, Erasing, Expiring, LegalHold, Published, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode
from interlock.core.errors import LedgerBroken
from interlock.core.ids import (
    ActionId,
    AgentId,
    BudgetId,
    ContractHash,
    Environment,
    Instant,
    PersonId,
    ProcessId,
    SubjectName,
    ToolName,
    WorkflowId,
)
from interlock.core.value import replace
from interlock.ledger import entrance
from interlock.ledger.pruned import spans_text
from interlock.ledger.reading import ChangeLine
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Head

Detail = Mapping[str, str | int]

DOOR = frozenset(
    {
        Kind.PUBLISHED,
        Kind.MODE,
        Kind.SWITCH,
        Kind.GLASS,
        Kind.CLOCK,
        Kind.RESTORED,
        Kind.ADOPTED,
        Kind.LEGAL_HOLD,
        Kind.ERASING,
        Kind.ERASED,
        Kind.EXPIRING,
        Kind.EXPIRED,
        Kind.ROTATED,
        Kind.CREDENTIAL,
        Kind.ISSUER,
        Kind.RIGHT,
    }
)
"""The kinds that change a door, each by one epoch."""


def published(name: str, new: Published) -> Detail:
    """Say which contract is in force from here on, and how far it may go."""
    return {"workflow": name, "contract": new.contract, "mode": new.mode.value}


def mode(name: str, new: Mode) -> Detail:
    """Say how far a workflow may go from here on."""
    return {"workflow": name, "mode": new.value}


def thrown(switch: Switch) -> Detail:
    """Say what a switch stops. Since when is the time of the entry."""
    return {
        "switch": switch.id,
        "to": "thrown",
        "kind": switch.kind.value,
        "by": switch.by,
        "undo_too": int(switch.undo_too),
        **_scope(switch.scope),
    }


def taken_back(id: str) -> Detail:
    """Say that a switch stops nothing any more."""
    return {"switch": id, "to": "taken back"}


def broken(glass: BreakGlass) -> Detail:
    """Say what may act in spite of a mode, and until when."""
    return {"glass": glass.id, "by": glass.by, "until": glass.until, **_scope(glass.scope)}


def raised(budget: BudgetId, *, by_amount: int, reopen: bool) -> Detail:
    """Say by how much a budget grew, and whether it admits again after an overrun."""
    return {"budget": budget, "by_amount": by_amount, "reopen": int(reopen)}


def undo_asked(action: ActionId, *, even_if_changed: bool) -> Detail:
    """Say which effect is to be undone, and whether its record may have changed since."""
    return {"action": action, "even_if_changed": int(even_if_changed)}


def not_undone(action: ActionId) -> Detail:
    """Say which effect was to be undone and could not be any more when its turn came."""
    return {"action": action, "to": "not done"}


def secret(workflow: WorkflowId, environment: Environment, name: str, to: str) -> Detail:
    """Say which secret of whom was `set`, `changed` or `removed`. What it is stands nowhere."""
    return {"workflow": workflow, "environment": environment, "secret": name, "to": to}


def accepted(clock: Instant) -> Detail:
    """Say up to when the clock was vouched for."""
    return {"accepted": clock}


def restored(copy: Head) -> Detail:
    """Say which head the backup had that the ledger goes on from."""
    return {"entries": copy.size, "root": copy.root.hex()}


def adopted(known: Head, *, shared: int, tokens_end: bool) -> Detail:
    """Say which head was the last that is known outside, how many of its entries this ledger has, and who is out."""
    return {
        "entries": known.size,
        "root": known.root.hex(),
        "shared": shared,
        "lost": max(0, known.size - shared),
        **({"tokens": "ended"} if tokens_end else {}),
    }


def adoption_ends(at: Instant) -> Instant:
    """Return the first moment that is after an adoption: what has the time of its entry may have come before it."""
    return Instant(at + 1)


def erased(subject: SubjectName, *, payloads: int) -> Detail:
    """Say whose key is destroyed, by a name that tells nobody who it is, and how many payloads go with it."""
    return {"subject": subject, "payloads": payloads}


def expiring(lot: str, key: SubjectName) -> Detail:
    """Say the days of which lot are over, and which key is to be destroyed."""
    return {"lot": lot, "key": key}


def expired(lot: str, key: SubjectName, *, payloads: int, kept: int) -> Detail:
    """Say how many payloads cannot be read any more, and how many of the lot are kept longer."""
    return {"lot": lot, "key": key, "payloads": payloads, "kept": kept}


def pruned(entries: Sequence[int], *, actions: int, rows: str) -> Detail:
    """Say which entries were taken out, of how many actions, and what their rows say from here on.

    Args:
        entries: their indexes.
        actions: how many they are about.
        rows: the hashes of what is left of each action, added up.
    """
    return {"entries": spans_text(entries), "actions": actions, "rows": rows}


def held_for_law(subject: SubjectName, why: str) -> Detail:
    """Say whose data must not be erased."""
    return {"subject": subject, "to": "held", "why": why}


def released(subject: SubjectName) -> Detail:
    """Say whose data may be erased again."""
    return {"subject": subject, "to": "released"}


def turned(door: Door, line: ChangeLine) -> Door:
    """Return the door after a change.

    Raises:
        LedgerBroken: the entry does not say what changed.
    """
    try:
        changed = _turned(door, line)
    except (KeyError, ValueError) as error:
        raise LedgerBroken(
            f"a change of kind `{line.kind.value}` does not say what changed",
            fix="read it with the version of Interlock that wrote it",
        ) from error
    return replace(changed, epoch=line.epoch)


def _turned(door: Door, line: ChangeLine) -> Door:
    detail = line.detail
    match line.kind:
        case Kind.PUBLISHED | Kind.MODE:
            name = str(detail["workflow"])
            contract = detail["contract"] if line.kind is Kind.PUBLISHED else door.published[name].contract
            new = Published(contract=ContractHash(str(contract)), mode=Mode(detail["mode"]))
            return replace(door, published={**door.published, name: new})
        case Kind.SWITCH:
            if detail["to"] == "thrown":
                return replace(door, switches=(*door.switches, _switch_of(line)))
            return replace(door, switches=tuple(s for s in door.switches if s.id != detail["switch"]))
        case Kind.GLASS:
            kept = tuple(one for one in door.glass if line.at < one.until)
            return replace(door, glass=(*kept, _glass_of(line)))
        case Kind.CLOCK:
            return replace(door, clock_accepted=Instant(int(detail["accepted"])))
        case Kind.RESTORED:
            return replace(door, restored=True)
        case Kind.ADOPTED:
            at = Instant(line.at)
            left = entrance.ended(door, at) if detail.get("tokens") == "ended" else door
            return replace(left, restored=False, adopted=adoption_ends(at))
        case _:
            return _keys_turned(door, line)


def _keys_turned(door: Door, line: ChangeLine) -> Door:
    detail = line.detail
    match line.kind:
        case Kind.LEGAL_HOLD:
            left = tuple(hold for hold in door.legal_holds if hold.subject != detail["subject"])
            return replace(door, legal_holds=(*left, *_legal_hold_of(line)))
        case Kind.ERASING | Kind.ERASED:
            rest = tuple(one for one in door.erasing if one.subject != detail["subject"])
            return replace(door, erasing=(*rest, _erasing_of(line)) if line.kind is Kind.ERASING else rest)
        case Kind.EXPIRING:
            return replace(door, expiring=_expiring_of(line))
        case Kind.EXPIRED:
            return replace(door, expiring=None)
        case Kind.ROTATED:
            return replace(door, generation=int(detail["generation"]))
        case _:
            return entrance.turned(door, line)


def _switch_of(line: ChangeLine) -> Switch:
    return Switch(
        id=str(line.detail["switch"]),
        kind=SwitchKind(line.detail["kind"]),
        scope=_scope_of(line.detail),
        by=PersonId(str(line.detail["by"])),
        at=Instant(line.at),
        undo_too=bool(line.detail["undo_too"]),
    )


def _glass_of(line: ChangeLine) -> BreakGlass:
    return BreakGlass(
        id=str(line.detail["glass"]),
        scope=_scope_of(line.detail),
        by=PersonId(str(line.detail["by"])),
        at=Instant(line.at),
        until=Instant(int(line.detail["until"])),
    )


def _legal_hold_of(line: ChangeLine) -> tuple[LegalHold, ...]:
    if line.detail["to"] == "released":
        return ()
    subject, why = SubjectName(str(line.detail["subject"])), str(line.detail["why"])
    return (LegalHold(subject=subject, by=PersonId(line.by), at=Instant(line.at), why=why),)


def _erasing_of(line: ChangeLine) -> Erasing:
    return Erasing(
        subject=SubjectName(str(line.detail["subject"])),
        by=PersonId(line.by),
        at=Instant(line.at),
        payloads=int(line.detail["payloads"]),
    )


def _expiring_of(line: ChangeLine) -> Expiring:
    return Expiring(
        lot=str(line.detail["lot"]),
        key=SubjectName(str(line.detail["key"])),
        process=ProcessId(line.process),
        at=Instant(line.at),
    )


def _scope(scope: Scope) -> dict[str, str]:
    named = {
        "workflow": scope.workflow,
        "environment": scope.environment,
        "agent": scope.agent,
        "tool": scope.tool,
        "class": scope.effect.value if scope.effect else None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _scope_of(detail: Detail) -> Scope:
    def named(name: str) -> str | None:
        return str(detail[name]) if name in detail else None

    workflow, environment, agent, tool = map(named, ("workflow", "environment", "agent", "tool"))
    effect = named("class")
    return Scope(
        workflow=WorkflowId(workflow) if workflow is not None else None,
        environment=Environment(environment) if environment is not None else None,
        agent=AgentId(agent) if agent is not None else None,
        tool=ToolName(tool) if tool is not None else None,
        effect=EffectClass(effect) if effect is not None else None,
    )
