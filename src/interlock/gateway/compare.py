"""Whether the rows say what the ledger says. Entries are the truth; a row that differs is listed, never mended.

Both sides are read an action at a time. Of the rest only what is not settled yet is held: the budgets of periods and
runs, and how many calls a run made, in memory up to a number and beyond it on the disk.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from interlock.budget.hold import Balance
from interlock.core.action import ActionState
from interlock.core.canonical import canonical
from interlock.core.charge import Charge
from interlock.core.door import Door
from interlock.core.errors import LedgerBroken, PayloadErased, StoreTampered
from interlock.core.ids import ContractHash, PayloadId, SubjectName
from interlock.gateway import undone
from interlock.gateway.asked import commitment
from interlock.gateway.remains import Remains
from interlock.gateway.spilled import Spilled
from interlock.ledger.proposal import commitment as signed_commitment
from interlock.ledger.reading import EntryLine, HoldLine
from interlock.ledger.rebuild import Account, Booked, Difference, Standing, State
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Kept, Part, Secrets, TenantStore

_PAYLOADS_OF_MAX = 25  # actions whose payloads are opened at once; each has some, of up to a megabyte


async def verify_state(store: TenantStore, secrets: Secrets) -> tuple[Difference, ...]:
    """Return where the rows of a tenant differ from what its entries lead to. Nothing means that they agree.

    Whether the entries themselves are those that were written is for `ledger.audit` to say, by what is kept outside.
    """

    def look(kept: Kept) -> tuple[Difference, ...]:
        found = tuple(disagreements(kept, beside=partial(_payloads, kept, store, secrets), has_key=secrets.has_key))
        return (*kept.differences, *found)

    return await store.kept(look)


Beside = Callable[[Part, State], Iterator[Difference]]
"""Looks at more of some actions than their rows."""


def _nothing_beside(_part: Part, _state: State) -> Iterator[Difference]:
    return iter(())


def disagreements(
    kept: Kept, *, beside: Beside = _nothing_beside, has_key: Callable[[SubjectName], bool] = lambda _: False
) -> Iterator[Difference]:
    """Yield where rows differ from what their entries lead to. What is wrong with a row by itself is in `kept`.

    Args:
        kept: entries and rows of one moment.
        beside: looks at what else is stored of some actions.
        has_key: whether the key of a subject is there.
    """
    kept.look_through()
    changed, named, taken = State(), set[ContractHash](), _Taken()
    yield from _added(changed, taken.noting(kept.changes()))
    with (
        Spilled(_Sides, _Sides.plus) as sides,
        Spilled(_Calls, _Calls.plus) as calls,
        Spilled(undone.Sides, undone.Sides.plus) as undos,
    ):
        for id, booked in changed.booked.items():
            sides.put(id, _Sides(told=booked))
        for part in kept.parts():
            state = State(pruned={id for id, row in part.actions.items() if row.pruned is not None})
            yield from _added(state, part.entries())
            yield from _part(state, part)
            yield from taken.differences(state, part)
            yield from beside(part, state)
            _book(state, part, sides, calls)
            undone.put(undos, state, part)
            named |= {ContractHash(each.contract) for each in state.actions.values() if each.contract}
        yield from _budgets(sides, kept)
        yield from _runs(calls, kept)
        yield from undone.differences(undos)
    yield from taken.disagreeing()
    yield from _door(changed.door, named | changed.published, kept)
    yield from _keys(changed, has_key)


def _keys(state: State, has_key: Callable[[SubjectName], bool]) -> Iterator[Difference]:
    for key in sorted(state.gone):
        if has_key(key):
            yield Difference(where=f"key `{key}`", what="it was destroyed by an entry, and the key is there")
    under_way = {erasing.subject for erasing in state.door.erasing}
    if state.door.expiring is not None:
        under_way.add(state.door.expiring.key)
    for key in sorted(under_way - state.gone):
        if has_key(key):
            yield Difference(
                where=f"key `{key}`", what="it is being destroyed, and is there: `interlock attend` ends it"
            )


def _book(state: State, part: Part, sides: "Spilled[_Sides]", calls: "Spilled[_Calls]") -> None:
    for id, booked in state.booked.items():
        sides.put(id, _Sides(told=booked))
    for id, row in part.actions.items():
        judged_by = state.actions[id].contract if id in state.actions else ""
        if row.pruned is not None:
            judged_by = row.contract
            for budget, booked in row.pruned.booked.items():
                sides.put(budget, _Sides(told=booked))
        # What was turned away before it was judged is no call; a run that nobody named is not counted.
        if judged_by and not row.action.own_run:
            calls.put(row.action.run, _Calls(told=1))


def _added(state: State, entries: Iterator[tuple[int, EntryLine]]) -> Iterator[Difference]:
    for index, entry in entries:
        try:
            state.add(index, entry)
        except LedgerBroken as broken:
            yield Difference(where="ledger", what=str(broken))


def _part(state: State, part: Part) -> Iterator[Difference]:
    """Hold some rows against the entries about them."""
    told = {id: standing for id, standing in state.actions.items() if standing.state is not ActionState.ASKED}
    yield from _missing("action", told, {id: row for id, row in part.actions.items() if row.pruned is None})
    yield from _missing("granted", state.grants, part.grants)
    for id, row in part.actions.items():
        if id in state.actions:
            yield from _unequal(f"action `{id}`", _told(state.actions[id]), _stands(row))
        if id in state.actions or row.pruned is not None:
            yield from _claims(row, part)
    for id, grant in part.grants.items():
        if id in state.grants:
            given = state.grants[id]
            must = {"action": given.action, "person": given.person, "used": given.used}
            stands = {"action": grant.action, "person": grant.person, "used": grant.consumed_by is not None}
            yield from _unequal(f"grant `{id}`", must, stands)


@dataclass(slots=True)
class _Taken:
    """What entries say was taken out, and what is left of it."""

    _said: dict[int, tuple[object, object]] = field(default_factory=dict[int, tuple[object, object]])
    _left: dict[int, Remains] = field(default_factory=dict[int, Remains])

    def noting(self, entries: Iterator[tuple[int, EntryLine]]) -> Iterator[tuple[int, EntryLine]]:
        """Note, as changes go by, those that tell of something taken out."""
        for index, entry in entries:
            if entry.kind is Kind.PRUNED:
                self._said[index] = entry.detail.get("actions"), entry.detail.get("rows")
            yield index, entry

    def differences(self, state: State, part: Part) -> Iterator[Difference]:
        """Hold rows against the places where their entries stood."""
        for id, row in part.actions.items():
            if row.pruned is not None:
                self._left.setdefault(row.pruned.entry, Remains()).add(row, part.pruned.get(id, ()))
                must = {"cost": max(row.pruned.cost, state.late.get(id, 0))}
                yield from _unequal(f"action `{id}`", must, {"cost": row.cost.micros})
        for id, indexes in part.pruned.items():
            if id not in part.actions or part.actions[id].pruned is None:
                yield Difference(where=f"entry {indexes[0]}", what=f"it was taken out, and the row of `{id}` says not")

    def disagreeing(self) -> Iterator[Difference]:
        """Hold all that is left against what entries say of it, once every action went by."""
        for index in sorted(self._said.keys() | self._left.keys()):
            left = self._left.get(index, Remains())
            if self._said.get(index) != (left.actions, left.rows()):
                yield Difference(where=f"entry {index}", what="what is left of the actions that it pruned differs")


class _Sides(msgspec.Struct, frozen=True, omit_defaults=True):
    """A budget as the entries tell of it, and as its row says."""

    told: Booked | None = None
    stands: Balance | None = None

    def plus(self, more: "_Sides") -> "_Sides":
        told = self.told.plus(more.told) if self.told and more.told else self.told or more.told
        return _Sides(told=told, stands=self.stands or more.stands)


def _budgets(sides: Spilled[_Sides], kept: Kept) -> Iterator[Difference]:
    for id, balance in kept.budgets():
        sides.put(id, _Sides(stands=balance))
    for id, both in sides.items():
        if both.told is None or both.stands is None:
            yield _one_sided("budget", id, told=both.told is not None)
        else:
            yield from _unequal(f"budget `{id}`", _fields(both.told.account()), _fields(both.stands))


class _Calls(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many calls a run made, by the entries and by its row."""

    told: int = 0
    stands: int | None = None

    def plus(self, more: "_Calls") -> "_Calls":
        return _Calls(told=self.told + more.told, stands=self.stands if more.stands is None else more.stands)


