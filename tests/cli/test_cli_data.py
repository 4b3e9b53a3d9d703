"""`data`: what people are shown of what is kept of somebody, and what becomes of it."""

import json

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from interlock.door.cli.person import user_name

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
    assert "is no code" in on_file.unmeant("data", "hold", "INV-1", "--why", "Sam went to court")
    on_file("data", "release", "INV-1")
    assert "nobody holds it" in on_file.failed("data", "release", "INV-1")
    assert on_file.data("data", "erase", "INV-1", "--yes")["payloads"] > 0


def test_the_data_of_a_run_is_named_by_the_run(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.refund("INV-1", 20, "--run", "r1")["action"]
    assert on_file.data("data", "show", "--run", "r1")["actions"] == [id]
    assert "one subject is needed" in on_file.unmeant("data", "show")
    assert "one subject is needed" in on_file.unmeant("data", "show", "x", "--run", "r1")


def test_every_class_of_data_is_listed_with_what_it_is_for_and_how_long_it_stays(shell: Shell) -> None:
    said = 'interlock: 1\nretention: { payloads: 30d, ledger: 1y, purpose: "refunds of the shop" }\n'
    shell.publish(**{"interlock: 1\n": said})
    assert "refunds of the shop" in shell("contract", "show", "--workflow", "shop", "--env", "prod")
    text = shell("data", "classes")
    assert text[text.index("CONTRACT IN FORCE") :] == snapshot("""\
CONTRACT IN FORCE  PAYLOADS  LEDGER    PURPOSE
shop/prod          30 days   365 days  refunds of the shop
""")
    assert max(map(len, text.splitlines())) <= 100
    found = shell.data("data", "classes")
    names = [each["class"] for each in found["classes"]]
    assert names == ["payloads", "ledger", "rows", "changes", "keys", "memos", "outside"]
    assert all(each["purpose"] and each["goes"] for each in found["classes"])
    assert found["contracts"] == [
        {"contract": "shop/prod", "payload_days": 30, "ledger_days": 365, "purpose": "refunds of the shop"}
    ]


WITH_DAYS = {**WITH_SUBJECT, "interlock: 1\n": "interlock: 1\nretention: { payloads: 30d, trace: 7d }\n"}


def test_what_is_older_than_its_days_goes_and_what_is_held_waits(shell: Shell) -> None:
    shell.publish(**WITH_DAYS)
    assert "payloads: 30d" in shell("contract", "show", "--workflow", "shop", "--env", "prod")
    for invoice in ("INV-1", "INV-4"):
        shell.refund(invoice, 20)
    shell("data", "hold", "INV-4", "--why", "CASE-1")
    (until,) = shell.data("data", "show", "INV-1")["expires"]
    assert (until["lot"], until["on"]) == ("2026-01/30", "2026-03-04T00:00:00.000000Z")
    assert shell("data", "expire") == "nothing is due\n"
    assert "2026-01, 30 days: due 2026-03-04 01:00:00 +01:00" in shell.err
    shell.clock.forward(days=70)
    would = shell.data("data", "expire", "--dry-run")
    assert steady(shell("data", "expire")) == snapshot("""\
lot               unreadable  kept longer
2026-01, 30 days           4  4 held for law
""")
    assert "base backups" in shell.err
    assert [one["lot"] for one in would["expired"]] == ["2026-01/30"]
    assert steady(shell("data", "show", "INV-1")) == snapshot("""\
kept        4 payloads of 1 action
readable    no
expires     4 payloads: unreadable
legal hold  no
actions     ACTION1_____________  done       refund
""")
    assert steady(shell("data", "show", "INV-4")).replace(f"by {user_name()} ", "by USER ") == snapshot("""\
kept        4 payloads of 1 action
readable    yes
expires     4 payloads: kept longer, as long as the law or an action needs it
legal hold  CASE-1, by USER since 2026-01-01 13:00:00 +01:00
actions     ACTION1_____________  done       refund
""")
    assert shell.data("ledger", "verify", "--state")["sound"] is True
    shell("data", "release", "INV-4")
    assert steady(shell("data", "expire")) == snapshot("""\
lot                 unreadable  kept longer
kept past its days           4
""")
    assert shell.data("data", "show", "INV-4")["readable"] is False


def test_whoever_attends_says_what_expired(on_file: Shell) -> None:
    on_file.publish(**WITH_DAYS)
    for invoice in ("INV-1", "INV-4"):
        on_file.refund(invoice, 20)
    on_file("data", "hold", "INV-4", "--why", "CASE-1")
    on_file.clock.forward(days=70)
    assert on_file("attend", "--once") == snapshot(
        "2026-01, 30 days: 4 payloads unreadable; kept longer: 4 held for law\n"
    )
    assert on_file("attend", "--once") == "nothing was due\n"
    on_file("data", "release", "INV-4")
    on_file.clock.forward(days=1)
    (ended,) = on_file.data("attend", "--once")
    assert ended == {"lot": "kept", "key": "", "payloads": 4, "kept": {}}


def test_what_is_advised_can_be_typed_as_it_stands(on_file: Shell) -> None:
    on_file.publish(**WITH_SUBJECT)
    on_file.refund("INV 1", 5)
    on_file("data", "hold", "INV 1", "--why", "CASE-1")
    advice = " ".join(on_file.failed("data", "erase", "INV 1", "--yes").split())
    assert "`interlock data release 'INV 1'`" in advice
    on_file("data", "release", "INV 1")
    assert "`interlock data show 'INV 1'`" in " ".join(on_file.failed("data", "release", "INV 1").split())
    assert "`interlock data show --run 'r 1'`" in on_file.failed("data", "release", "--run", "r 1")


def test_who_has_nothing_kept_is_told_what_would_be(on_file: Shell) -> None:
    on_file.publish(**WITH_SUBJECT)
    assert "0 payloads of 0 actions" in on_file("data", "show", "C-1")
    assert "`subject:` in its contract" in " ".join(on_file.err.split())
    on_file.refund("INV-1", 5)
    on_file("data", "show", "INV-1")
    assert on_file.err == ""
