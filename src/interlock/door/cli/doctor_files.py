"""What the doctor looks at of store and keys from outside: that they are there, whole, apart, and nobody else's."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from interlock import app
from interlock.config import Settings
from interlock.core.errors import UsageWrong
from interlock.door.cli.doctor_check import Checked, ok, warning, wrong
from interlock.door.cli.doctor_machine import nearest
from interlock.secret.installed import sealed_file
from interlock.secret.settings import read_settings

_BEGIN = "begin with `interlock contract init`; publishing what it writes makes the store"
_SEED_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_CONNECTIONS_MAX = 0.8
"""Above this part of what Postgres allows, another gateway may find the door shut."""
_POSTGRES_MIN = 140_000


def there(settings: Settings) -> bool:
    """Whether there is anything that could be looked at."""
    if settings.file is None:
        return True
    try:
        settings.file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # whoever looks at it says why it cannot be seen
    return True


def no_store(settings: Settings) -> Iterator[Checked]:
    """Say how to begin, and whether anybody could begin there."""
    places = [settings.file.parent] if settings.file is not None else []
    for place in map(nearest, [*places, settings.keys]):
        if not os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            what = f"there is no store at `{settings.shown}` yet, and `{place}` cannot be written"
            yield wrong("store", what, "let the user who runs Interlock write it, or name another place with `--store`")
            return
    yield warning("store", f"there is no store at `{settings.shown}` yet", _BEGIN)


def store(settings: Settings, look: app.Look) -> Iterator[Checked]:
    """Look whether the store is ours, whole, of our version, and may be written."""
    where = settings.shown
    if look.version is None:
        yield warning("store", f"`{where}` has no tables of ours yet", _BEGIN)
        return
    if look.damage:
        yield wrong("store", f"`{where}` is damaged: {look.damage}", "put a backup back: `interlock restore FILE`")
        return
    plan = app.migration(settings.store)
    if plan.steps:
        what = f"`{where}` has version {plan.found}, and this program writes version {plan.writes}"
        yield wrong("store", what, "see what would change: `interlock migrate --dry-run`")
        return
    file = settings.file
    for path in (file, file.parent) if file else ():
        if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            yield wrong("store", f"`{path}` cannot be written", f"let the user who runs Interlock write `{path}`")
            return
    size = f", {file.stat().st_size / 1024**2:,.1f} MiB" if file else ""
    yield ok("store", f"`{where}` can be read, version {plan.found}{size}")


def durability(settings: Settings, look: app.Look) -> Iterator[Checked]:
    """Look whether a commit that was answered survives a loss of power."""
    said = look.settings
    if settings.file is not None:
        yield ok("durability", f"commits wait for the disk (journal {said['journal_mode']}, synchronous full)")
        return
    for name, off in (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")):
        if said.get(name) == off:
            what = f"Postgres runs with `{name} = off`: a loss of power loses what was answered"
            yield wrong("durability", what, f"set `{name} = on` in postgresql.conf, and reload it")
    if int(said.get("server_version_num", 0)) < _POSTGRES_MIN:
        yield wrong("durability", "Postgres is older than version 14", "install Postgres 14 or newer")
    used, most = int(said["connections"]), int(said["max_connections"])
    if used > _CONNECTIONS_MAX * most:
        what = f"{used} of {most} connections are taken; a gateway takes up to 6"
        yield warning("connections", what, "raise `max_connections`, or close what is idle")
    major = int(said["server_version_num"]) // 10_000
    yield ok("durability", f"Postgres {major}, {used} of {most} connections taken")


def keys(settings: Settings, *, new: bool = False) -> Iterator[Checked]:
    """Look whether the keys are there, whole, and readable by nobody else. A store without tables has none yet."""
    folder, seed = settings.keys, settings.keys / "master.seed"
    if not seed.exists():
        if new or (settings.file is not None and not settings.file.exists()):
            yield ok("keys", f"none yet: publishing makes them in `{folder}`")
        else:
            fix = "name their folder with `--keys`, or restore it; without them nothing is believed or read"
            yield wrong("keys", f"the keys of this store are not in `{folder}`", fix)
        return
    if seed.stat().st_size != _SEED_BYTES:
        yield wrong("keys", f"`{seed}` is not a master seed", "restore it from a copy")
    if folder.stat().st_mode & _OTHERS:
        yield warning("keys", f"others can look into `{folder}`", f"run `chmod 700 {folder}`")
    try:
        read_settings(folder)
    except UsageWrong as error:
        yield wrong("secrets", str(error), error.fix)
    sealed = sealed_file(folder).path
    files = [seed, *([folder / "keys.db"] if settings.file else []), *([sealed] if sealed.exists() else [])]
    for path in files:
        yield from _own(path)
    yield ok("keys", f"in `{folder}`, whole, and nobody else's")


def keys_left(look: app.Look) -> Iterator[Checked]:
    """Look whether a key that is destroyed goes from the file of its table."""
    if look.keys_left:
        what = "this role does not own the table `interlock_key`: a destroyed key stays in its file"
        fix = "let its owner run `vacuum full interlock_key` after each erasure, or give the table to this role"
        yield warning("keys", what, fix)


def _own(path: Path) -> Iterator[Checked]:
    if not path.exists():
        yield wrong("keys", f"`{path}` is not there: no payload can be read", "restore it from a copy")
        return
    found = path.stat()
    if found.st_mode & _OTHERS:
        yield wrong("keys", f"others can read `{path}`", f"run `chmod 600 {path}`")
    if found.st_uid != os.geteuid():
        what = f"`{path}` belongs to user {found.st_uid}, and this is user {os.geteuid()}"
        yield warning("keys", what, "run Interlock as one user, and give it its files")


def keys_apart(settings: Settings, *, production: bool) -> Iterator[Checked]:
    """Look whether a copy of the database, or of a git work tree, would take the keys along."""
    if not settings.keys.is_dir():
        return
    folder, file = settings.keys.resolve(), settings.file
    beside = file.resolve().parent if file else None
    fix = "move the folder elsewhere, and name it with `--keys` or INTERLOCK_KEYS"
    if beside == folder:
        yield warning("keys apart", f"the keys lie in the folder of the database, `{folder}`", fix)
    elif beside is not None and production and folder.is_relative_to(beside):
        what = "the keys lie below the folder of the database, so a copy of one takes the other along"
        yield warning("keys apart", what, fix)
    yield from _out_of_git(settings.keys, settings.keys / "master.seed")


def _out_of_git(folder: Path, seed: Path) -> Iterator[Checked]:
    name = seed.name
    ignored = _git(folder, "check-ignore", "-q", name)
    if ignored not in (0, 1):
        if any((each / ".git").exists() for each in folder.resolve().parents):
            what = f"`{folder}` is in a git work tree, and git does not say whether it ignores it"
            yield warning("keys apart", what, f"try `git check-ignore {seed}`")
        else:
            yield ok("keys apart", "the keys are in no git work tree")
    elif _git(folder, "ls-files", "--error-unmatch", name) == 0:
        fix = f"run `git rm --cached {seed}`; who has a copy of the repository has the keys, so begin with new ones"
        yield wrong("keys apart", f"git keeps `{seed}`", fix)
    elif ignored == 1:
        what = f"`{folder}` is in a git work tree, and git does not ignore it"
        yield warning("keys apart", what, f"add `{folder}/` to .gitignore")
    else:
        yield ok("keys apart", "the keys are in a git work tree, and git ignores them")


def _git(folder: Path, *words: str) -> int | None:
    """Return how git ends; nothing where there is no git."""
    try:
        ended = subprocess.run(["git", *words], cwd=folder, capture_output=True, timeout=10, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.returncode