def _runs(calls: Spilled[_Calls], kept: Kept) -> Iterator[Difference]:
    for id, row in kept.runs():
        calls.put(id, _Calls(stands=row.calls))
    for id, both in calls.items():
        if both.told == 0 or both.stands is None:
            yield _one_sided("run", id, told=both.told > 0)
        else:
            yield from _unequal(f"run `{id}`", {"calls": both.told}, {"calls": both.stands})


def _door(door: Door, named: set[ContractHash], kept: Kept) -> Iterator[Difference]:
    names = ("epoch", "published", "switches", "glass", "clock_accepted", "restored", "adopted", "legal_holds")
    names += ("erasing", "expiring", "generation", "credentials", "issuers", "rights")
    must = {name: getattr(door, name) for name in names}
    stands = kept.door()
    yield from _unequal("door", must, {name: getattr(stands, name) for name in names})
    for hash in sorted(named - kept.contracts()):
        yield Difference(where=f"contract `{hash}`", what="it is gone")


def _payloads(kept: Kept, store: TenantStore, secrets: Secrets, part: Part, state: State) -> Iterator[Difference]:
    """Hold what was kept beside the ledger against the commitments in it. What was erased says nothing."""
    rows = iter([(row, state.actions[id]) for id, row in part.actions.items() if id in state.actions])
    while some := list(islice(rows, _PAYLOADS_OF_MAX)):
        sealed = kept.payloads(sorted({id for row, standing in some for id in _names(row, standing)}))
        opened = secrets.open_all(store.tenant, sealed)
        for row, standing in some:
            where, texts = f"action `{row.action.id}`", dict[str, bytes]()
            for id in _names(row, standing):
                match opened.get(id):
                    case None:
                        yield Difference(where=where, what=f"payload `{id}` is gone")
                    case StoreTampered() as tampered:
                        yield Difference(where=where, what=str(tampered))
                    case PayloadErased():
                        pass
                    case text:
                        texts[id] = text
            for what, text, committed in _committed(row, standing, texts):
                if text != committed:
                    yield Difference(where=where, what=f"{what} not what the ledger commits to")


