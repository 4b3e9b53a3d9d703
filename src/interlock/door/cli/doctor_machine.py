"""What the doctor looks at beside the store: versions, room on the disk, filesystems, clocks, who has a lock."""

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from interlock.app import is_postgres
from interlock.config import Settings
from interlock.core.ids import Instant
from interlock.core.limits import CLOCK_DRIFT_MICROS_MAX, DISK_FREE_BYTES_MIN
from interlock.door.cli.doctor_check import Checked, ok, warning, wrong
from interlock.door.cli.render import span
from interlock.ports import Clock

_PYTHON_MIN = (3, 11)
_SQLITE_MIN = (3, 37)
"""The first one with strict tables."""
_ROOM = 16
"""Below so many times the room that starts need, it is time to look."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?([^;]*)(?:;.*extra == ['\"](\w+)['\"].*)?")
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([0-9][0-9.]*)")
_ELSEWHERE = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "afs",
    "fuse.sshfs",
    "fuse.s3fs",
}
_IN_MEMORY = {"tmpfs", "ramfs"}


def versions() -> Iterator[Checked]:
    """Look at Python and at the SQLite that comes with it."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON_MIN:
        yield wrong("python", f"Python {python}", "install Python 3.11 or newer")
    elif sqlite3.sqlite_version_info[:2] < _SQLITE_MIN:
        yield wrong("python", f"SQLite {sqlite3.sqlite_version}", "install a Python that brings SQLite 3.37 or newer")
    else:
        yield ok("python", f"Python {python}, SQLite {sqlite3.sqlite_version}")


def packages(settings: Settings) -> Iterator[Checked]:
    """Hold what is installed against what this version was made for."""
    try:
        asked, own = metadata.requires("interlock") or [], metadata.version("interlock")
    except metadata.PackageNotFoundError:
        yield warning(
            "packages",
            "Interlock is not installed, only found",
            "install it: `pip install -e .` in the folder of its source",
        )
        return
    count = 0
    for requirement in asked:
        found = _REQUIREMENT.match(requirement)
        if found is None or found[3] not in (None, "postgres" if is_postgres(settings.store) else None):
            continue
        count += 1
        yield from _package(
            found[1], found[2], f"interlock[{found[3]}]" if found[3] else f"{found[1]}{found[2].strip()}"
        )
    yield ok("packages", f"Interlock {own}; the {count} packages that it needs fit")


def _package(name: str, bounds: str, brings: str) -> Iterator[Checked]:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        yield wrong("packages", f"`{name}` is not installed", f"install it: `pip install '{brings}'`")
        return
    if not fits(version, bounds):
        what = f"`{name}` has version {version}, and {bounds.strip()} is needed"
        yield wrong("packages", what, f"install another one: `pip install '{name}{bounds.strip()}'`")


def fits(version: str, bounds: str) -> bool:
    """Say whether a version is within bounds such as `<5,>=4.12`. Only its numbers count."""
    has = _numbers(version)
    for sign, text in _BOUND.findall(bounds):
        limit = _numbers(text)
        length = max(len(has), len(limit))
        one, other = (each + (0,) * (length - len(each)) for each in (has, limit))
        holds = {">=": one >= other, "<=": one <= other, "==": one == other, "<": one < other, ">": one > other}
        if not holds[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def disk(settings: Settings) -> Iterator[Checked]:
    """Look how much room is left where Interlock writes."""
    places = {nearest(settings.file.parent)} if settings.file else set[Path]()
    places.add(nearest(settings.keys))
    # Of several folders on one disk, one speaks for all.
    for place in {each.stat().st_dev: each for each in sorted(places)}.values():
        free = shutil.disk_usage(place).free
        said = f"{free / 1024**3:,.1f} GiB are free on the disk of `{place}`"
        if free < DISK_FREE_BYTES_MIN:
            yield wrong("disk", f"{said}: nothing starts there any more", "make room on it")
        elif free < _ROOM * DISK_FREE_BYTES_MIN:
            yield warning("disk", said, f"make room before it is below {DISK_FREE_BYTES_MIN // 1024**2} MiB")
        else:
            yield ok("disk", said)


def filesystem(path: Path) -> Iterator[Checked]:
    """Look what kind of filesystem a SQLite file is on: its locks must hold, and its commits must last."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    kind = kind_of_filesystem(Path(os.path.realpath(nearest(path))), mounts)
    if kind in _ELSEWHERE:
        what = f"the store is on a network filesystem ({kind}), where locks and commits do not hold"
        yield wrong("durability", what, "put the file on a disk of this machine, or use Postgres")
    elif kind in _IN_MEMORY:
        what = f"the store is in memory ({kind}): it is gone when the machine starts again"
        yield warning("durability", what, "put the file on a disk")


def kind_of_filesystem(path: Path, mounts: str) -> str:
    """Find the kind of the filesystem that a path is on, in the table of mounts of this process."""
    best, kind = "", ""
    for line in mounts.splitlines():
        where, _, what = line.partition(" - ")
        fields = where.split(" ")
        if len(fields) < 5 or not what:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        # Of two at one place the later one covers the earlier one.
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, what.split(" ")[0]
    return kind


def sandbox() -> Iterator[Checked]:
    """Say whether servers that contracts start run in a sandbox."""
    there = shutil.which("bwrap") is not None
    how = "in a sandbox" if there else "without a sandbox: install `bubblewrap` for one"
    yield ok("sandbox", f"servers that a contract starts run {how}")


def clock_of_process(clock: Clock, first: int) -> Iterator[Checked]:
    """Hold the wall clock against the boot clock: `first` is how far they were apart as the doctor began."""
    drift = (clock.now() - clock.boot()) - first
    if abs(drift) > CLOCK_DRIFT_MICROS_MAX:
        what = f"the wall clock has just jumped by {span(drift)} against the boot clock"
        yield wrong("clock", what, "let the time settle; then `interlock clock accept` vouches for it")


def clock_of_server(now: Instant, server: Instant) -> Iterator[Checked]:
    """Hold the clock of this machine against that of the database, which counts."""
    apart = server - now
    if abs(apart) > CLOCK_DRIFT_MICROS_MAX:
        way = "ahead of" if apart > 0 else "behind"
        what = f"the database's clock, which counts, is {span(apart)} {way} this machine's"
        yield warning("clock", what, "let both follow the same time servers")


def lock(file: Path) -> Iterator[Checked]:
    """Say which process performs on a SQLite file. A lock file without a process is of no account."""
    path = file.with_name(f"{file.name}.lock")
    if not path.exists():
        yield ok("performing", "no process performs on the store")
        return
    holders = holders_of(path.stat(), _locks())
    if holders:
        yield ok("performing", f"process {', '.join(holders)} performs on the store")
    else:
        yield ok("performing", f"no process performs on the store; `{path.name}` is left over and of no account")


def holders_of(file: os.stat_result, locks: str) -> list[str]:
    """Find the processes that have locked a file, in the kernel's table of locks."""
    where = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    lines = [line.split() for line in locks.splitlines()]
    return [line[4] for line in lines if len(line) > 5 and line[1] == "FLOCK" and line[5] == where]


def _locks() -> str:
    try:
        return Path("/proc/locks").read_text(encoding="utf-8")
    except OSError:
        return ""


def nearest(path: Path) -> Path:
    """Name the folder that is there, of those that lead to a path."""
    whole = Path(os.path.abspath(path))
    return next(each for each in (whole, *whole.parents) if each.is_dir())
