"""A canary in the place of a secret: wherever Interlock writes or prints, it is looked for in every spelling."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.till import CANARY, NAMES, Till
from command_line import Shell, shell_on
from interlock.app import back_up, is_postgres
from interlock.secret.environment import variable_of
from interlock.secret.kept import SecretId
from spelled import SPELLED

FORMS = {how: spell(CANARY).strip() for how, spell in SPELLED.items()}
CORES = {
    **FORMS,
    # What stands around it decides the first and the last digits of a code.
    **{how: form[4:-6] for how, form in FORMS.items() if how.startswith("base")},
}


def found_in(where: str, raw: bytes) -> Iterator[str]:
    """Name every spelling of the canary that stands in these bytes, as they are or as JSON would write them."""
    low = raw.lower()
    for how, form in CORES.items():
        if form.lower().encode() in low or json.dumps(form)[1:-1].lower().encode() in low:
            yield f"{where}: {how}"


@pytest.fixture
def till(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Till]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")
    yield Till(shell_on(where, tmp_path, capsys), monkeypatch)


def everything_printed(shell: Shell, *words: str) -> str:
    """Run a command for people and for programs, and return all that it says."""
    told = ""
    for line in (words, (*words, "--json")):
        _, out = shell.run(*line)
        told += out + shell.err
    return told


def every_row(where: str) -> bytes:
    """Return every value that every table of a Postgres database holds."""
    with psycopg.connect(where) as db:
        names = db.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        assert names
        found = b""
        for (name,) in names:
            for row in db.execute(f"select * from {name}".encode()).fetchall():
                found += b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
        return found


def test_the_search_finds_what_it_looks_for() -> None:
    for how, form in FORMS.items():
        assert f"x: {how}" in list(found_in("x", b"..." + form.encode() + b"..."))
    assert list(found_in("x", b"sk_live, and nothing else")) == []


@pytest.mark.slow
@pytest.mark.promise("secret")
@pytest.mark.parametrize("source", ["file", "environment"])
def test_a_canary_is_found_nowhere(
    till: Till, source: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    shell = till.shell
    told = ""
    if source == "file":
        till.typing(CANARY)
        told += everything_printed(shell, "secret", "set", "pay", "--workflow", "till", "--env", "prod")
    else:
        till.keys.mkdir(exist_ok=True)
        (till.keys / "secrets.yaml").write_text("source: environment\n", "utf-8")
        id = SecretId(tenant=shell.tenant, workflow="till", environment="prod", name="pay")  # pyright: ignore[reportArgumentType]
        monkeypatch.setenv(variable_of(id), CANARY)
    till.publish()
    actions: list[str] = []
    for how in ("plain", "reversed and swapped", "url", "json, each sign", "base64 after 1", "hex"):
        for name in NAMES:
            _, out = shell.run("call", name, json.dumps({"how": how}), "--json")
            told += out + shell.err
            actions.append(json.loads(out)["action"])
    for id in actions:
        told += everything_printed(shell, "explain", id) + shell("action", "show", id)
    for words in (("secret", "list"), ("secret", "check"), ("ledger", "show", "--limit", "1000"), ("action", "list")):
        told += everything_printed(shell, *words)
    told += everything_printed(shell, "ledger", "export") + everything_printed(shell, "doctor")
    told += everything_printed(shell, "contract", "show")
    assert "[secret pay]" in told
    found = [*found_in("printed", told.encode()), *found_in("logged", caplog.text.encode())]
    if is_postgres(shell.where):
        found += found_in("the database", every_row(shell.where))
    else:
        back_up(shell.where, till.keys, shell.folder / "whole.backup", keys_to=shell.folder / "keys.backup")
        assert (shell.folder / "interlock.db").stat().st_size > 0
    for path in (path for path in shell.folder.rglob("*") if path.is_file()):
        found += found_in(path.name, path.read_bytes())
    assert found == []
