"""How everything that reads or copies a whole ledger grows, from ten thousand entries to a million.

`python bench/million.py --entries 10000,100000,1000000 --store sqlite` prints the table. A history is made as
`long_history.py` says: two thousand true calls, and copies of them through the store's own writer. Each measure is a
command in a process of its own, which says how long it took, its CPU time, and its peak memory. With `--folder` the
histories stay there for the next time; a million takes 4 GB of disk a store, and as much again while it is measured.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / name) for name in ("src", "tests", "bench")]

import msgspec  # noqa: E402

from interlock import app  # noqa: E402
from interlock.core.ids import RunId, ToolName  # noqa: E402
from interlock.door.cli.main import main as interlock  # noqa: E402
from interlock.gateway.history import first_entries  # noqa: E402
from interlock.gateway.proposal import Proposal  # noqa: E402
from interlock.ledger.pruned import is_pruned  # noqa: E402
from interlock.ledger.tree import Growing, Head, leaf_hash  # noqa: E402
from long_history import CONTRACT, TENANT, Made, a_caller, make  # noqa: E402

OFTEN = 5
OLD = 1_000
BACKTEST_ENDS = (0, 1, 3)
"""What a backtest may end with: a person may have to look at what it found."""


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a measure took: seconds, seconds of CPU, peak megabytes."""

    wall: float
    cpu: float
    rss: float


@dataclass(frozen=True, kw_only=True)
class Place:
    """A history and everything that belongs to it."""

    where: str
    keys: Path
    folder: Path
    entries: int
    made: Made
    another: Callable[[], str]
    """Makes an empty store beside it."""
    copied: Callable[[], str]
    """Makes a copy of it, which may be changed."""
    bytes: int


def child(place: Place, what: str, *words: str, times: int = 1) -> Took:
    """Have a process measure, and read what it says."""
    said = json.dumps({"where": place.where, "keys": str(place.keys), "what": what, "words": words, "times": times})
    ended = subprocess.run([sys.executable, __file__, "--child", said], capture_output=True, text=True, cwd=HERE)
    if ended.returncode != 0:
        raise SystemExit(f"{what} {' '.join(words)}: {ended.stderr[-2_000:]}")
    return Took(**json.loads(ended.stdout))


def measured(said: Mapping[str, Any]) -> Took:
    """Measure in this process."""
    once = {"command": _command, "consistency": _consistency}[said["what"]]
    walls, cpus = list[float](), list[float]()
    for _ in range(said["times"]):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        once(said)
        walls.append(time.perf_counter() - begun)
        cpus.append(time.process_time() - begun_cpu)
    return Took(wall=median(walls), cpu=median(cpus), rss=_peak_megabytes())


def _peak_megabytes() -> float:
    # What `getrusage` says begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _command(said: Mapping[str, Any]) -> None:
    out, sys.stdout = sys.stdout, Path(os.devnull).open("w", encoding="utf-8")
    try:
        words = ["--store", said["where"], "--keys", said["keys"], "--tenant", TENANT, *said["words"]]
        code = interlock(words)
    finally:
        sys.stdout.close()
        sys.stdout = out
    if code not in (BACKTEST_ENDS if "backtest" in words else (0,)):
        raise SystemExit(f"it ended with {code}")


def _consistency(said: Mapping[str, Any]) -> None:
    async def proved() -> None:
        opened = app.open_store(said["where"], Path(said["keys"]))
        store = opened.store.for_tenant(TENANT)
        tree = Growing(())
        async for line in first_entries(store, OLD):
            tree.add(leaf_hash(line))
        await store.consistency(Head(size=OLD, root=tree.root()))
        opened.close()

    asyncio.run(proved())


