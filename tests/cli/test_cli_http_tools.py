"""The page on tools over HTTP, typed: publish, call, look at what was pinned."""

import io
import shutil
from pathlib import Path

import pytest

from command_line import ROOT, Shell
from loopback import answering, http

CODE = ROOT / "docs_src" / "http_tools"


def set_secrets(shell: Shell, patch: pytest.MonkeyPatch, environment: str, **secrets: str) -> None:
    for name, text in secrets.items():
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
        shell("secret", "set", name, "--workflow", "billing", "--env", environment)


def test_an_operation_is_published_and_called(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(CODE / "billing.yaml", "billing.yaml")
    questions: list[bytes] = []

    def answer(question: bytes) -> bytes:
        questions.append(question)
        return http("200 OK", b'{"id":"I1","amount_usd":49.99}', "application/json")

    with answering(answer) as port:
        text = (CODE / "contract.yaml").read_text(encoding="utf-8").replace("8099", str(port))
        text = text.replace("tenant: default", f"tenant: {on_file.tenant}")
        Path("contract.yaml").write_text(text, encoding="utf-8")
        set_secrets(on_file, monkeypatch, "dev", account_key="acc_C4narY/51", application_key="app_C4narY/52")
        assert "new tools  attach_receipt, find_invoice, read_help, read_ledger" in on_file(
            "contract", "publish", "contract.yaml", "--env", "dev"
        )
        assert "its method is GET, so it is `read`" in on_file.err
        assert "says no effect" not in on_file.err
        done = on_file.data("call", "find_invoice", '{"id":"I1"}', "--for", "sam")
        on_file.data("call", "read_ledger", "{}", "--for", "sam")
        receipt = '{"id":"I1","file":{"name":"receipt.txt","text":"Paid in full.\\n"},"paid_on":"2026-11-29"}'
        on_file.data("call", "attach_receipt", receipt, "--for", "sam")
    assert (done["result"], done["check"]) == ({"id": "I1", "amount_usd": 49.99}, "passed")
    assert questions[0].startswith(b"GET /v1/invoices/I1?currency=usd HTTP/1.1\r\n")
    assert b"\r\nX-Account-Key: acc_C4narY/51\r\nX-Application-Key: app_C4narY/52\r\n" in questions[1]
    assert b'name="file"; filename="receipt.txt"\r\nContent-Type: text/plain\r\n\r\nPaid in full.\n\r\n' in questions[2]
    set_secrets(on_file, monkeypatch, "prod", account_key="acc_C4narY/53", application_key="app_C4narY/54")
    shown = on_file("contract", "show", "--tool", "find_invoice")
    assert "effect: read" in shown
    on_file.data("contract", "publish", "contract.yaml", "--env", "prod")


def test_what_cannot_be_published_says_what_to_do(on_file: Shell) -> None:
    text = (CODE / "contract.yaml").read_text(encoding="utf-8").replace("tenant: default", f"tenant: {on_file.tenant}")
    Path("contract.yaml").write_text(text, encoding="utf-8")
    assert "`billing.yaml` cannot be read" in on_file.failed("contract", "publish", "contract.yaml", "--env", "dev")
    shutil.copy(CODE / "billing.yaml", "billing.yaml")
    Path("contract.yaml").write_text(text.replace("findInvoice", "createRefund"), encoding="utf-8")
    said = on_file.failed("contract", "publish", "contract.yaml", "--env", "dev")
    assert "the operation needs a secret, and the tool names none" in said
    assert "fix: write `secret: NAME`" in said
    Path("contract.yaml").write_text(text.replace("billing.yaml:", "bilings.yaml:"), encoding="utf-8")
    said = on_file.failed("contract", "publish", "contract.yaml", "--env", "dev")
    assert "no tool comes from `openapi:bilings.yaml#...`" in said
    assert "did you mean `billing.yaml`?" in said
