"""What the figures are held against: the same number of durable commits, with nothing decided, checked or signed."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

ENTRY = b"x" * 900  # as long as an entry
_TABLES = (
    "create table balance (id integer primary key, held integer, spent integer)",
    "create table entry (id integer primary key, line {blob})",
    "insert into balance values (1, 0, 0)",
)
_BEGUN = "update balance set held = held + 7 where id = 1"
_ENDED = "update balance set held = held - 7, spent = spent + 7 where id = 1"


def on_sqlite(path: Path, *, durable: bool, calls: int) -> tuple[list[float], float]:
    """Move a balance and insert an entry, twice a call. Return the CPU ms of each call, and calls a second."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
    for statement in _TABLES:
        db.execute(statement.format(blob="blob"))
    cpu, begun = list[float](), time.perf_counter()
    for _ in range(calls):
        begun_cpu = time.process_time()
        for move in (_BEGUN, _ENDED):
            db.execute("begin immediate")
            db.execute(move)
            db.execute("insert into entry (line) values (?)", [ENTRY])
            db.execute("commit")
        cpu.append((time.process_time() - begun_cpu) * 1e3)
    took = time.perf_counter() - begun
    db.close()
    return cpu, calls / took


def on_postgres(url: str, *, callers: int, calls: int) -> float:
    """Do the same with a connection for each caller, all on one balance. Return calls a second."""
    with psycopg.connect(url, autocommit=True) as db:
        for statement in _TABLES:
            db.execute(statement.format(blob="bytea").replace("integer primary", "serial primary"))  # pyright: ignore[reportArgumentType, reportCallIssue]  our own text

    def caller(_: int) -> None:
        with psycopg.connect(url) as db:
            for _ in range(calls):
                for move in (_BEGUN, _ENDED):
                    db.execute(move)
                    db.execute("insert into entry (line) values (%s)", [ENTRY])
                    db.commit()

    begun = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        list(threads.map(caller, range(callers)))
    return callers * calls / (time.perf_counter() - begun)
