"""The key of a ledger on the command line: rotated, listed, followed from whichever generation somebody knows."""

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from interlock.door.cli.screen import Screen

pytestmark = [pytest.mark.promise("ledger"), pytest.mark.slow]


def key_of(shell: Shell) -> str:
    return shell("ledger", "keys", "--current").strip()


def rotate(shell: Shell, why: str = "leaked") -> str:
    """Rotate, and return the new key."""
    return shell.data("ledger", "rotate", "--why", why, "--yes")["key"]


def told(shell: Shell, text: str) -> str:
    text = steady(text).replace(shell.tenant, "acme")
    for each in shell.data("ledger", "keys")["generations"]:
        text = text.replace(each["key"].replace(shell.tenant, "acme"), f"KEY-{each['generation']}")
    return text


def test_a_rotation_is_entered_by_whom_and_why_and_says_what_the_new_key_signs(shell: Shell) -> None:
    shell.publish()
    old = key_of(shell)
    said = shell("ledger", "rotate", "--why", "leaked", "--yes")
    assert "with `--trust NEW`" in " ".join(shell.err.split())
    assert told(shell, said) == snapshot("""\
generation  2, signs now
key         KEY-2
signs       heads over 2 entries and more
since       2026-01-01 13:00:00 +01:00, entry 1
by          USER (os:UID), leaked
""")
    assert key_of(shell) != old
    (entry,) = [each for each in shell.data("ledger", "show") if each["entry"]["kind"] == "rotated"]
    assert entry["entry"]["detail"]["old"] == old
    assert "entries=1, generation=2, root=" in " ".join(shell("ledger", "show").split())


def test_every_generation_is_listed_with_what_it_signs_and_the_age_of_the_last_anchor(shell: Shell) -> None:
    shell.publish()
    rotate(shell)
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    shell.refund("INV-1", 5)
    rotate(shell, "yearly")
    shell.clock.forward(minutes=180)
    assert told(shell, shell("ledger", "keys")) == snapshot("""\
ledger       interlock/acme
last anchor  3 hours ago, 3 entries since, in anchors.jsonl

generation  1
key         KEY-1
signs       heads over 0 to 1 entries

generation  2
key         KEY-2
signs       heads over 2 to 4 entries
since       2026-01-01 13:00:00 +01:00, entry 1
by          USER (os:UID), leaked

generation  3, signs now
key         KEY-3
signs       heads over 5 entries and more
since       2026-01-01 13:00:00 +01:00, entry 4
by          USER (os:UID), yearly
""")
    data = shell.data("ledger", "keys")
    assert (data["key"], data["generation"]) == (key_of(shell), 3)
    assert data["last_anchor"]["entries_since"] == 3
    assert [(e["generation"], e["first"], e["last"], e["current"], e["why"]) for e in data["generations"]] == [
        (1, 0, 1, False, None),
        (2, 2, 4, False, "leaked"),
        (3, 5, None, True, "yearly"),
    ]


def test_a_person_is_asked_and_nothing_is_rotated_without_a_yes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.publish()
    assert "nothing was rotated" in shell.failed("ledger", "rotate", "--why", "leaked")
    asked: list[str] = []

    def ask(self: Screen, question: str) -> bool:
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr(Screen, "ask", ask)
    assert "nothing was rotated" in shell.failed("ledger", "rotate", "--why", "leaked")
    shell("ledger", "rotate", "--why", "leaked")
    assert asked == ["From then on the key of generation 1 signs nothing any more. Rotate?"] * 2
    assert shell.data("ledger", "keys")["generation"] == 2


@pytest.mark.parametrize("why", ["", "because it leaked", "x" * 65, "\x1b[2J", "né"])
def test_a_reason_that_is_no_code_is_an_error(shell: Shell, why: str) -> None:
    shell.publish()
    assert "is no code" in shell.unmeant("ledger", "rotate", "--why", why, "--yes")
    assert shell.data("ledger", "keys")["generation"] == 1