def _names(row: ActionRow, standing: Standing) -> Sequence[PayloadId]:
    """Name every payload of an action."""
    of_row = (row.action.arguments, row.result, row.said, row.undo, *row.beside)
    of_entries = (*standing.previews, *(id for id, _ in (*standing.questions, *standing.pictures)))
    return [PayloadId(id) for id in (*of_row, *of_entries) if id]


def _committed(row: ActionRow, standing: Standing, texts: Mapping[str, bytes]) -> Iterator[tuple[str, str, str]]:
    """Make the commitments again, where what they are to can be read: what to, what comes out, what is entered."""
    if row.action.arguments not in texts:
        return  # the salt is kept with the arguments
    said = json.loads(texts[row.action.arguments])
    salt = said["salt"]
    yield "its arguments are", commitment(salt, said["arguments"].encode()), standing.what
    if "signed" in said:
        yield "what its agent has signed is", signed_commitment(said["signed"].encode()), standing.signed
    for id, committed in standing.questions:
        if id in texts:
            yield "what policy was asked with is", commitment(salt, texts[id]), committed
    for id, committed in standing.pictures:
        if id in texts:
            yield "a picture of it is", commitment(salt, texts[id]), committed
    if row.result is not None and row.result in texts:
        yield "its result is", commitment(salt, _came_back(texts[row.result])), standing.result


