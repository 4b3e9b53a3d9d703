"""The ledger: appending, auditing from stored bytes, proofs from stored hashes, in a SQLite file.

`python bench/ledger.py` prints the table; `--entries` says how far it grows (one million takes about a minute).
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("src", "tests", "bench")]

from interlock.app import open_store  # noqa: E402
from interlock.core.action import Action, ActionState, Caller  # noqa: E402
from interlock.core.charge import Charge, Unit  # noqa: E402
from interlock.core.effect import EffectClass, Tier  # noqa: E402
from interlock.core.ids import (  # noqa: E402
    ActionId,
    AgentId,
    BudgetId,
    ContractHash,
    Digest,
    Environment,
    Instant,
    Key,
    PayloadId,
    PrincipalId,
    ProcessId,
    RuleId,
    RunId,
    SliceHash,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.gateway.history import exported, signer_of  # noqa: E402
from interlock.ledger.audit import audit  # noqa: E402
from interlock.ledger.export import Export, read  # noqa: E402
from interlock.ledger.note import opened  # noqa: E402
from interlock.ledger.proof import check_inclusion  # noqa: E402
from interlock.ledger.seal import ActionEntry, Kind, seal  # noqa: E402
from interlock.ledger.tree import leaf_hash  # noqa: E402
from interlock.ports import Changes, Needs, Rows, TenantStore  # noqa: E402
from table import Row, p, show  # noqa: E402

ACME = TenantId("acme")
IN_A_WRITE = 1_000


def an_entry(n: int, now: Instant) -> ActionEntry:
    """A `started` entry as a gateway writes it, about nine hundred bytes."""
    caller = Caller(
        tenant=ACME,
        workflow=WorkflowId("support-refunds"),
        environment=Environment("prod"),
        agent=AgentId("refund-bot"),
        principal=PrincipalId("sam"),
    )
    action = Action(
        id=ActionId(f"a{n:019}"),
        key=Key(""),
        digest=Digest(""),
        what=f"{n:064x}",
        caller=caller,
        run=RunId(f"r{n // 8:019}"),
        tool=ToolName("create_refund"),
        effect=EffectClass.IDEMPOTENT_KEY,
        tier=Tier.YELLOW,
        arguments=PayloadId(""),
        asked_at=now,
    )
    hold = Charge(budget=BudgetId("support-refunds:prod/usd/day:2026-11-21"), unit=Unit.USD, amount=7, limit=10**9)
    return ActionEntry(
        kind=Kind.STARTED,
        at=now,
        epoch=3,
        process=ProcessId("p0123456789abcdef"),
        action=action,
        state=ActionState.STARTED,
        fence=1,
        decision="allow",
        rules=(RuleId("allow.refund"),),
        slice=SliceHash(f"{n:064x}"),
        contract=ContractHash("c" * 64),
        facts=f"{n:064x}",
        holds=(hold,),
        lease_until=now,
    )


async def grow(store: TenantStore, begin: int, end: int) -> float:
    """Append entries and return how many went in a second."""

    def write(first: int) -> Callable[[Rows], tuple[Changes, None]]:
        def change(rows: Rows) -> tuple[Changes, None]:
            last = min(first + IN_A_WRITE, end)
            return Changes(entries=tuple(an_entry(n, rows.now) for n in range(first, last))), None

        return change

    begun = time.perf_counter()
    for first in range(begin, end, IN_A_WRITE):
        await store.write(Needs(), write(first))
    return (end - begin) / (time.perf_counter() - begun)


async def inclusion_ms(store: TenantStore, size: int, times: int = 300) -> float:
    """Return the median of proving an entry, from the database to a proof that was checked."""
    chance, took = random.Random(size), list[float]()
    for _ in range(times):
        index = chance.randrange(size)
        begun = time.perf_counter()
        await store.inclusion(index)
        took.append((time.perf_counter() - begun) * 1e3)
    return p(took, 50)


async def proofs(where: Path, sizes: list[int]) -> list[Row]:
    opened_store = open_store(str(where / "ledger.db"), where / "keys", durable=False)
    store, secrets = opened_store.store.for_tenant(ACME), opened_store.secrets
    rows, begin, speed = list[Row](), 0, 0.0
    for size in sizes:
        speed = await grow(store, begin, size)
        reach = "<= 1.00 ms" if size == 1_000_000 else ""
        took = await inclusion_ms(store, size)
        rows.append(Row(what=f"inclusion proof of {size:,}, from the store, p50", value=took, unit="ms", reach=reach))
        begin = size
    note = "sealed, hashed, tiled and committed, 1,000 a batch"
    rows.append(Row(what="append", value=speed / 1e3, unit="k/s", note=note))
    proof = await store.inclusion(sizes[-1] // 3)
    (line,) = await store.entries(after=sizes[-1] // 3, limit=1)
    signer = await signer_of(store, secrets)
    begun = time.perf_counter()
    for _ in range(200):
        head = opened(proof.head, signer)
        assert check_inclusion(leaf_hash(line), sizes[-1] // 3, head.size, proof.path, head.root)
    rows.append(Row(what="checking it, signature included", value=(time.perf_counter() - begun) * 5, unit="ms"))
    old = opened(proof.head, signer)
    await grow(store, sizes[-1], sizes[-1] + 1_000)
    begun = time.perf_counter()
    for _ in range(200):
        await store.consistency(old)
    took = (time.perf_counter() - begun) * 5
    rows.append(Row(what=f"consistency proof of {sizes[-1]:,} + 1,000", value=took, unit="ms"))
    opened_store.close()
    return rows


async def auditing(where: Path, size: int) -> list[Row]:
    opened_store = open_store(str(where / "audit.db"), where / "keys", durable=False)
    store = opened_store.store.for_tenant(ACME)
    await grow(store, 0, size)
    begun = time.perf_counter()
    text = [line async for line in exported(store, opened_store.secrets)]
    wrote = time.perf_counter()
    lines = tuple(read(text).lines)
    parsed = time.perf_counter()
    signer, head = await signer_of(store, opened_store.secrets), await store.signed_head()
    report = audit(Export(signer=signer, size=size, lines=lines, head=head), pinned=signer, heads=[head])
    audited = time.perf_counter()
    assert report.sound
    for line in lines:
        leaf_hash(line)
    hashed = time.perf_counter()
    seal_begun = time.perf_counter()
    for n in range(20_000):
        seal(an_entry(n, Instant(1)))
    sealed = time.perf_counter() - seal_begun
    opened_store.close()

    def speed(took: float, entries: int = size) -> float:
        return entries / took / 1e3

    note = f"{size:,} entries of {len(lines[0])} bytes: tree, signature, form of each entry"
    return [
        Row(what="hash the entries and no more", value=speed(hashed - audited), unit="k/s", note="baseline"),
        Row(what="audit", value=speed(audited - parsed), unit="k/s", reach=">= 100 k/s", note=note),
        Row(what="read an export", value=speed(parsed - wrote), unit="k/s"),
        Row(what="write an export, from the store", value=speed(wrote - begun), unit="k/s"),
        Row(what="make an entry and seal it", value=speed(sealed, 20_000), unit="k/s"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="how far the ledger grows")
    options = parser.parse_args()
    sizes = [size for size in (10_000, 100_000) if size < options.entries] + [options.entries]
    with tempfile.TemporaryDirectory() as name:
        show("entries a second", asyncio.run(auditing(Path(name), min(100_000, options.entries))))
        show("proofs", asyncio.run(proofs(Path(name), sizes)))


if __name__ == "__main__":
    main()
