"""The page on SQL tools, typed: publish, read, write, read what was written."""

import io
import json
import shutil
import sqlite3
import sys
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest

from command_line import ROOT, Shell
from postgres import Server

CODE = ROOT / "docs_src" / "sql_tools"


def test_a_statement_is_published_and_called(on_file: Shell) -> None:
    shutil.copy(CODE / "crm.sql", "crm.sql")
    with sqlite3.connect("crm.db") as db:
        db.executescript((CODE / "schema.sql").read_text(encoding="utf-8"))
        db.execute("update customers set tenant = ? where id = 1", (on_file.tenant,))
    db.close()
    text = (CODE / "contract.yaml").read_text(encoding="utf-8").replace("default", on_file.tenant)
    Path("contract.yaml").write_text(text, encoding="utf-8")
    on_file("contract", "publish", "contract.yaml", "--env", "dev")
    assert "`note_call`: the statement writes, so it is `queryable`" in on_file.err

    def call(tool: str, arguments: str, code: int = 0) -> object:
        return on_file.data("call", tool, arguments, "--for", "sam", code=code).get("result")

    assert call("find_customer", '{"mail":"sam@example.com"}') == {"id": 1, "name": "Sam", "credit": 12.5}
    assert call("find_customer", '{"mail":"ann@example.com"}') is None
    assert call("note_call", '{"customer":1,"note":"hello"}') == {"id": 1}
    (noted,) = on_file.data("call", "calls_of", '{"customer":1}', "--for", "sam")["result"]
    assert noted["note"] == "hello"
    on_file("call", "note_call", '{"customer":0,"note":"x"}', "--for", "sam", code=5)
    on_file("contract", "check", "contract.yaml")
    assert on_file.data("contract", "show", "--tool", "note_call")["yaml"].count("queryable") == 1
    assert doctor(on_file) == ("ok", "4 statements are taken by the databases")
    with sqlite3.connect("crm.db") as db:
        db.execute("alter table customers drop column credit")
    db.close()
    state, said = doctor(on_file)
    assert (state, "`find_customer`: the database does not take" in said, "no such column: credit" in said) == (
        "wrong",
        True,
        True,
    )


def doctor(shell: Shell) -> tuple[str, str]:
    """What the doctor says of statements, the worst first."""
    _, out = shell.run("doctor", "--json")
    found = [each for each in json.loads(out)["checks"] if each["check"] == "statements"]
    return found[0]["state"], found[0]["found"]


def test_where_nothing_speaks_to_postgres_no_statement_of_it_is_published(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "interlock.tool.sql_postgres_try", None)  # as on a machine without psycopg
    Path("crm.sql").write_text("-- name: look\nselect 1 as one;\n", encoding="utf-8")
    text = (CODE / "contract.yaml").read_text(encoding="utf-8").replace("default", on_file.tenant)
    text = text.replace(
        "{ sqlite: crm.db }", '{ postgres: { role: clerk, address: "postgresql://nobody@127.0.0.1:1/x" } }'
    )
    tools = 'tools:\n  look: { from: "sql:crm.sql#look", tier: green, price: 0 }\n'
    Path("contract.yaml").write_text(
        text[: text.index("tools:")] + tools + "permissions: { allowed_tools: [look] }\n", encoding="utf-8"
    )
    said = on_file.failed("contract", "publish", "contract.yaml", "--env", "dev")
    assert "cannot speak to Postgres" in said and "interlock[postgres]" in on_file.err


@pytest.mark.slow
def test_a_statement_is_tried_on_postgres_before_it_is_needed(
    on_file: Shell, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    url = postgres_server.a_database(f"crm_{token_hex(4)}")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create table customers (id integer, name text)")
        db.execute("do $$ begin create role crm_clerk; exception when duplicate_object then null; end $$")

    def publish(text: str, *, code: int = 0) -> str:
        Path("crm.sql").write_text(f"-- name: look\n{text}", encoding="utf-8")
        return on_file("contract", "publish", "contract.yaml", "--env", "dev", code=code) + on_file.err

    def secret(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
        on_file("secret", "set", "crm", "--workflow", "crm", "--env", "dev")

    Path("contract.yaml").write_text(
        f"interlock: 1\nworkflow: crm\ntenant: {on_file.tenant}\nenvironments: {{ dev: {{ mode: act }} }}\n"
        "databases: { crm.sql: { postgres: { role: crm_clerk } } }\n"
        'tools: { look: { from: "sql:crm.sql#look", tier: green, price: 0, secret: crm } }\n'
        "permissions: { allowed_tools: [look] }\n",
        encoding="utf-8",
    )
    secret(url)
    said = publish("-- param id: string\nselect name from customers where id = :id", code=1)
    assert "`look`: `:id` is of type integer to the database, and its argument is a text" in said
    assert "fix: write `-- param id: integer`, or cast it: `:id::text`" in said
    right = "-- param id: integer\nselect name from customers where id = :id"
    said = publish(right, code=1)
    assert "permission denied for table customers" in said
    assert "fix: grant `crm_clerk` what the statement needs" in said
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("grant select on customers to crm_clerk")
    assert "nobody has tried" not in publish(right)
    assert doctor(on_file) == ("ok", "1 statement is taken by the databases")
    secret("postgresql://canary:canary-pw@127.0.0.1:1/crm")
    assert "nobody has tried the statement, `interlock doctor` does: " in publish(right)
    state, said = doctor(on_file)
    assert (state, "the database of `look` cannot be connected to" in said) == ("wrong", True)
    assert "canary" not in said + on_file.err