def kept_of_each(shell: Shell) -> list[str]:
    """Keep an anchor, a receipt and a proof of each of three generations, and return their keys."""
    keys: list[str] = []
    shell.publish()
    for n in range(1, 4):
        done = shell.refund(f"INV-{n}", 5)
        Path(f"receipt{n}.json").write_text(json.dumps(done["receipt"]), encoding="utf-8")
        Path(f"proof{n}.txt").write_text(shell("ledger", "prove", done["action"]), encoding="utf-8")
        shell("ledger", "anchor", "--to", "anchors.jsonl")
        keys.append(key_of(shell))
        if n < 3:
            rotate(shell)
    shell("ledger", "export", "--out", "ledger.jsonl")
    return keys


def test_an_export_leads_from_any_key_to_all_that_was_kept(shell: Shell) -> None:
    keys = kept_of_each(shell)
    kept = ["--anchors", "anchors.jsonl", *(f"--receipt=receipt{n}.json" for n in (1, 2, 3))]
    for n, key in enumerate(keys, 1):
        assert shell.data("ledger", "verify", "--key", key, *kept, "--state")["sound"]
        found = shell.data("ledger", "verify", "ledger.jsonl", "--key", key, *kept)
        assert (found["sound"], found["heads"], found["receipts"]) == (True, 3, 3)
        assert [each["key"] for each in found["generations"]] == keys
        said = " ".join(shell("ledger", "verify", "ledger.jsonl", "--key", key, *kept).split())
        assert f"that of generation {n}, as you know it" in said
        assert "1: heads over 0 to 3 entries 2: heads over 4 to 6 entries 3: heads over 7 entries and more" in said


def test_a_proof_is_checked_by_its_own_key_or_by_a_chain_from_another(shell: Shell) -> None:
    keys = kept_of_each(shell)
    exported = Path("ledger.jsonl").read_text(encoding="utf-8").splitlines()
    rotations = [line for line in exported if '"kind":"rotated"' in line]
    Path("rotations.jsonl").write_text("\n".join(rotations), encoding="utf-8")
    for n, own in enumerate(keys, 1):
        assert shell.data("ledger", "verify", f"proof{n}.txt", "--key", own)["proved"]
        for key in keys:
            for chain in ("ledger.jsonl", "rotations.jsonl"):
                assert shell.data("ledger", "verify", f"proof{n}.txt", "--key", key, "--chain", chain)["proved"]
            if key != own:
                assert "does not carry the signature" in " ".join(
                    shell.failed("ledger", "verify", f"proof{n}.txt", "--key", key).split()
                )


def test_a_chain_that_knows_nothing_of_the_key_is_an_error(shell: Shell, tmp_path: Path) -> None:
    kept_of_each(shell)
    other = Shell(str(tmp_path / "other.db"), tmp_path / "other", shell.tenant, shell.clock, shell.capsys)
    other.folder.mkdir()
    other("contract", "publish", "shop.yaml", "--env", "prod")
    words = ["ledger", "verify", "proof3.txt", "--key", key_of(other), "--chain", "ledger.jsonl"]
    assert "leads from this key" in " ".join(shell.failed(*words).split())
    assert "cannot be read" in shell.failed(*words[:-1], "nowhere.jsonl")


def test_a_report_of_after_a_rotation_is_checked_by_an_older_key_and_one_of_before_not_by_a_newer(
    shell: Shell,
) -> None:
    shell.publish()
    old = key_of(shell)
    shell("verify", "--only", "secret", "--report", "before.json")
    new = rotate(shell)
    shell("verify", "--only", "secret", "--report", "after.json")
    newest = rotate(shell)
    for key in (old, new):
        assert shell.data("verify", "--check", "after.json", "--key", key)["kept"]
    assert shell.data("verify", "--check", "before.json", "--key", old)["kept"]
    for report, key in (("before.json", new), ("after.json", newest)):
        said = " ".join(shell.failed("verify", "--check", report, "--key", key).split())
        assert "not by the key that you know" in said
    line, foot = Path("after.json").read_text(encoding="utf-8").splitlines()
    for rotations in ("[]", '["{}"]', "7"):
        forged = json.dumps(json.loads(foot) | {"rotations": json.loads(rotations)})
        Path("forged.json").write_text(f"{line}\n{forged}\n", encoding="utf-8")
        assert "the report cannot be trusted" in " ".join(
            shell.failed("verify", "--check", "forged.json", "--key", old).split()
        )


def test_the_doctor_says_which_generation_signs(shell: Shell) -> None:
    shell.publish()
    rotate(shell)
    said = " ".join(shell.run("doctor")[1].split())
    assert "signed by this key of generation 2" in said
