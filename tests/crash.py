"""The crash harness: a server that forks a child for each case and kills it at a named point, with SIGKILL.

Run it by hand for the long form: `python tests/crash.py --kills 2000`.

What must hold after every kill: no effect happened twice, every effect was started in the ledger, the budget holds
exactly what unfinished actions hold, the ledger leads to its signed head, and the entries to the rows.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

sys.path[:0] = [str(Path(__file__).parent.parent / "src"), str(Path(__file__).parent)]

from interlock.app import Opened, gateway_on  # noqa: E402
from interlock.core.action import HOLDS, ActionState  # noqa: E402
from interlock.core.effect import EffectClass  # noqa: E402
from interlock.core.ids import ActionId, PayloadId, ProcessId, TenantId, ToolName  # noqa: E402
from interlock.core.outcome import Done, Uncertain  # noqa: E402
from interlock.gateway.asked import Proposal  # noqa: E402
from interlock.gateway.compare import verify_state  # noqa: E402
from interlock.gateway.recover import reap  # noqa: E402
from interlock.ledger.note import opened as opened_note  # noqa: E402
from interlock.ledger.tree import verify  # noqa: E402
from interlock.ports import Errand, Performed, Performer, Wanted  # noqa: E402
from interlock.secret.keyring import Keyring  # noqa: E402
from interlock.secret.keys import SqliteKeys  # noqa: E402
from interlock.store.batch import verifier_of  # noqa: E402
from interlock.store.database import Database, Params  # noqa: E402
from interlock.store.machine import Machine  # noqa: E402
from interlock.store.postgres import PostgresDatabase, make_tables  # noqa: E402
from interlock.store.sqlite import SqliteDatabase  # noqa: E402
from interlock.store.tenant import SqlStore  # noqa: E402
from world import ALLOW, MAIL, HandClock, World, a_budget, a_tool  # noqa: E402

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


@dataclass(frozen=True)
class Case:
    """One child, killed at one point."""

    store: StoreKind
    where: str
    point: str
    effect: EffectClass
    folder: Path
    tenant: TenantId

    @property
    def effects(self) -> Path:
        return self.folder / f"{self.tenant}.effects"


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


@dataclass
class KillingDatabase:
    """A real connection that dies at one statement of one write."""

    inner: Database
    point: str
    write: str = "setting up"

    @property
    def within(self) -> str:
        return self.inner.within

    def _at(self, statement: str) -> None:
        if self.point == f"{self.write}: {statement}":
            kill_me()

    def begin(self, *, durable: bool) -> None:
        self._at("begin")
        self.inner.begin(durable=durable)

    def begin_snapshot(self) -> None:
        self.inner.begin_snapshot()

    def lock(self, tenants: Sequence[TenantId]) -> None:
        self.inner.lock(tenants)
        self._at("lock")

    def now(self) -> int | None:
        return self.inner.now()

    def names(self, names: Sequence[str]) -> Any:
        return self.inner.names(names)

    def query(self, sql: str, params: Params) -> Sequence[Sequence[Any]]:
        self._at("query")
        return self.inner.query(sql, params)

    def run_many(self, sql: str, params: Sequence[Params]) -> None:
        self.inner.run_many(sql, params)
        if params:
            self._at("put")

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
    """Dies at one step, and tells the database which write is under way."""

    point: str
    tell: Callable[[str], None]

    def at(self, step: str, action: ActionId) -> None:
        if step == "start":
            self.tell("starting")
        if step == "performed":
            self.tell("settling")
        if step == self.point:
            kill_me()


@dataclass
class World2:
    """The other side: it writes each effect into a file, as a peer that knows its keys or one that does not."""

    case: Case
    killing: bool

    def free(self) -> bool:
        return True

    def find(self, source: str) -> Performer | None:
        return self

    async def perform(self, errand: Errand) -> Performed:
        if self.killing and self.case.point == "before the effect":
            kill_me()
        errand.check_lease()
        file = os.open(self.case.effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{errand.key}\n".encode())
        os.close(file)
        if self.killing and self.case.point == "after the effect":
            kill_me()
        return Performed(result="sent")


def open_case(case: Case, clock: HandClock, *, killing: bool) -> tuple[Opened, list[KillingDatabase]]:
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
        killers.append(KillingDatabase(real, case.point))
        return killers[-1]

    store = SqlStore(
        connect=connect,
        secrets=secrets,
        clock=clock,
        machine=Machine(clock, lambda: None),
        reader_threads=0,
    )
    return Opened(store=store, secrets=secrets, clock=clock), killers


async def victim(case: Case) -> None:
    """What the child does until it is killed."""
    clock = HandClock()
    opened, killers = open_case(case, clock, killing=True)
    world = World.on(opened, clock, case.tenant)
    tool = a_tool(effect=case.effect, price=PRICE)
    await world.publish(ALLOW, tools=[tool], budgets=[a_budget(LIMIT)])

    def tell(write: str) -> None:
        killers[0].write = write  # the writer opens its connection first

    world.gateway = gateway_on(opened, World2(case, killing=True), KillingObserver(case.point, tell))
    if case.point == "any moment":
        # Killed by the parent, at a moment of its choosing.
        (case.folder / f"{case.tenant}.ready").touch()
    await the_call(world)


async def the_call(world: World) -> object:
    proposal = Proposal(tool=ToolName(MAIL), arguments='{"to":"sam"}', key="the one")
    caller = replace(world.caller(), tenant=world.tenant)
    return await world.gateway.call(caller, proposal)


async def survivor(case: Case) -> str:
    """What whoever comes after the crash finds; returns how the action ended, or raises what does not hold."""
    clock = HandClock()
    clock.forward(minutes=10)
    opened, _ = open_case(case, clock, killing=False)
    world = World.on(opened, clock, case.tenant)
    world.gateway = gateway_on(opened, World2(case, killing=False))
    await reap(world.store, ProcessId("psurvivor"))
    await check(case, world)
    outcome = await the_call(world)
    await check(case, world)
    effects = effects_of(case)
    assert isinstance(outcome, Done | Uncertain), outcome
    if isinstance(outcome, Done):
        assert sum(effects.values()) == 1, effects
    opened.close()
    return type(outcome).__name__.lower()


async def check(case: Case, world: World) -> None:
    rows = await world.store.actions(Wanted())
    assert not [row for row in rows if row.state is ActionState.STARTED], "the lease of every action has passed"
    effects = effects_of(case)
    assert all(count == 1 for count in effects.values()), f"an effect happened twice: {effects}"
    entries = [json.loads(line) for line in await world.store.entries()]
    started = {e["action"] for e in entries if e["kind"] == "started"}
    assert {key.partition(".")[2] for key in effects} <= started, "an effect without a `started` entry"
    balance = await world.balance()
    held = sum(charge.amount for row in rows if row.state in HOLDS for charge in row.holds)
    spent = sum(row.cost.micros for row in rows)
    assert (balance.held, balance.spent) == (held, spent), f"a lost hold: {balance}, {held} held, {spent} spent"
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


def run(case: Case, chance: random.Random) -> str:
    """Kill one child, let another one look, and return how the action ended."""

    def dies() -> str:
        asyncio.run(victim(case))
        return "it outlived its kill"

    def dies_at_any_moment() -> str:
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                asyncio.run(victim(case))
            os._exit(0)
        while not (case.folder / f"{case.tenant}.ready").exists():
            time.sleep(0.0005)
        time.sleep(chance.random() * 0.012)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return ""

    if case.point == "any moment":
        code, said = in_child(dies_at_any_moment)
        assert code == 0, said
    else:
        code, said = in_child(dies)
        assert code == -signal.SIGKILL, f"{case}: {said}"
    code, said = in_child(lambda: asyncio.run(survivor(case)))
    assert code == 0, f"{case.store}, {case.effect.value}, killed at `{case.point}`: {said}"
    return said


def cases(kinds: list[StoreKind], wheres: dict[str, str], folder: Path, kills: int) -> list[Case]:
    """Every point with every class on every store, as often as `kills` asks for."""
    every = list(itertools.product(kinds, POINTS, EffectClass))
    return [
        Case(kind, wheres[kind], point, effect, folder, TenantId(f"t{n}"))
        for n, (kind, point, effect) in enumerate(itertools.islice(itertools.cycle(every), kills))
    ]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=len(POINTS) * len(EffectClass) * 2, help="how many children die")
    parser.add_argument("--store", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--postgres", help="the address of a database; without it one is started")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    kinds: list[StoreKind] = ["sqlite", "postgres"] if options.store == "both" else [options.store]
    chance = random.Random(options.seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheres = {"sqlite": str(folder / "interlock.db"), "postgres": options.postgres or ""}
        server = None
        if "postgres" in kinds and not options.postgres:
            from postgres import Server

            server = Server.start(folder / "postgres")
            wheres["postgres"] = server.url
        if "postgres" in kinds:
            make_tables(wheres["postgres"])
        ended: Counter[tuple[str, str, str]] = Counter()
        for case in cases(kinds, wheres, folder, options.kills):
            ended[case.store, case.point, run(case, chance)] += 1
        if server is not None:
            server.stop()
    for store in kinds:
        print(f"\n{store:32} {'done':>8} {'uncertain':>10}")
        for point in POINTS:
            print(f"  {point:30} {ended[store, point, 'done']:8} {ended[store, point, 'uncertain']:10}")
    took = time.monotonic() - begun
    print(f"\n{sum(ended.values())} kills, 0 duplicates, 0 lost holds, {took:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
