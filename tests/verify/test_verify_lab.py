"""The scratch store of `verify` is never the store of the user, and shows nobody its password."""

import asyncio
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interlock import app
from interlock.core.errors import StoreClosed
from interlock.verify import killing
from interlock.verify.lab import Lab, lab_like
from postgres import Server

pytestmark = pytest.mark.slow


def test_behind_a_pooler_that_drops_the_search_path_nothing_is_begun(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.a_database(f"pool{token_hex(4)}")
    real = psycopg.connect

    def pooled(url: str, **more: Any) -> Any:
        known: dict[str, Any] = dict(conninfo_to_dict(url))
        known.pop("options", None)
        more.pop("options", None)
        return real(make_conninfo("", **known), **more)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", pooled)
        with pytest.raises(StoreClosed, match="search path"), lab_like(url):
            pytest.fail("it was begun")
    with real(url) as db:
        assert db.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


def test_the_address_of_a_socket_stays_one_of_postgres(postgres_server: Server) -> None:
    url = f"postgresql:///postgres?user=postgres&host={postgres_server.folder}"
    with lab_like(url) as lab:
        assert app.is_postgres(lab.where)
        world = lab.world()
        asyncio.run(world.publish())


def test_the_password_of_a_store_is_in_no_argument_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def popen(command: list[str], **more: Any) -> None:
        seen.extend(command)
        raise RuntimeError

    monkeypatch.setattr(killing.subprocess, "Popen", popen)
    lab = Lab(where="postgresql://shop:hunter2@db/shop", folder=tmp_path)
    with pytest.raises(RuntimeError):
        killing.kill_and_freeze(lab, kills=1, freezes=1, tell=lambda done: None)
    assert seen
    assert not [word for word in seen if "hunter2" in word]


def test_the_keys_are_looked_at_and_what_is_not_is_said(where: str) -> None:
    with lab_like(where) as lab:
        lab.world().opened.secrets.keys.find_or_make("a-planted-word", lambda: b"and-its-key")
        stored = b"".join(lab.everything())
        assert (b"a-planted-word" in stored, b"and-its-key" in stored) == (True, True)
        assert lab.unseen == ("" if where.endswith(".db") else "the write-ahead log and the log files of the server")
