"""`call --sign-with`: an agent that has a key signs what it proposes, with a key of ours or of OpenSSH."""

import subprocess
from pathlib import Path

import pytest

from command_line import Shell

SIGNED = "agents: { bot: { key: bot.pub } }"


def made(shell: Shell, how: str) -> str:
    """Make a key, its public half beside the contract, and name its file."""
    if how == "ssh-keygen":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "bot"], check=True)
        return "bot"
    return shell.data("keys", "new", "bot", "--public", "bot.pub")["file"]


@pytest.mark.parametrize("how", ["keys new", "ssh-keygen"])
def test_an_agent_with_a_key_signs(shell: Shell, how: str) -> None:
    key = made(shell, how)
    shell.publish(**{"agents: { bot: {} }": SIGNED})
    refused = shell.refund("INV-1", 5, code=5)
    assert refused["reason"] == "tool_not_allowed"
    assert "--sign-with" in refused["fix"]
    assert shell.refund("INV-1", 5, "--sign-with", key, "--run", "r1")["outcome"] == "done"
    assert "sound" in shell("ledger", "verify") or shell.err == ""
    said = shell("keys", "new", "eve", "--public", "eve.pub")
    assert "of an agent: agents: { eve: { key: eve.pub } }" in said
    assert shell.refund("INV-2", 5, "--sign-with", "eve.pem", code=5)["reason"] == "tool_not_allowed"


def test_what_cannot_be_signed_is_said(on_file: Shell) -> None:
    key = made(on_file, "keys new")
    on_file.publish(**{"agents: { bot: {} }": SIGNED})
    assert "no JSON" in on_file.unmeant("call", "refund", "{", "--sign-with", key)
    assert "no Ed25519 key" in on_file.failed("call", "refund", "{}", "--sign-with", made_wrong("wrong.pem"))
    assert "bot.pub" in on_file.failed("keys", "new", "bot2", "--public", "bot.pub")


def made_wrong(name: str) -> str:
    Path(name).write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n", encoding="utf-8")
    Path(name).chmod(0o600)
    return name


def test_a_token_names_a_key(on_file: Shell) -> None:
    made(on_file, "keys new")
    on_file.publish()
    where = ("--workflow", "shop", "--env", "prod", "--expires", "9d")
    token = on_file.data("token", "new", "bot", *where, "--key", "bot.pub")
    assert token["key"].startswith("ed25519:")
    assert token["key"] in on_file("token", "show", token["id"])
    assert "is a private key" in on_file.failed("token", "new", "bot", *where, "--key", "bot.pem")
