"""How often a token is let in: so often a minute by all processes together, and the store is rarely asked."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.errors import StoreBusy
from interlock.core.ids import Instant, Micros, ProcessId
from interlock.door.rates import Bucket, Rates, Taking, taken
from interlock.ports import Needs
from interlock.store.tenant import TenantPart
from world import NOON, World

SECOND = 1_000_000
MINUTE = 60 * SECOND
HELD = 30 * SECOND


@dataclass
class Process:
    """What a process has taken ahead, as `Rates` has it."""

    left: int = 0
    ends: int = 0
    used: int = 0


@dataclass
class Let:
    """Everybody who was let in, at one bucket and any number of processes."""

    rate: int
    now: int = int(NOON)
    bucket: Bucket | None = None
    processes: dict[str, Process] = field(default_factory=dict[str, Process])
    at: list[int] = field(default_factory=list[int])

    def ask(self, name: str, wanted: int, waiting: int = 0) -> None:
        """Take some calls, whether or not some are left, and let in at once who waits for one."""
        each = self.processes.setdefault(name, Process())
        each.left = each.left if self.now < each.ends else 0
        asked = Taking(
            process=ProcessId(name),
            wanted=wanted,
            waiting=waiting,
            holds=each.left,
            since=Micros(self.now - each.used),
        )
        self.bucket, took = taken(self.bucket, Instant(self.now), asked, rate=self.rate)
        if took.calls:
            each.left, each.ends = each.left + took.calls, self.now + HELD
            self.use(name, min(waiting, took.calls))
        else:
            assert took.wait > 0

    def use(self, name: str, calls: int) -> None:
        """Let in as many as are left, at most."""
        each = self.processes.get(name)
        if each is not None and self.now < each.ends and min(calls, each.left):
            used, each.used = min(calls, each.left), self.now
            each.left -= used
            self.at += [self.now] * used

    def most_over(self) -> float:
        """Return by how many calls the fullest stretch of time is fuller than one bucket would let it be."""
        pairs = ((i, j) for i in range(len(self.at)) for j in range(i, len(self.at)))
        return max((j - i + 1 - self.rate * (1 + (self.at[j] - self.at[i]) / MINUTE) for i, j in pairs), default=0.0)


PAUSES = (0, 0, SECOND, HELD - 1, HELD + 1, MINUTE)
CALLS = st.sampled_from((0, 1, 5, 20))
STEPS = st.lists(st.tuples(st.sampled_from("ab"), CALLS, CALLS, st.sampled_from(PAUSES), CALLS), max_size=12)
"""Who takes how many, how many wait for one, how long it is quiet then, and how many each lets in after that."""


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.integers(1, 20), STEPS)
def test_however_processes_take_turns_no_stretch_of_time_has_more_calls_than_one_bucket_lets_in(
    rate: int, steps: list[tuple[str, int, int, int, int]]
) -> None:
    let = Let(rate)
    for name, wanted, waiting, pause, later in steps:
        let.ask(name, max(1, wanted), waiting)
        let.now += pause
        let.use("a", later)
        let.use("b", later)
    assert let.most_over() < 1e-6


def test_what_was_taken_ahead_and_ended_unused_fills_again_no_sooner_than_if_it_had_been_used() -> None:
    let = Let(60)
    let.ask("a", 6)
    let.now += HELD - 1
    let.use("a", 6)
    let.now += 2
    for _ in range(20):
        let.ask("b", 6)
        let.use("b", 6)
    assert len(let.at) == 60
    assert let.most_over() <= 0


@pytest.mark.anyio
@pytest.mark.parametrize(("rate", "least"), [(1, 1), (3, 3), (60, 54)])
async def test_two_processes_let_in_no_more_than_one(world: World, rate: int, least: int) -> None:
    both, other = (Rates(), Rates()), world.another()
    waits: list[float | None] = []
    for _ in range(2 * rate + 20):
        for rates, gateway in zip(both, (world.gateway, other.gateway), strict=True):
            waits.append(await rates.take(gateway, world.tenant, "token:t1", rate))
    assert least <= waits.count(None) <= rate
    assert all(wait is None or wait > 0 for wait in waits)
    world.clock.forward(minutes=1)
    assert await both[0].take(world.gateway, world.tenant, "token:t1", rate) is None


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(4))
async def test_processes_that_come_and_go_let_in_no_more_than_one_bucket_would(world: World, seed: int) -> None:
    chance, let = Random(seed), Let(rate := 40)
    processes = [(Rates(), world.another()) for _ in range(3)]
    for _ in range(60):
        rates, there = chance.choice(processes)
        for _ in range(chance.choice((1, 2, 30))):
            if await rates.take(there.gateway, world.tenant, "token:t1", rate) is None:
                let.at.append(int(world.clock.now()))
        world.clock.forward(seconds=chance.choice((0.0, 0.0, 0.3, 5.0, 29.9, 31.0, 70.0)))
        if chance.random() < 0.1:
            processes[chance.randrange(3)] = (Rates(), world.another())
    assert let.most_over() < 1e-6
    assert len(let.at) > rate


@pytest.mark.anyio
@pytest.mark.parametrize("rate", [2, 30, 120])
async def test_who_comes_less_often_than_they_may_is_not_told_to_wait_whichever_process_they_come_to(
    world: World, rate: int
) -> None:
    processes = [(Rates(), world.gateway), (Rates(), world.another().gateway), (Rates(), world.another().gateway)]
    for n in range(8 * rate):
        rates, gateway = processes[n % 3]
        assert await rates.take(gateway, world.tenant, "token:t1", rate) is None, n
        world.clock.forward(seconds=80 / rate)


@pytest.mark.anyio
async def test_a_token_has_all_its_calls_at_the_process_that_it_comes_to(world: World) -> None:
    rates = Rates()
    waits = [await rates.take(world.gateway, world.tenant, "token:t1", 60) for _ in range(61)]
    assert waits[:60] == [None] * 60
    assert waits[60] is not None and 0 < waits[60] <= 1
    again = [await Rates().take(world.gateway, world.tenant, "token:t1", 60) for _ in range(2)]
    assert None not in again, "who begins anew finds the bucket as it was"
    assert await Rates().take(world.gateway, world.tenant, "token:t2", 60) is None


@pytest.mark.anyio
async def test_the_store_is_asked_for_few_of_many_calls_and_never_by_who_has_to_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, write = list[Needs](), TenantPart.write

    async def counted(self: TenantPart, needs: Needs, *more: object, **named: object) -> object:
        asked.append(needs)
        return await write(self, needs, *more, **named)  # pyright: ignore[reportArgumentType, reportUnknownVariableType]

    monkeypatch.setattr(TenantPart, "write", counted)
    rates = Rates()
    for _ in range(600):
        assert await rates.take(world.gateway, world.tenant, "token:t1", 600) is None
    assert len(asked) <= 25
    while await rates.take(world.gateway, world.tenant, "token:t1", 600) is None:
        pass
    before = len(asked)
    for _ in range(100):
        assert await rates.take(world.gateway, world.tenant, "token:t1", 600) is not None
    assert len(asked) == before


@pytest.mark.anyio
async def test_while_the_store_is_away_nobody_is_let_in_beyond_what_was_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = Rates()
    assert await rates.take(world.gateway, world.tenant, "token:t1", 3) is None

    async def away(self: TenantPart, *_: object, **__: object) -> object:
        raise StoreBusy("the store is away", fix="try again")

    with monkeypatch.context() as gone:
        gone.setattr(TenantPart, "write", away)
        for _ in range(2):
            with pytest.raises(StoreBusy):
                await rates.take(world.gateway, world.tenant, "token:t1", 3)
    assert [await rates.take(world.gateway, world.tenant, "token:t1", 3) is None for _ in range(3)] == [
        True,
        True,
        False,
    ]
