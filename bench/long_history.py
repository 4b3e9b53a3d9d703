"""A long history that is true: calls through the gateway, and then copies of them through the store's own writer.

A copy has ids, keys, claims, payloads and times of its own. Its rows, entries and sealed payloads have the form of the
call that it copies, and what it cost is booked, so that every check of the store holds for it as for the call.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from interlock import app
from interlock.app import Opened, gateway_on, open_store
from interlock.budget.hold import Balance
from interlock.budget.period import period_name
from interlock.contract.read import load
from interlock.core.action import Caller
from interlock.core.ids import (
    AgentId,
    BudgetId,
    Digest,
    Environment,
    Instant,
    PayloadId,
    PersonId,
    PrincipalId,
    ProcessId,
    RunId,
    SubjectId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.core.outcome import Parked
from interlock.core.value import replace
from interlock.gateway import fresh
from interlock.gateway.call import Gateway
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator, publish
from interlock.gateway.proposal import Proposal
from interlock.gateway.publishable import publishable
from interlock.gateway.recall import row_of
from interlock.gateway.resume import resume
from interlock.ledger.seal import ActionEntry
from interlock.ports import Changes, Needs, Payload, Rows, RunRow, Store
from interlock.tool.python import PythonTools
from world import HandClock

TENANT = TenantId("default")
PROD = Environment("prod")
CONTRACT = Path(__file__).parent / "bank.yaml"
KIM = Operator(person=PersonId("kim"), known_by="os:1000", process=ProcessId("pbench"))
DAYS = 90
"""How long ago a history of a million entries begins; a shorter one begins later."""
TRUE_CALLS = 2_000
IN_A_RUN = 8
_BETWEEN_MICROS = DAYS * 86_400_000_000 // 480_000
_RUNS_IN_A_WRITE = 50
_RECENT_MAX = 16


@dataclass(slots=True)
class Story:
    """Everything that was written about one action, in order, with the texts of its payloads."""

    changes: list[Changes] = field(default_factory=list[Changes])


@dataclass(slots=True)
class Recorder:
    """Stands between a gateway and its store, and remembers what is written and sealed."""

    store: Any
    stories: dict[str, Story] = field(default_factory=dict[str, Story])
    texts: dict[str, tuple[bytes, frozenset[SubjectId]]] = field(
        default_factory=dict[str, tuple[bytes, frozenset[SubjectId]]]
    )

    def for_tenant(self, tenant: TenantId) -> "RecordedPart":
        return RecordedPart(self, self.store.for_tenant(tenant))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@dataclass(slots=True)
class RecordedPart:
    """One tenant of the store behind a recorder."""

    recorder: Recorder
    part: Any

    async def write(self, needs: Needs, change: Any, *, durable: bool = True) -> Any:
        made = list[Changes]()

        def recorded(rows: Rows) -> tuple[Changes, Any]:
            changes, answer = change(rows)
            made[:] = [changes]  # it may be run again
            return changes, answer

        written = await self.part.write(needs, recorded, durable=durable)
        for changes in made:
            about = [entry.action.id for entry in changes.entries if isinstance(entry, ActionEntry)]
            for id in about[:1]:
                self.recorder.stories.setdefault(id, Story()).changes.append(changes)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)


@dataclass(slots=True)
class RecordedSecrets:
    """Remembers what it seals."""

    recorder: Recorder
    secrets: Any

    def seal(self, tenant: TenantId, id: PayloadId, text: bytes, subjects: frozenset[SubjectId]) -> bytes:
        self.recorder.texts[id] = (text, subjects)
        return self.secrets.seal(tenant, id, text, subjects)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.secrets, name)


def a_caller(principal: str) -> Caller:
    return Caller(
        tenant=TENANT,
        workflow=WorkflowId("bank"),
        environment=PROD,
        agent=AgentId("bot"),
        principal=PrincipalId(principal),
    )


async def true_calls(gateway: Gateway, clock: HandClock, calls: int) -> None:
    """Call as an agent of the bank does: six in ten paid back, the rest looked up, asked, refused or failed."""
    store, chance = gateway.store.for_tenant(TENANT), random.Random(calls)
    for n in range(calls):
        clock.at = Instant(clock.at + _BETWEEN_MICROS)
        clock.up = type(clock.up)(clock.up + _BETWEEN_MICROS)
        kind = chance.choices(["pay", "look", "ask", "dear", "fraud", "fails"], [60, 20, 5, 6, 6, 3])[0]
        usd = {"ask": 60 + n % 100, "dear": 500, "fails": 13}.get(kind, 1 + n % 9)
        invoice = f"{'BAD' if kind == 'fraud' else 'INV'}-{n}"
        said = f'{{"invoice":"{invoice}"' + ("}" if kind == "look" else f',"usd":{usd}}}')
        run = RunId(f"ticket-{n // IN_A_RUN}")
        tool = ToolName("look" if kind == "look" else "refund")
        outcome = await gateway.call(a_caller(f"customer-{n % 50}"), Proposal(tool=tool, arguments=said, run=run))
        if isinstance(outcome, Parked) and n % 50:
            row = await row_of(store, outcome.action)
            assert row is not None
            await agree(gateway, store, outcome.action, KIM, seen=row.seen)
            await resume(gateway, store, outcome.action)


Names = Mapping[str, str]
Copied = Callable[[Names, int], Any]
_INSTANTS = frozenset(
    "at asked_at changed_at started_at lease_until expires_at undo_until ask_at given_at until".split()
)


def copier(value: Any, known: frozenset[str], field_name: str = "") -> Copied | None:
    """Make what copies a value with other names and later times; nothing where it stays as it is."""
    if isinstance(value, str):
        return _copier_of_text(value, known)
    if isinstance(value, int) and not isinstance(value, bool) and value and field_name in _INSTANTS:
        return lambda _, later: value + later
    if isinstance(value, tuple | list):
        parts = [copier(each, known) for each in cast("Sequence[Any]", value)]
        pairs = list(zip(cast("Sequence[Any]", value), parts, strict=True))
        if not any(parts):
            return None
        return lambda names, later: tuple(part(names, later) if part else each for each, part in pairs)
    if isinstance(value, Mapping):
        items = [(k, copier(k, known), v, copier(v, known)) for k, v in cast("Mapping[Any, Any]", value).items()]
        if not any(key or part for _, key, _, part in items):
            return None
        return lambda names, later: {
            (key(names, later) if key else k): (part(names, later) if part else v) for k, key, v, part in items
        }
    names = _fields(value)
    if names:
        found = {name: copier(getattr(value, name), known, name) for name in names}
        changed = {name: part for name, part in found.items() if part is not None}
        if not changed:
            return None
        return lambda names, later: replace(value, **{name: part(names, later) for name, part in changed.items()})
    return None


def _fields(value: object) -> Sequence[str]:
    if isinstance(value, Struct):
        return value.__struct_fields__
    return [each.name for each in fields(value)] if is_dataclass(value) and not isinstance(value, type) else ()


def _copier_of_text(value: str, known: frozenset[str]) -> Copied | None:
    if value in known:
        return lambda names, _: names[value]
    head, colon, tail = value.rpartition(":")
    if colon and tail in known:  # a budget of a run, a notice about an action
        return lambda names, _: f"{head}:{names[tail]}"
    if "/day:" in value:
        budget = value.partition("/day:")[0]
        return lambda names, _: f"{budget}/{names['day']}"
    return None


@dataclass(slots=True)
class Template:
    """A true call, ready to be copied."""

    drawn: dict[str, Callable[[], str]]
    """By a name of the call, what draws another one for the copy."""
    run: str
    asked_at: int
    digest: str
    texts: dict[str, tuple[bytes, frozenset[SubjectId]]]
    rows: dict[str, Copied]
    """By the field of `Changes`, what copies all of it: the last version of each row, every entry."""
    costs: dict[str, tuple[int, int]]
    """By budget, its limit and what was charged."""
    entries: int

    @classmethod
    def of(cls, story: Story, recorder: Recorder) -> "Template":
        row = [row for changes in story.changes for row in changes.actions][-1]
        payloads = [payload.id for changes in story.changes for payload in changes.payloads]
        rows: dict[str, Any] = {}
        for name in ("actions", "grants", "claims", "notices"):
            last = {
                each.action.id if name == "actions" else each.id: each
                for c in story.changes
                for each in getattr(c, name)
            }
            rows[name] = tuple(last.values())
        rows["entries"] = tuple(entry for changes in story.changes for entry in changes.entries)
        hexes = {row.action.key, row.action.digest, *payloads, *(claim.id for claim in rows["claims"])}
        drawn: dict[str, Callable[[], str]] = {each: _of_length(len(each)) for each in hexes if each}
        drawn |= {grant.id: fresh.grant_id for grant in rows["grants"]}
        known = frozenset({*drawn, row.action.id, row.action.run})
        costs: dict[str, tuple[int, int]] = {}
        for entry in cast("tuple[ActionEntry, ...]", rows["entries"]):
            for charge in entry.holds:
                limit, spent = charge.limit, costs.get(charge.budget, (0, 0))[1]
                costs[charge.budget] = (limit, spent + entry.costs.get(charge.budget, 0))
            for budget, cost in entry.costs.items():
                if budget not in {charge.budget for charge in entry.holds}:
                    limit, spent = costs[budget]
                    costs[budget] = (limit, spent + cost)
        return cls(
            drawn={**drawn, row.action.id: lambda: ""},
            run=row.action.run,
            asked_at=row.action.asked_at,
            digest=row.action.digest,
            texts={id: recorder.texts[id] for id in payloads},
            rows={name: copier(found, known) or (lambda _n, _l, found=found: found) for name, found in rows.items()},
            costs=costs,
            entries=len(rows["entries"]),
        )


def _of_length(length: int) -> Callable[[], str]:
    return lambda: random.randbytes((length + 1) // 2).hex()[:length]


@dataclass(slots=True)
class Copies:
    """Writes copies of true calls, some runs at a time."""

    opened: Opened
    clock: HandClock
    templates: Sequence[Template]
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    runs: int = 0
    entries: int = 0
    seconds: float = 0
    """How long the writer took for them."""
    cpu: float = 0

    async def write(self, entries: int) -> None:
        """Write about so many entries."""
        store, end = self.opened.store.for_tenant(TENANT), self.entries + entries
        while self.entries < end:
            changes, costs = self._some(end - self.entries)

            def change(rows: Rows, changes: Changes = changes, costs: Mapping[str, Any] = costs) -> Any:
                return replace(changes, budgets=dict(_booked(rows, costs))), None

            begun, begun_cpu = time.perf_counter(), time.process_time()
            await store.write(Needs(budgets=frozenset(map(BudgetId, costs))), change)
            self.seconds += time.perf_counter() - begun
            self.cpu += time.process_time() - begun_cpu
            self.entries += len(changes.entries)

    def _some(self, entries: int) -> tuple[Changes, Mapping[str, tuple[int, int]]]:
        made: dict[str, list[Any]] = {name: [] for name in ("actions", "grants", "claims", "notices", "entries")}
        payloads, runs, costs = list[Payload](), list[RunRow](), dict[str, tuple[int, int]]()
        for _ in range(_RUNS_IN_A_WRITE):
            if len(made["entries"]) >= entries:
                break
            self.runs += 1
            run = RunId(f"ticket-c{self.runs}")
            digests = [self._copy(run, made, payloads, costs) for _ in range(IN_A_RUN)]
            runs.append(RunRow(id=run, calls=IN_A_RUN, recent=tuple(map(Digest, digests))[-_RECENT_MAX:]))
        rows: dict[str, Any] = {name: tuple(found) for name, found in made.items()}
        return Changes(**rows, payloads=tuple(payloads), runs=tuple(runs)), costs

    def _copy(
        self, run: RunId, made: dict[str, list[Any]], payloads: list[Payload], costs: dict[str, tuple[int, int]]
    ) -> str:
        template = self.chance.choice(self.templates)
        self.clock.at = Instant(self.clock.at + _BETWEEN_MICROS)
        self.clock.up = type(self.clock.up)(self.clock.up + _BETWEEN_MICROS)
        names = {name: draw() for name, draw in template.drawn.items()}
        id = next(name for name, new in names.items() if not new)
        names |= {id: fresh.action_id(self.clock.at), template.run: run, "day": _day(self.clock.at)}
        later = self.clock.at - template.asked_at
        for name, copied in template.rows.items():
            made[name] += copied(names, later)
        for old, (text, subjects) in template.texts.items():
            new = PayloadId(names[old])
            payloads.append(Payload(id=new, sealed=self.opened.secrets.seal(TENANT, new, text, subjects)))
        for budget, (limit, spent) in template.costs.items():
            copy = _copier_of_text(budget, frozenset({template.run}))
            named = copy(names, later) if copy else budget
            costs[named] = (limit, costs.get(named, (0, 0))[1] + spent)
        return names[template.digest]


def _day(now: Instant) -> str:
    return period_name("day", run="", now=now)


def _booked(rows: Rows, costs: Mapping[str, tuple[int, int]]) -> "Sequence[tuple[BudgetId, Balance]]":
    found: list[tuple[BudgetId, Balance]] = []
    for name, (limit, spent) in costs.items():
        known = rows.budgets[BudgetId(name)] or Balance(limit=limit)
        found.append((BudgetId(name), replace(known, limit=limit, spent=known.spent + spent)))
    return found


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a history was written."""

    entries: int
    true_calls: int
    calls_seconds: float
    copied: int
    seconds: float
    cpu: float