def write_until_told(where: str, keys: Path) -> None:
    """Call one after the other until standard input closes, and say how long the slowest call took, and how many."""

    async def calls() -> dict[str, float]:
        took = list[float]()
        with app.performing(where, keys) as gateway:
            await gateway.call(a_caller("writer"), _look(0))
            print("ready", flush=True)
            ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            while not ended.done():
                begun = time.perf_counter()
                await gateway.call(a_caller("writer"), _look(len(took)))
                took.append(time.perf_counter() - begun)
        took.sort()
        return {"calls": len(took), "p50": median(took), "p99": took[len(took) * 99 // 100], "longest": took[-1]}

    print(json.dumps(asyncio.run(calls())), flush=True)


def _look(n: int) -> Proposal:
    said = json.dumps({"invoice": f"W-{os.getpid()}-{n}", "usd": 1})
    return Proposal(tool=ToolName("refund"), arguments=said, run=RunId(f"w{os.getpid()}-{n // 8}"))


@contextmanager
def writing(place: Place) -> Generator[dict[str, float]]:
    """Have another process write meanwhile; what it saw is in the answer afterwards."""
    command = [sys.executable, __file__, "--writer", place.where, str(place.keys)]
    saw = dict[str, float]()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE) as writer:
        assert writer.stdout is not None and writer.stdin is not None
        writer.stdout.readline()
        yield saw
        writer.stdin.close()
        saw |= json.loads(writer.stdout.read())


Row = tuple[str, Took | float | str]


def rows(place: Place, tell: Callable[[str], None]) -> Iterator[Row]:
    """Measure one history, the quick things first."""
    made = place.made
    yield "append, k entries/s", made.copied / made.seconds / 1e3
    yield "append, k entries/s of CPU here", made.copied / made.cpu / 1e3
    yield "disk, bytes an entry", place.bytes / place.entries
    oldest, newest = asyncio.run(_ends(place))
    for name, words in (
        ("open, and print the public key", ["ledger", "keys"]),
        ("action list", ["action", "list"]),
        ("action list --state done", ["action", "list", "--state", "done"]),
        ("budget show", ["budget", "show"]),
        ("approvals list", ["approvals", "list"]),
        ("doctor", ["doctor"]),
        ("ledger show", ["ledger", "show"]),
        ("explain, the oldest", ["explain", oldest]),
        ("explain, the newest", ["explain", newest]),
        ("inclusion proof", ["ledger", "prove", str(place.entries // 3)]),
    ):
        tell(name)
        yield name, child(place, "command", *words, times=OFTEN)
    yield f"consistency with the first {OLD:,}", child(place, "consistency", times=OFTEN)
    file, copy = (place.folder / f"{place.keys.name}.{end}" for end in ("jsonl", "backup"))
    for each in (file, copy):
        each.unlink(missing_ok=True)
    for name, words in (
        ("export", ["ledger", "export", "--out", str(file)]),
        ("ledger verify FILE", ["ledger", "verify", str(file)]),
        ("ledger verify", ["ledger", "verify"]),
        ("ledger verify --state", ["ledger", "verify", "--state"]),
        ("policy backtest", ["policy", "backtest", str(CONTRACT), "--workflow", "bank", "--env", "prod"]),
    ):
        tell(name)
        yield name, child(place, "command", *words)
    file.unlink()
    tell("backup")
    with writing(place) as alone:
        time.sleep(5)
    with writing(place) as saw:
        took = child(place, "command", "backup", str(copy))
    yield "backup, beside a writer", took
    yield "  longest call of the writer, ms", f"{saw['longest'] * 1e3:.0f} ({alone['longest'] * 1e3:.0f} alone)"
    yield "  median call of the writer, ms", f"{saw['p50'] * 1e3:.1f} ({alone['p50'] * 1e3:.1f} alone)"
    tell("restore")
    target = place.another()
    words = ("restore", str(copy), "--store", target)
    yield "restore", child(place, "command", *words)
    copy.unlink()
    tell("prune")
    yield from _pruned(replace(place, where=place.copied()))
    for left in place.folder.glob("restored-*.db*"):
        left.unlink()


def _pruned(place: Place) -> Iterator[Row]:
    """Prune what is older than the day of `bank.yaml`: all but the last day of the history."""
    before = _size(place.where)
    with writing(place) as saw:
        took = child(place, "command", "ledger", "prune", "--yes")
    gone = asyncio.run(_gone(place))
    yield "ledger prune, beside a writer", took
    yield "  entries pruned, k", gone / 1e3
    yield "  longest call beside pruning, ms", saw["longest"] * 1e3
    yield "  median call beside pruning, ms", saw["p50"] * 1e3
    _vacuum(place.where)
    yield "  MB before, and after it and a vacuum", f"{before / 1e6:.0f}, {_size(place.where) / 1e6:.0f}"


async def _gone(place: Place) -> int:
    opened = app.open_store(place.where, place.keys)
    store, count, after = opened.store.for_tenant(TENANT), 0, 0
    try:
        while lines := await store.entries(after=after):
            after += len(lines)
            count += sum(map(is_pruned, lines))
        return count
    finally:
        opened.close()


def _vacuum(where: str) -> None:
    if where.startswith("postgres"):
        import psycopg

        with psycopg.connect(where, autocommit=True) as db:
            db.execute("vacuum full")
    else:
        with closing(sqlite3.connect(where)) as file:
            file.execute("vacuum")
            file.execute("pragma wal_checkpoint(truncate)")


async def _ends(place: Place) -> tuple[str, str]:
    opened = app.open_store(place.where, place.keys)
    store = opened.store.for_tenant(TENANT)
    try:
        first, last = await store.entries(after=1, limit=1), await store.entries(after=place.entries - 1, limit=1)
        return json.loads(first[0])["action"], json.loads(last[0])["action"]
    finally:
        opened.close()


@contextmanager
def history(folder: Path, kind: str, entries: int) -> Generator[Place]:
    """Make a history, or take the one that is there."""
    keys, told = folder / f"keys-{kind}-{entries}", folder / f"made-{kind}-{entries}.json"
    with ExitStack() as stack:
        if kind == "sqlite":
            file = folder / f"sqlite-{entries}.db"
            where, another = str(file), lambda: str(folder / f"restored-{entries}.db")
            copied = partial(_file_copied, file)
        else:
            from postgres import Server

            server = Server.start(folder / "postgres")
            stack.callback(server.stop)
            if not told.exists():
                server.a_database(f"h{entries}")
            where = server.url.replace("/postgres?", f"/h{entries}?")
            another = lambda: server.a_database(f"restored_{entries}_{os.getpid()}")  # noqa: E731
            copied = lambda: server.a_database(f"copied_{entries}_{os.getpid()}", like=f"h{entries}")  # noqa: E731
        if not told.exists():
            told.write_bytes(msgspec.json.encode(asyncio.run(make(where, keys, entries))))
        made = msgspec.json.decode(told.read_bytes(), type=Made)
        yield Place(
            where=where,
            keys=keys,
            folder=folder,
            entries=made.entries,
            made=made,
            another=another,
            copied=copied,
            bytes=_size(where),
        )


def _file_copied(file: Path) -> str:
    copy = file.with_name(f"restored-copy-of-{file.name}")
    shutil.copy(file, copy)
    return str(copy)


def _size(where: str) -> int:
    if not where.startswith("postgres"):
        return Path(where).stat().st_size
    import psycopg

    with psycopg.connect(where) as db:
        found = db.execute("select pg_database_size(current_database())").fetchone()
    assert found is not None
    return found[0]


def table(kind: str, sizes: Sequence[int], found: Mapping[str, Sequence[Took | float | str]]) -> None:
    """Print a column for each size, and by how much the time has grown where the entries grew `linear` times."""
    linear = sizes[-1] / sizes[0]
    print(f"\n{kind}: seconds (of which CPU) and peak MB; growth from {sizes[0]:,}, linear is {linear:,.0f}x")
    print(f"{'':36}" + "".join(f"{size:>22,}" for size in sizes) + f"{'growth':>9}{'CPU':>8}")
    for name, values in found.items():
        cells, growth = list[str](), ""
        for value in values:
            match value:
                case Took():
                    cells.append(f"{value.wall:.2f} ({value.cpu:.2f}) {value.rss:.0f} MB")
                case float():
                    cells.append(f"{value:,.1f}")
                case _:
                    cells.append(str(value))
        first, last = values[0], values[-1]
        if isinstance(first, Took) and isinstance(last, Took):
            growth = f"{last.wall / first.wall:>8.1f}x{last.cpu / first.cpu:>7.1f}x"
        print(f"{name:36}" + "".join(f"{cell:>22}" for cell in cells) + growth)


def measure(folder: Path, kind: str, sizes: Sequence[int]) -> None:
    found: dict[str, list[Took | float | str]] = {}
    for size in sizes:
        with history(folder, kind, size) as place:

            def tell(name: str, size: int = size) -> None:
                print(f"{kind} {size:,}: {name}", file=sys.stderr, flush=True)

            for name, value in rows(place, tell):
                found.setdefault(name, []).append(value)
                print(f"{kind} {size:,}: {name}: {value}", file=sys.stderr, flush=True)
    table(kind, sizes, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", default="10000,100000,1000000", help="how long the histories are")
    parser.add_argument("--store", choices=["sqlite", "postgres"], action="append", help="default: both")
    parser.add_argument("--folder", type=Path, help="where the histories are kept; default: nowhere")
    options = parser.parse_args()
    sizes = [int(size) for size in options.entries.split(",")]
    with tempfile.TemporaryDirectory(prefix="interlock-million-") as name:
        for kind in options.store or ("sqlite", "postgres"):
            measure(options.folder or Path(name), kind, sizes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(vars(measured(json.loads(sys.argv[2])))))
    elif sys.argv[1:2] == ["--writer"]:
        write_until_told(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
