"""`login` at a provider that others have written: `oidc-provider-mock`, which stands on Authlib."""

import io
import json
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Generator
from threading import Thread
from types import SimpleNamespace
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from cli.provider import log_in
from command_line import Shell

pytestmark = pytest.mark.slow
ANN = {"sub": "ann", "groups": ["leads"]}


@pytest.fixture
def peer() -> Generator[str]:
    """Run the provider, and return its address."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", port, "-n"]
    command += ["--user-claims", json.dumps(ANN)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        rest = Thread(target=lambda: list(lines))  # what it says must not fill the pipe
        try:
            assert any("running on" in line for line in lines)
            rest.start()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            if rest.ident is not None:
                rest.join()


@pytest.fixture
def ann(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann in a browser: she sends the form of the provider."""

    def go(url: str) -> None:
        for form in (None, urlencode({"sub": "ann"}).encode()):
            with urlopen(Request(url, data=form), timeout=10) as page:
                page.read()

    def opened(url: str) -> bool:
        Thread(target=go, args=(url,)).start()
        return True

    monkeypatch.setattr(webbrowser, "open", opened)


def test_a_person_of_another_provider_logs_in_agrees_and_logs_out(
    on_file: Shell, peer: str, ann: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_file.real_time = True
    on_file.publish()
    on_file("issuer", "add", "corp", "--url", peer, "--audience", "interlock", "--map", "leads=lead")
    log_in(on_file, code=1)
    assert "--client-secret" in on_file.err, "it knows no public clients, and who logs in is told of it"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a-secret-of-a-client"), isatty=bool))
    said = log_in(on_file, "--client-secret")
    assert (said["person"], said["roles"], said["renewed"]) == ("ann@corp", ["lead"], True)
    assert log_in(on_file)["person"] == "ann@corp", "whoever logs in again types the secret once"
    id = on_file.parked()
    agreed = on_file.data("approvals", "approve", id, "--seen", on_file.seen(id))
    assert (agreed["by"], agreed["known_by"], agreed["outcome"]["outcome"]) == ("ann@corp", "oidc:corp", "done")
    out = on_file.data("logout")
    assert (out["logged_out"], out["taken_back"], out["why"]) == ("ann@corp", False, "it has no place for that")
