"""What the state must be, built from the entries alone: actions, budgets, doors and grants."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from interlock.core.action import HOLDS, ActionState
from interlock.core.charge import closes
from interlock.core.door import Door
from interlock.core.effect import EffectClass, Tier
from interlock.core.errors import LedgerBroken
from interlock.core.ids import ActionId, BudgetId, ContractHash, GrantId, SubjectName
from interlock.core.value import replace
from interlock.ledger.change import DOOR, turned
from interlock.ledger.pruned import is_pruned
from interlock.ledger.reading import ActionLine, ChangeLine, EntryLine, HoldLine, read
from interlock.ledger.seal import Kind


class Standing(Struct, frozen=True, kw_only=True):
    """Where an action stands."""

    asked: ActionLine
    """The first entry about it, which says who asked for what."""
    effect: EffectClass
    tier: Tier
    """As the contract that judged it last says."""
    what: str = ""
    """The commitment to its arguments, which a person may have edited."""
    state: ActionState = ActionState.ASKED
    fence: int = 0
    holds: tuple[HoldLine, ...] = ()
    cost: int = 0
    gathered: int = 0
    """What was looked up for it."""
    overrun: bool = False
    reason: str = ""
    contract: str = ""
    lease_until: int = 0
    result: str = ""
    """The commitment to what came back."""
    signed: str = ""
    """The commitment to what its agent has signed."""
    questions: tuple[tuple[str, str], ...] = ()
    """Everything that policy was ever asked with about it: payload and commitment."""
    previews: tuple[str, ...] = ()
    """The payloads of everything that was shown."""
    pictures: tuple[tuple[str, str], ...] = ()
    """What was ever seen of it: payload and commitment."""


class Account(Struct, frozen=True, kw_only=True):
    """Where a budget stands in its period."""

    limit: int = 0
    raised: int = 0
    held: int = 0
    spent: int = 0
    closed: bool = False


class Booked(Struct, frozen=True, kw_only=True):
    """What some entries say of a budget. Parts add up in any order: of what is set, the newest entry counts."""

    held: int = 0
    spent: int = 0
    raised: int = 0
    limit: tuple[int, int] = (-1, 0)
    """Which entry says so, and the limit of the contract that was in force."""
    closed: tuple[int, bool] = (-1, False)
    """Which entry says so, and whether an overrun has closed it."""

    def plus(self, more: "Booked") -> "Booked":
        return Booked(
            held=self.held + more.held,
            spent=self.spent + more.spent,
            raised=self.raised + more.raised,
            limit=max(self.limit, more.limit),
            closed=max(self.closed, more.closed),
        )

    def account(self) -> Account:
        """Say where the budget stands once every entry was added."""
        return Account(limit=self.limit[1], raised=self.raised, held=self.held, spent=self.spent, closed=self.closed[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A grant: whose, for which action, and whether it was used."""

    action: ActionId
    person: str
    used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is stored and is not what the entries lead to."""

    where: str
    what: str


@dataclass(slots=True, kw_only=True)
class State:
    """What the rows of a tenant must say, by entries that were added in their order.

    Without the entries about other actions it still says where an action stands, and its part of each budget.
    """

    actions: dict[ActionId, Standing] = field(default_factory=dict[ActionId, Standing])
    booked: dict[BudgetId, Booked] = field(default_factory=dict[BudgetId, Booked])
    door: Door = Door()
    grants: dict[GrantId, Given] = field(default_factory=dict[GrantId, Given])
    pruned: Set[ActionId] = frozenset()
    """Actions whose entries were taken out. What was heard of them since is all that is told."""
    late: dict[ActionId, int] = field(default_factory=dict[ActionId, int])
    """By such an action, what it cost in the end."""
    gone: set[SubjectName] = field(default_factory=set[SubjectName])
    """The keys that are destroyed, by name."""
    published: set[ContractHash] = field(default_factory=set[ContractHash])
    """Every contract that was ever in force."""

    @property
    def budgets(self) -> dict[BudgetId, Account]:
        return {id: booked.account() for id, booked in self.booked.items()}

    def add(self, index: int, entry: EntryLine) -> None:
        """Go on by one entry.

        Raises:
            LedgerBroken: it does not say what it has to.
        """
        try:
            if isinstance(entry, ActionLine):
                self._acted(index, entry)
            elif entry.kind in DOOR:
                self.door = turned(self.door, entry)
                if entry.kind is Kind.PUBLISHED:
                    self.published.add(ContractHash(str(entry.detail["contract"])))
                if entry.kind in _DESTROYED:
                    self.gone.add(SubjectName(str(entry.detail[_DESTROYED[entry.kind]])))
            elif entry.kind is Kind.BUDGET:
                self._raised(index, entry)
        except (KeyError, ValueError) as error:
            raise LedgerBroken(f"entry {index} does not say what it has to", fix=_FIX) from error
        except LedgerBroken as broken:
            raise LedgerBroken(f"entry {index}: {broken}", fix=broken.fix) from broken

    def _acted(self, index: int, line: ActionLine) -> None:
        id = ActionId(line.action)
        if id in self.pruned:
            self._heard(index, id, line)
            return
        before = self.actions.setdefault(id, Standing(asked=line, effect=line.effect, tier=line.tier))
        if line.kind is Kind.LOOKED_UP or (line.kind is Kind.EVIDENCE and line.state is before.state):
            # It is charged, and the action stays where it stands.
            if line.kind is Kind.LOOKED_UP:
                self._hold(index, line.holds)
            self._settle(index, line.holds, line.costs)
            if line.kind is Kind.LOOKED_UP:
                self.actions[id] = replace(before, gathered=before.gathered + line.cost)
            else:
                seen = (*before.pictures, *_pictures(line))
                self.actions[id] = replace(before, cost=max(before.cost, line.cost), pictures=seen)
            return
        after = self.actions[id] = _moved(before, line)
        if not before.holds or line.kind is Kind.RESENT:
            self._hold(index, line.holds)
        if after.state not in HOLDS:
            # What was refused and counted as a call was held and charged in one entry.
            self._settle(index, before.holds or line.holds, line.costs)
        if line.kind in _GIVING:
            for used in line.grants:
                given = Given(action=id, person=used.person, used=line.kind is Kind.STARTED)
                self.grants[GrantId(used.grant)] = given

    def _heard(self, index: int, id: ActionId, line: ActionLine) -> None:
        if line.kind is not Kind.EVIDENCE:
            raise LedgerBroken("it is about an action that was pruned", fix="stop writing, and restore a backup")
        self._settle(index, line.holds, line.costs)
        self.late[id] = max(line.cost, self.late.get(id, 0))

    def _hold(self, index: int, holds: Iterable[HoldLine]) -> None:
        for hold in holds:
            # The contract in force says the limit.
            self._book(hold.budget, Booked(limit=(index, hold.limit), held=hold.amount))

    def _settle(self, index: int, holds: Iterable[HoldLine], costs: Mapping[str, int]) -> None:
        for hold in holds:
            cost = costs.get(hold.budget, 0)
            closed = (index, True) if closes(hold.limit, held=hold.amount, cost=cost) else (-1, False)
            self._book(hold.budget, Booked(held=-hold.amount, spent=cost, closed=closed))

    def _raised(self, index: int, line: ChangeLine) -> None:
        closed = (index, False) if line.detail["reopen"] else (-1, False)
        self._book(str(line.detail["budget"]), Booked(raised=int(line.detail["by_amount"]), closed=closed))

    def _book(self, budget: str, more: Booked) -> None:
        id = BudgetId(budget)
        self.booked[id] = self.booked.get(id, Booked()).plus(more)


_DESTROYED = {Kind.ERASED: "subject", Kind.EXPIRED: "key"}
"""The kinds after which a key is gone, and where they name it."""

_PICTURES = frozenset({"picture_before", "picture_after"})
"""What an entry says of pictures: the payload of each, and the commitment to it."""

_GIVING = frozenset({Kind.GRANTED, Kind.STARTED})
"""The kinds whose grants are a yes: given, and used up."""


def _moved(before: Standing, line: ActionLine) -> Standing:
    moved = line.state is not before.state
    held = before.holds or line.holds if line.state in HOLDS else ()
    if line.kind is Kind.RESENT:
        held = _added(before.holds, line.holds)
    return replace(
        before,
        effect=line.effect,
        tier=line.tier,
        what=line.what,
        state=line.state,
        fence=line.fence,
        holds=held,
        cost=line.cost if moved else before.cost,
        overrun=line.overrun if moved else before.overrun,
        reason=line.reason if moved else before.reason,
        result=line.result if moved else before.result,
        signed=line.detail.get("signed_what", before.signed),
        contract=line.contract or before.contract,
        lease_until=line.lease_until or before.lease_until,
        questions=(*before.questions, (line.detail["question"], line.facts))
        if "question" in line.detail
        else before.questions,
        previews=(*before.previews, line.detail["preview"]) if "preview" in line.detail else before.previews,
        pictures=(*before.pictures, *_pictures(line)),
    )


def _pictures(line: ActionLine) -> Iterator[tuple[str, str]]:
    for name in _PICTURES & line.detail.keys():
        payload, _, committed = line.detail[name].partition(" ")
        yield payload, committed


def _added(holds: Iterable[HoldLine], more: Iterable[HoldLine]) -> tuple[HoldLine, ...]:
    """Add what a further attempt may cost to what is set aside."""
    by_budget = {hold.budget: hold.amount for hold in more}
    return tuple(msgspec.structs.replace(hold, amount=hold.amount + by_budget.get(hold.budget, 0)) for hold in holds)


def rebuild(lines: Iterable[bytes]) -> State:
    """Build the state that entries lead to. Those that were pruned lead to nothing any more.

    Raises:
        LedgerBroken: an entry cannot be read, or does not say what it has to.
    """
    state = State()
    for index, line in enumerate(lines):
        if is_pruned(line):
            continue
        try:
            entry = read(line)
        except LedgerBroken as broken:
            raise LedgerBroken(f"entry {index}: {broken}", fix=broken.fix) from broken
        state.add(index, entry)
    return state


_FIX = "read it with the version of Interlock that wrote it"
