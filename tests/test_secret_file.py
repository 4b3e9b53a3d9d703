"""The encrypted file of secrets: a value opens under its own name alone, and every write is whole."""

import base64
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.core.errors import SecretError, SecretUnknown, SecretUnreachable, UsageWrong
from interlock.core.ids import Environment, Instant, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.secret.installed import sealed_file
from interlock.secret.kept import SecretId, Text, text_of
from interlock.secret.sealed_file import SealedFile
from world import NOON

CANARY = "sk_live_C4narY/51+x="
PAY = SecretId(tenant=TenantId("acme"), workflow=WorkflowId("support"), environment=Environment("prod"), name="pay")
LATER = Instant(NOON + 1_000_000)


@pytest.fixture
def kept(tmp_path: Path) -> SealedFile:
    return sealed_file(tmp_path / "keys")


def lines(kept: SealedFile) -> list[dict[str, Any]]:
    return json.loads(kept.path.read_text("utf-8"))["secrets"]


def rewrite(kept: SealedFile, secrets: list[dict[str, Any]]) -> None:
    kept.path.write_text(json.dumps({"secrets_file": 1, "secrets": secrets}), "utf-8")


def test_a_secret_is_found_as_it_was_set_and_as_it_was_set_last(kept: SealedFile) -> None:
    assert kept.put(PAY, text_of(CANARY), NOON) is False
    other = sealed_file(kept.path.parent)  # another process
    assert other.find(PAY) == Text(text=CANARY)
    assert kept.put(PAY, text_of("another-secret"), LATER) is True
    assert other.find(PAY) == Text(text="another-secret")
    (line,) = other.lines(PAY.tenant)
    assert (line.since, line.changed, line.kind) == (NOON, LATER, "text")


def test_looking_makes_no_file_and_no_folder(kept: SealedFile) -> None:
    with pytest.raises(SecretUnknown) as error:
        kept.find(PAY)
    assert error.value.fix == "set it: `interlock secret set pay --workflow support --env prod`"
    assert kept.lines(PAY.tenant) == []
    assert kept.remove(PAY) is False
    assert not kept.path.parent.exists()


@pytest.mark.promise("secret")
@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "evil"},
        {"workflow": "marketing"},
        {"environment": "staging"},
        {"name": "read"},
    ],
)
def test_a_secret_of_another_workflow_environment_or_tenant_cannot_be_named(
    kept: SealedFile, other: dict[str, str]
) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    elsewhere = replace(PAY, **other)
    with pytest.raises(SecretUnknown):
        kept.find(elsewhere)
    # Not even by whoever can write the file: a value that is copied to another line does not open there.
    (line,) = lines(kept)
    rewrite(kept, [line, {**line, "id": {**line["id"], **other}}])
    with pytest.raises(SecretUnreachable) as error:
        kept.find(elsewhere)
    assert CANARY not in str(error.value)
    assert kept.find(PAY) == Text(text=CANARY)


@pytest.mark.promise("secret")
@pytest.mark.parametrize("field", ["kind", "since", "changed", "value"])
def test_a_line_that_was_edited_does_not_open(kept: SealedFile, field: str) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    (line,) = lines(kept)
    raw = bytearray(base64.b64decode(line["value"]))
    raw[-1] ^= 1
    edited = {"kind": "oauth", "since": 1, "changed": 1, "value": base64.b64encode(raw).decode()}[field]
    rewrite(kept, [{**line, field: edited}])
    with pytest.raises(SecretUnreachable, match="is not what was set under this name"):
        kept.find(PAY)


def test_under_another_master_seed_nothing_opens(kept: SealedFile) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    kept.path.with_name("master.seed").write_bytes(b"0" * 32)
    with pytest.raises(SecretUnreachable):
        kept.find(PAY)


@pytest.mark.promise("secret")
def test_only_its_owner_reads_the_file_and_no_text_stands_in_it(kept: SealedFile) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700
    assert CANARY.encode() not in kept.path.read_bytes()
    assert not list(kept.path.parent.glob("*.new"))


@pytest.mark.parametrize("text", ["", "{", '{"secrets_file": 2}', '{"secrets_file": 1, "secrets": [7]}', "\xff"])
def test_a_file_that_is_damaged_is_no_empty_one(kept: SealedFile, text: str) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    kept.path.write_bytes(text.encode("latin-1"))
    for look in (lambda: kept.find(PAY), lambda: kept.lines(PAY.tenant), lambda: kept.put(PAY, Text(text="x"), NOON)):
        with pytest.raises(SecretUnreachable):
            look()


def test_what_a_killed_process_left_keeps_nobody_from_writing(kept: SealedFile) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    kept.path.with_name("secrets.sealed.new").write_bytes(b"half of")
    kept.put(PAY, text_of("another-secret"), LATER)
    assert kept.find(PAY) == Text(text="another-secret")


def test_of_writers_at_the_same_time_none_loses_what_another_wrote(kept: SealedFile) -> None:
    def write(number: int) -> None:
        own = sealed_file(kept.path.parent)
        for turn in range(5):
            own.put(replace(PAY, name=f"s{number}-{turn}"), text_of(f"secret {number} {turn}"), NOON)

    kept.put(PAY, text_of(CANARY), NOON)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(kept.lines(PAY.tenant)) == 41
    assert kept.find(replace(PAY, name="s7-4")) == Text(text="secret 7 4")


def test_a_value_is_put_over_the_one_that_was_read_and_over_no_other(kept: SealedFile) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    kept.put(PAY, text_of("rotated by us"), LATER, only_over=text_of(CANARY))
    with pytest.raises(SecretError):
        kept.put(PAY, text_of("rotated late"), LATER, only_over=text_of(CANARY))
    assert kept.find(PAY) == Text(text="rotated by us")


@pytest.mark.parametrize("text", ["", "tiny!", "1234567", "has \0 in it", "x" * 65_537])
def test_a_text_that_could_not_be_kept_out_of_results_is_no_secret(text: str) -> None:
    with pytest.raises(UsageWrong) as error:
        text_of(text)
    assert text == "" or text not in str(error.value)


def test_a_value_does_not_show_itself() -> None:
    assert CANARY not in repr(text_of(CANARY))
    assert msgspec.json.decode(msgspec.json.encode(text_of(CANARY)), type=Text) == text_of(CANARY)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_fix(kept: SealedFile) -> None:
    kept.put(PAY, text_of(CANARY), NOON)
    kept.path.with_name("secrets.sealed.new").mkdir()
    with pytest.raises(Exception, match="cannot be written") as error:
        kept.put(PAY, text_of("another-secret"), LATER)
    assert error.value.fix  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    os.rmdir(kept.path.with_name("secrets.sealed.new"))
    assert kept.find(PAY) == Text(text=CANARY)
