"""Scratch stores: made for one process and thrown away with it, also if it was killed: the next one sweeps them up.

Whoever works on a scratch holds a shared lock that ends with the process: `flock` on its folder, an advisory lock of
its session on its schema. A scratch whose lock is free belongs to nobody that lives.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from interlock.core.errors import StoreClosed

if TYPE_CHECKING:
    import psycopg

_SCHEMA = re.compile(r"interlock_verify_[0-9a-f]{8}")
_COMMENT = "scratch of interlock verify"
"""Written with the schema in one transaction: what has it was made here."""
_LOCK = "hashtextextended(%s, 0)"


@contextmanager
def scratch_folder(within: Path, prefix: str) -> Generator[Path]:
    """Make a folder that is gone afterwards, and throw away those of this user that nobody works in any more.

    Args:
        within: where it lies.
        prefix: how its name begins; no other folder of `within` may begin like that.

    Raises:
        StoreClosed: none can be made.
    """
    _sweep_folders(within, prefix)
    try:
        folder, lock = _made(within, prefix)
    except OSError as error:
        fix = "make the folder writable, or name another `--store`"
        raise StoreClosed(f"no scratch folder can be made in `{within}`", fix=fix) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def folder_in_use(folder: Path) -> Generator[None]:
    """Keep a scratch folder from being swept up while another process than its maker works in it."""
    lock = _opened(folder)
    try:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


def _made(within: Path, prefix: str) -> tuple[Path, int]:
    """Make a folder and lock it; one that was swept up between the two is made again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
        with suppress(FileNotFoundError):
            lock = _opened(folder)
            # A file system that knows no such locks has none to sweep by, either.
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_SH)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _sweep_folders(within: Path, prefix: str) -> None:
    with suppress(OSError):
        for path in sorted(within.glob(f"{prefix}*")):
            with suppress(OSError):
                _sweep(path)


def _sweep(path: Path) -> None:
    if path.lstat().st_uid != os.getuid():
        return
    lock = _opened(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


@contextmanager
def scratch_schema(url: str) -> Generator[str]:
    """Make a schema that is gone afterwards, drop those that nobody works in any more, and return its address.

    Args:
        url: the database, as `postgresql://...`.

    Raises:
        StoreClosed: none can be made, or this connection does not keep a search path.
    """
    try:
        import psycopg  # noqa: PLC0415  an extra
    except ImportError as error:
        fix = "install it with its extra: `pip install 'interlock[postgres]'`"
        raise StoreClosed("this installation cannot speak to Postgres", fix=fix) from error
    name = f"interlock_verify_{token_hex(4)}"
    where = _with_search_path(url, name)
    with ExitStack() as stack:
        try:
            db = stack.enter_context(closing(psycopg.connect(url, autocommit=True)))
            _sweep_schemas(db)
            # Before the schema is there, so that nobody sees it without its lock.
            _lock(db, name)
            with db.transaction():
                _run(db, f"create schema {name}")
                _run(db, f"comment on schema {name} is '{_COMMENT}'")
        except psycopg.Error as error:
            raise StoreClosed(
                "no scratch schema can be made in this database",
                fix="grant the user `create` on the database, or name another with `--store`",
            ) from error
        stack.callback(_drop, url, name)
        if _current(where) != name:
            # Behind a pooler that drops it, everything would be written beside the tables of the user.
            fix = "name the server itself with `--store`, not a pooler before it"
            raise StoreClosed("this connection does not keep a search path", fix=fix)
        yield where


@contextmanager
def schema_in_use(where: str) -> Generator[None]:
    """Keep a scratch schema from being dropped while another process than its maker works in it."""
    import psycopg  # noqa: PLC0415  an extra

    with closing(psycopg.connect(where, autocommit=True)) as db:
        _lock(db, _current(where) or "")
        yield


def _drop(url: str, name: str) -> None:
    import psycopg  # noqa: PLC0415  an extra

    # On a connection of its own: the one that has the lock may be broken by now.
    with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as db:
        _run(db, f"drop schema {name} cascade")


def _lock(db: "psycopg.Connection[Any]", name: str) -> None:
    # A session that does nothing may be ended by the server, and its lock with it.
    _run(db, "set idle_session_timeout = 0")
    _run(db, f"select pg_advisory_lock_shared({_LOCK})", name)


def _sweep_schemas(db: "psycopg.Connection[Any]") -> None:
    for name in _schemas(db):
        ((free,),) = _run(db, f"select pg_try_advisory_lock({_LOCK})", name)
        if not free:
            continue
        import psycopg  # noqa: PLC0415  an extra

        with suppress(psycopg.Error):
            _run(db, f"drop schema if exists {name} cascade")
        _run(db, f"select pg_advisory_unlock({_LOCK})", name)


def _schemas(db: "psycopg.Connection[Any]") -> Iterator[str]:
    found = _run(db, "select nspname from pg_namespace where obj_description(oid, 'pg_namespace') = %s", _COMMENT)
    yield from (name for (name,) in found if _SCHEMA.fullmatch(name))


def _current(where: str) -> str | None:
    import psycopg  # noqa: PLC0415  an extra

    with psycopg.connect(where, autocommit=True) as db:
        ((name,),) = _run(db, "select current_schema()")
    return name


def _run(db: "psycopg.Connection[Any]", sql: str, *values: str) -> list[tuple[Any, ...]]:
    """Run a statement of ours. What stands in it beside values are names that were matched or drawn here."""
    cursor = db.execute(sql, values or None)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return cursor.fetchall() if cursor.description else []


def _with_search_path(url: str, schema: str) -> str:
    parts = urlsplit(url)
    options = parse_qs(parts.query, keep_blank_values=True)
    earlier = options.get("options", [""])[0]
    options["options"] = [f"{earlier} -c search_path={schema}".strip()]
    query = urlencode(options, doseq=True, quote_via=quote)
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{query}"
