"""A real witness in a process of its own, and ledgers that it may be asked to sign, forked ones too."""

import http.client
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from command_line import child
from interlock.anchor.witness_key import make
from interlock.core.ids import TenantId
from interlock.ledger import witness
from interlock.ledger.cosign import Cosigner, parse
from interlock.ledger.note import Verifier, signed
from interlock.ledger.proof import consistency
from interlock.ledger.tree import Tree, full_root, leaf_hash
from interlock.ledger.witness import Asked


@dataclass
class Log:
    """A ledger of somebody, whoever that is: lines, and a key to sign any head of them."""

    lines: list[bytes] = field(default_factory=lambda: [b"%d" % n for n in range(40)])
    tenant: str = "acme"
    key: Ed25519PrivateKey = field(default_factory=lambda: Ed25519PrivateKey.from_private_bytes(bytes(range(32))))

    @property
    def verifier(self) -> Verifier:
        return Verifier.of(TenantId(self.tenant), self.key.public_key().public_bytes_raw())

    def note(self, size: int, key: Ed25519PrivateKey | None = None) -> str:
        tree = Tree()
        for line in self.lines[:size]:
            tree = tree.add(line)
        return signed(self.verifier, tree.head(), (key or self.key).sign)

    def path(self, old: int, new: int) -> tuple[bytes, ...]:
        leaves = [leaf_hash(line) for line in self.lines]
        return consistency(lambda level, at: full_root(leaves[at << level : (at + 1) << level]), old, new)

    def asks(self, old: int, new: int) -> bytes:
        return witness.write(Asked(old=old, path=self.path(old, new), note=self.note(new)))


def forked(at: int) -> Log:
    """The same ledger by the same key, with another entry at one place."""
    log = Log()
    log.lines[at] = b"forged"
    return log


@dataclass(frozen=True)
class Replied:
    status: int
    kind: str
    body: str


@dataclass
class Served:
    """A witness that runs."""

    folder: Path
    cosigner: Cosigner
    process: subprocess.Popen[str]
    port: int
    to: str

    def add(self, body: bytes) -> Replied:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", witness.PATH, body)
            answer = connection.getresponse()
            return Replied(answer.status, answer.headers["Content-Type"], answer.read().decode())
        finally:
            connection.close()

    def seen_at(self, note: str, reply: Replied) -> int | None:
        assert reply.status == 200, reply
        return self.cosigner.seen_at(parse(note + reply.body))

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=10)


def serve(folder: Path, *trusted: Verifier, port: int = 0, name: str = "witness.example/w1") -> Served:
    """Start a witness, and return once it listens."""
    folder.mkdir(exist_ok=True)
    key = folder / "w1.key"
    if not key.exists():
        make(key, name)
    words = ["witness", "serve", "--key", str(key), "--state", str(folder / "w1.seen"), "--json"]
    words += ["--bind", f"127.0.0.1:{port}", "--trust", *map(str, trusted)]
    process = subprocess.Popen(
        [sys.executable, "-m", "interlock", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child(),
    )
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)
        text += line
    said = json.loads(text)
    cosigner = Cosigner.parse(said["to"].partition("#")[2])
    return Served(folder, cosigner, process, int(said["url"].rpartition(":")[2]), said["to"])


def seen(folder: Path) -> dict[str, int]:
    """Read over how many entries the head of each ledger is that was written down."""
    return {origin: line["size"] for origin, line in json.loads((folder / "w1.seen").read_text())["seen"].items()}