async def make(where: str, keys: Path, entries: int) -> Made:
    """Make a history of so many entries that ends about now, in a store that is empty."""
    calls = min(TRUE_CALLS, entries // 4)
    clock = HandClock()
    clock.at = Instant(time.time_ns() // 1_000 - int(entries * 0.54) * _BETWEEN_MICROS)
    opened = open_store(where, keys, clock=clock, durable=False)
    tools = PythonTools()
    try:
        recorder = Recorder(opened.store)
        recorded = Opened(
            store=cast("Store", recorder), secrets=cast("Any", RecordedSecrets(recorder, opened.secrets)), clock=clock
        )
        gateway = gateway_on(recorded, tools)
        contract = publishable(load(CONTRACT), PROD, folder=CONTRACT.parent, describe=app.describe)
        await publish(opened.store.for_tenant(TENANT), contract, PROD, KIM)
        begun = time.perf_counter()
        await true_calls(gateway, clock, calls)
        took = time.perf_counter() - begun
        written = (await opened.store.for_tenant(TENANT).read(Needs())).entries
        templates = [Template.of(story, recorder) for story in recorder.stories.values()]
        copies = Copies(opened, clock, templates)
        await copies.write(entries - written)
        total = (await opened.store.for_tenant(TENANT).read(Needs())).entries
    finally:
        opened.close()
        tools.close()
    return Made(
        entries=total,
        true_calls=calls,
        calls_seconds=took,
        copied=copies.entries,
        seconds=copies.seconds,
        cpu=copies.cpu,
    )
