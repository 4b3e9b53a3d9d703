"""`data`: what people are shown of what is kept of somebody, and what becomes of it."""

import json

import pytest

from command_line import Shell

pytestmark = pytest.mark.promise("forget")

WITH_SUBJECT = {"    price: 0.05\n": "    price: 0.05\n    subject: $.args.invoice\n"}


def test_what_is_kept_of_somebody_is_handed_out_and_erased(shell: Shell) -> None:
    shell.publish(**WITH_SUBJECT)
    id = shell.refund("INV-1", 20)["action"]
    shell.refund("INV-4", 20)
    assert shell.data("data", "show", "INV-1")["actions"] == [id]
    out = shell.folder / "kept.jsonl"
    assert shell("data", "export", "INV-1", "--out", str(out)) == f"1 action written to {out}\n"
    assert out.stat().st_mode & 0o077 == 0
    (line,) = [json.loads(each) for each in out.read_text(encoding="utf-8").splitlines()]
    assert (line["arguments"], line["result"]["id"]) == ({"invoice": "INV-1", "usd": 20}, 7)
    assert "is there already" in shell.failed("data", "export", "INV-1", "--out", str(out)) or shell.err
    assert "nothing was erased" in shell.failed("data", "erase", "INV-1")
    erased = shell.data("data", "erase", "INV-1", "--yes")
    assert (erased["actions"], erased["cannot_be_undone"]) == ([id], [id])
    assert "--with-keys" in erased["backups"]
    (line,) = shell.data("data", "export", "INV-1")
    assert line["arguments"] == {"unreadable": "erased"}
    assert "erased already" in shell.failed("data", "erase", "INV-1", "--yes")
    assert "was erased" in shell.failed("undo", id)
    assert shell.data("ledger", "verify", "--state")["sound"] is True
    assert "nothing is kept of it" in shell.failed("data", "export", "INV-9")


def test_a_court_comes_first(on_file: Shell) -> None:
    on_file.publish(**WITH_SUBJECT)
    on_file.refund("INV-1", 20)
    assert "it cannot be erased" in on_file("data", "hold", "INV-1", "--why", "CASE-1")
    assert on_file.data("data", "show", "INV-1")["legal_hold"] == "CASE-1"
    assert "holds it for law (CASE-1)" in on_file.failed("data", "erase", "INV-1", "--yes")
    assert "is no code" in on_file.failed("data", "hold", "INV-1", "--why", "Sam went to court")
    on_file("data", "release", "INV-1")
    assert "nobody holds it" in on_file.failed("data", "release", "INV-1")
    assert on_file.data("data", "erase", "INV-1", "--yes")["payloads"] > 0


def test_the_data_of_a_run_is_named_by_the_run(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.refund("INV-1", 20, "--run", "r1")["action"]
    assert on_file.data("data", "show", "--run", "r1")["actions"] == [id]
    assert "one subject is needed" in on_file.failed("data", "show")
    assert "one subject is needed" in on_file.failed("data", "show", "x", "--run", "r1")
