"""The page on SQL tools, typed: publish, read, write, read what was written."""

import shutil
import sqlite3
from pathlib import Path

from command_line import ROOT, Shell

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
