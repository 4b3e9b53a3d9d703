"""What the crash harness is made of: cases, connections and observers that stop a process at a named point, checks."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

sys.path[:0] = [str(Path(__file__).parent.parent / "src"), str(Path(__file__).parent)]

from interlock.app import Opened  # noqa: E402
from interlock.core.action import HOLDS, ActionState  # noqa: E402
from interlock.core.effect import EffectClass  # noqa: E402
from interlock.core.errand import Terms  # noqa: E402
from interlock.core.ids import ActionId, Instant, Micros, PayloadId, TenantId  # noqa: E402
from interlock.gateway.compare import verify_state  # noqa: E402
from interlock.ledger.note import opened as opened_note  # noqa: E402
from interlock.ledger.tree import verify  # noqa: E402
from interlock.ports import Errand, Performed, Performer, Wanted  # noqa: E402
from interlock.secret.keyring import Keyring  # noqa: E402
from interlock.secret.keys import SqliteKeys  # noqa: E402
from interlock.store.batch import verifier_of  # noqa: E402
from interlock.store.database import Database, Lookup, Params, Put, Standing  # noqa: E402
from interlock.store.machine import Machine  # noqa: E402
from interlock.store.postgres import PostgresDatabase  # noqa: E402
from interlock.store.sqlite import SqliteDatabase  # noqa: E402
from interlock.store.tenant import SqlStore  # noqa: E402
from world import NOON, World  # noqa: E402

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
StoreKind = Literal["sqlite", "postgres"]
PRICE, LIMIT = 10, 100
SEED = bytes(range(32))


Flow = Literal["call", "resume", "undo"]
Stop = Literal["killed", "frozen"]


@dataclass(frozen=True)
class Case:
    """One child, stopped at one point of one flow."""

    store: StoreKind
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

    def begin(self, *, durable: bool, tenants: Sequence[TenantId]) -> None:
        self._at("begin")
        self.inner.begin(durable=durable, tenants=tenants)
        self._at("lock")

    def begin_snapshot(self) -> None:
        self.inner.begin_snapshot()

    def standing(self, tenant: TenantId, lookups: Sequence[Lookup]) -> Standing:
        self._at("query")
        return self.inner.standing(tenant, lookups)

    def put(self, tenant: TenantId, puts: Sequence[Put]) -> None:
        some = [put for put in puts if put.rows]
        self.inner.put(tenant, some[:1])
        self._at("put")
        self.inner.put(tenant, some[1:])

    def names(self, names: Sequence[str]) -> Any:
        return self.inner.names(names)

    def query(self, sql: str, params: Params) -> Sequence[Sequence[Any]]:
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
    secrets = Keyring(SEED, SqliteKeys(case.folder / f"{case.store}.keys"))
    killers: list[KillingDatabase] = []

    def connect() -> Database:
        real: Database = (
            SqliteDatabase(Path(case.where))
            if case.store == "sqlite"
            else PostgresDatabase(case.where, server_time=False)
        )
        if not killing:
            return real
        killers.append(KillingDatabase(real, case))
        return killers[-1]

    store = SqlStore(
        connect=connect,
        secrets=secrets,
        clock=case.clock,
        machine=Machine(case.clock, lambda: None),
        reader_threads=0,
    )
    return Opened(store=store, secrets=secrets, clock=case.clock), killers


async def check(case: Case, world: World) -> None:
    """What holds whenever nobody is at work."""
    rows = await world.store.actions(Wanted())
    assert not [row for row in rows if row.state is ActionState.STARTED], "the lease of every action has passed"
    effects = effects_of(case)
    assert all(count == 1 for count in effects.values()), f"an effect happened twice: {effects}"
    entries = [json.loads(line) for line in await world.store.entries()]
    started = Counter(e["action"] for e in entries if e["kind"] == "started")
    assert all(count == 1 for count in started.values()), f"an action started twice: {started}"
    assert {key.partition(".")[2] for key in effects} <= started.keys(), "an effect without a `started` entry"
    balances = (await world.store.budgets()).values()
    held, spent = sum(b.held for b in balances), sum(b.spent for b in balances)
    must_hold = sum(charge.amount for row in rows if row.state in HOLDS for charge in row.holds)
    assert (held, spent) == (must_hold, sum(row.cost.micros for row in rows)), f"a lost hold: {held=}, {spent=}"
    for row in rows:
        if row.action.arguments:
            sealed = await world.store.payload(row.action.arguments)
            assert sealed is not None, "an action without its arguments"
            assert world.opened.secrets.open(world.tenant, PayloadId(row.action.arguments), sealed)
    secrets = world.opened.secrets
    note = await world.store.signed_head()
    head = opened_note(note, verifier_of(secrets, world.tenant), lambda s, t: secrets.sign(world.tenant, t) == s)
    assert verify(await world.store.entries(), older=head) == head
    assert await verify_state(world.store, secrets) == (), "the rows are not what the entries lead to"


def effects_of(case: Case) -> Counter[str]:
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
