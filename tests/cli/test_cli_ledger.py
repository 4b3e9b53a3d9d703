"""The ledger on the command line: what leaves the house can be checked elsewhere."""

from pathlib import Path

from command_line import Shell


def test_an_export_and_a_proof_are_checked_by_the_public_key_alone(shell: Shell) -> None:
    shell.publish()
    done = shell.refund("INV-1", 5)
    key = shell("ledger", "keys").strip()
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    shell("ledger", "export", "--out", "ledger.jsonl")
    Path("proof.txt").write_text(shell("ledger", "prove", done["action"]) + "\n", encoding="utf-8")
    outside = ["--key", key, "--anchors", "anchors.jsonl"]
    assert shell.data("ledger", "verify", "ledger.jsonl", *outside)["sound"]
    assert shell.data("ledger", "verify", "proof.txt", "--key", key)["proved"]
    assert shell.data("ledger", "verify", "--state")["sound"]
    lines = Path("ledger.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("cut.jsonl").write_text("".join([*lines[:1], *lines[2:]]), encoding="utf-8")
    assert not shell.data("ledger", "verify", "cut.jsonl", *outside, code=1)["sound"]
    assert [each["entry"]["kind"] for each in shell.data("ledger", "show", "--action", done["action"])] == [
        "started",
        "ended",
    ]