def _came_back(kept: bytes) -> bytes:
    """Return what the entry commits to: all that came back, of which an agent may have seen a part."""
    said = json.loads(kept)
    return b"" if said.get("unreadable") else canonical(said.get("full", said["shown"]))


def _missing(
    table: str,
    told: Mapping[Any, object],
    rows: Mapping[Any, object],
) -> Iterator[Difference]:
    for id in sorted(told.keys() - rows.keys()):
        yield _one_sided(table, id, told=True)
    for id in sorted(rows.keys() - told.keys()):
        yield _one_sided(table, id, told=False)


def _one_sided(table: str, id: str, *, told: bool) -> Difference:
    if told:
        return Difference(where=f"`{id}` of `{table}`", what="the ledger tells of it, and there is no row to believe")
    return Difference(where=f"`{id}` of `{table}`", what="there is a row, and the ledger does not tell of it")


def _unequal(where: str, must: Mapping[str, object], stands: Mapping[str, object]) -> Iterator[Difference]:
    for name, value in must.items():
        if stands[name] != value:
            yield Difference(where=where, what=f"`{name}` must be {value} and is {stands[name]}")


def _claims(row: ActionRow, part: Part) -> Iterator[Difference]:
    for id in row.claims:
        # An action that came later may have the claim by now.
        if id not in part.claims:
            yield Difference(where=f"action `{row.action.id}`", what=f"its claim `{id}` is gone")


def _fields(account: Account | Balance) -> dict[str, object]:
    return {name: getattr(account, name) for name in ("limit", "raised", "held", "spent", "closed")}


def _told(standing: Standing) -> dict[str, object]:
    asked = standing.asked
    return {
        "state": standing.state,
        "fence": standing.fence,
        "holds": standing.holds,
        "cost": standing.cost,
        "gathered": standing.gathered,
        "overrun": standing.overrun,
        "reason": standing.reason,
        "contract": standing.contract,
        "lease_until": standing.lease_until,
        "what": standing.what,
        "who": (asked.tenant, asked.workflow, asked.environment, asked.agent, asked.principal),
        "known_by": asked.known_by,
        "tool": (asked.tool, standing.effect, standing.tier),
        "run": asked.run,
        "asked_at": asked.asked_at,
        "of": (asked.undo_of, asked.retry_of, asked.draft_of, asked.asked_by),
    }


def as_told(row: ActionRow, standing: Standing) -> bool:
    """Whether a row says what the entries about its action lead to."""
    return _told(standing) == _stands(row)


def _stands(row: ActionRow) -> dict[str, object]:
    action, caller = row.action, row.action.caller
    return {
        "state": row.state,
        "fence": row.fence,
        "holds": tuple(map(_hold, row.holds)),
        "cost": row.cost.micros,
        "gathered": row.gathered,
        "overrun": row.overrun,
        "reason": row.reason.value if row.reason else "",
        "contract": row.contract,
        "lease_until": row.lease_until,
        "what": action.what,
        "who": (caller.tenant, caller.workflow, caller.environment, caller.agent, caller.principal),
        "known_by": caller.known_by,
        "tool": (action.tool, action.effect, action.tier),
        "run": action.run,
        "asked_at": action.asked_at,
        "of": (action.undo_of or "", action.retry_of or "", action.draft_of or "", action.by or ""),
    }


def _hold(charge: Charge) -> HoldLine:
    return HoldLine(amount=charge.amount, budget=charge.budget, limit=charge.limit, unit=charge.unit)
