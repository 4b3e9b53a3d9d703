"""A process that is to be stopped: where it works, at which point it is killed or frozen, and what must hold then."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interlock import app
from interlock.app import Database, Opened
from interlock.core.action import HOLDS, ActionState
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.ids import ActionId, Instant, Micros, TenantId
from interlock.gateway.compare import verify_state
from interlock.gateway.history import signer_of
from interlock.ledger.note import opened as opened_note
from interlock.ledger.tree import verify
from interlock.ports import Performer, Wanted
from interlock.verify.check import must
from interlock.verify.world import NOON, World

STEPS = ("identify", "recall", "decide", "start", "started", "performed", "settled")
STATEMENTS = ("begin", "lock", "query", "put", "before commit", "after commit")
WRITES = ("starting", "settling")
POINTS: tuple[str, ...] = (
    *STEPS,
    *(f"{write}: {statement}" for write in WRITES for statement in STATEMENTS),
    "before the effect",
    "after the effect",
    "any moment",
)

Flow = Literal["call", "resume", "undo"]
Stop = Literal["killed", "frozen"]


@dataclass(frozen=True)
class Case:
    """One child, stopped at one point of one flow."""

    store: str
    """Of which kind."""
    where: str
    point: str
    effect: EffectClass
    folder: Path
    tenant: TenantId
    flow: Flow = "call"
    stop: Stop = "killed"

    @property
    def effects(self) -> Path:
        return self.folder / f"{self.tenant}.effects"

    @property
    def clock(self) -> "SharedClock":
        return SharedClock(self.folder / f"{self.tenant}.clock")

    def __str__(self) -> str:
        return f"{self.flow} of {self.effect.value} on {self.store}, {self.stop} at `{self.point}`"


@dataclass(frozen=True)
class SharedClock:
    """One clock for every process of a case: a file says how far it was moved."""

    path: Path

    def _moved(self) -> int:
        return int(self.path.read_text(encoding="utf-8")) if self.path.exists() else 0

    def forward(self, *, minutes: int) -> None:
        self.path.write_text(str(self._moved() + minutes * 60_000_000), encoding="utf-8")

    def now(self) -> Instant:
        return Instant(NOON + self._moved())

    def boot(self) -> Micros:
        return Micros(1_000_000_000 + self._moved())


def stop_me(case: Case) -> None:
    """Kill or freeze this very process."""
    if case.stop == "frozen":
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


@dataclass
class KillingDatabase:
    """A real connection that dies at one statement of one write."""

    inner: Database
    case: Case
    write: str = "setting up"

    @property
    def within(self) -> str:
        return self.inner.within

    def _at(self, statement: str) -> None:
        if self.case.point == f"{self.write}: {statement}":
            stop_me(self.case)

    def holds(self, column: str, part: str) -> str:
        return self.inner.holds(column, part)

    def begin(self, *, durable: bool, tenants: Sequence[TenantId]) -> None:
        self._at("begin")
        self.inner.begin(durable=durable, tenants=tenants)
        self._at("lock")

    def begin_snapshot(self) -> None:
        self.inner.begin_snapshot()

    def standing(self, tenant: TenantId, lookups: Sequence[Any], door_mac: bytes = b"") -> Any:
        self._at("query")
        return self.inner.standing(tenant, lookups, door_mac)

    def put(self, tenant: TenantId, puts: Sequence[Any]) -> None:
        some = [put for put in puts if put.rows]
        self.inner.put(tenant, some[:1])
        self._at("put")
        self.inner.put(tenant, some[1:])

    def take_time(self) -> None:
        self.inner.take_time()

    def clear(self, tables: Sequence[str]) -> None:
        self.inner.clear(tables)

    def take_out(self, tenant: TenantId, table: str, column: str, names: Sequence[str]) -> None:
        self.inner.take_out(tenant, table, column, names)

    def take_out_ended(self, tenant: TenantId, table: str, now: Instant) -> None:
        self.inner.take_out_ended(tenant, table, now)

    def defined(self, tables: str) -> Sequence[str]:
        return self.inner.defined(tables)

    def names(self, names: Sequence[str]) -> Any:
        return self.inner.names(names)

    def query(self, sql: str, params: Any) -> Sequence[Sequence[Any]]:
        return self.inner.query(sql, params)

    def commit(self) -> None:
        self._at("before commit")
        self.inner.commit()
        self._at("after commit")

    def rollback(self) -> None:
        self.inner.rollback()

    def close(self) -> None:
        self.inner.close()


@dataclass
class KillingObserver:
    """Stops the process at one step once it is armed, and tells the database which write is under way."""

    case: Case
    tell: Callable[[str], None]
    armed: bool = False

    def at(self, step: str, action: ActionId) -> None:
        if not self.armed:
            return
        if step == "start":
            self.tell("starting")
        if step == "performed":
            self.tell("settling")
        if step == self.case.point:
            stop_me(self.case)


@dataclass
class OtherSide:
    """The other side: it writes each effect into a file, as a peer that knows its keys or one that does not."""

    case: Case
    armed: bool = False

    def free(self) -> bool:
        return True

    def find(self, source: str, terms: Terms) -> Performer | None:
        return self

    async def perform(self, errand: Errand) -> Performed:
        if self.armed and self.case.point == "before the effect":
            stop_me(self.case)
        errand.check_lease()
        file = os.open(self.case.effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{errand.key}\n".encode())
        os.close(file)
        if self.armed and self.case.point == "after the effect":
            stop_me(self.case)
        return Performed(result={"id": 1})


def open_case(case: Case, *, killing: bool) -> tuple[Opened, list[KillingDatabase]]:
    """Open the store of a case, on connections that die at its point if it is `killing`."""
    killers: list[KillingDatabase] = []

    def around(db: Database) -> Database:
        if not killing:
            return db
        killers.append(KillingDatabase(db, case))
        return killers[-1]

    opened = app.open_store(case.where, case.folder / "keys", clock=case.clock, around=around)
    return opened, killers


async def check(case: Case, world: World) -> None:
    """Look at what has to hold whenever nobody is at work.

    Raises:
        Broken: it does not.
    """
    rows = await world.store.actions(Wanted())
    must(not [row for row in rows if row.state is ActionState.STARTED], "an action is started whose lease has passed")
    effects = effects_of(case)
    must(all(count == 1 for count in effects.values()), f"an effect happened twice: {effects}")
    started = Counter(entry["action"] for entry in await world.entries() if entry["kind"] == "started")
    must(all(count == 1 for count in started.values()), f"an action started twice: {started}")
    must({key.partition(".")[2] for key in effects} <= started.keys(), "an effect without a `started` entry")
    balances = (await world.store.budgets()).values()
    stands = sum(balance.held for balance in balances), sum(balance.spent for balance in balances)
    holds = sum(charge.amount for row in rows if row.state in HOLDS for charge in row.holds)
    must(stands == (holds, sum(row.cost.micros for row in rows)), f"a lost hold: held and spent are {stands}")
    secrets = world.opened.secrets
    for row in rows:
        if row.action.arguments:
            sealed = await world.store.payload(row.action.arguments)
            must(sealed is not None, "an action without its arguments")
            must(bool(secrets.open(world.tenant, row.action.arguments, sealed or b"")), "arguments that cannot be read")
    head = opened_note(await world.store.signed_head(), await signer_of(world.store, secrets))
    must(verify(await world.store.entries(), older=head) == head, "the entries do not lead to the signed head")
    must(await verify_state(world.store, secrets) == (), "the rows are not what the entries lead to")


def effects_of(case: Case) -> Counter[str]:
    """Count how often each effect happened, by the key it was sent with."""
    return Counter(case.effects.read_text(encoding="utf-8").split()) if case.effects.exists() else Counter()


def in_child(work: Callable[[], str]) -> tuple[int, str]:
    """Fork, run `work` in the child, and return how it ended and what it said."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        code = 1
        try:
            os.write(into, work().encode())
            code = 0
        except BaseException as error:  # noqa: BLE001  the parent is told
            os.write(into, f"{type(error).__name__}: {error}".encode()[:4_000])
        finally:
            os._exit(code)
    os.close(into)
    with os.fdopen(out, encoding="utf-8") as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text
