"""A Vault on this machine: the paths and the JSON of its key-value store, version 2, and of its AppRole login."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from loopback import answering, http

_METADATA = {"created_time": "2026-01-01T12:00:00.0Z", "custom_metadata": None, "destroyed": False, "version": 1}


@dataclass
class VaultPeer:
    """Keeps what it is given, and lets in who has its token."""

    kept: dict[str, dict[str, Any] | None] = field(default_factory=dict[str, dict[str, Any] | None])
    """By mount and path; nothing where the newest version was deleted."""
    token: str = "hvs.CAESIJ-root"
    role: tuple[str, str] = ("role-1", "secret-id-1")
    sealed: bool = False
    says: bytes | None = None
    """What it answers instead."""
    asked: list[str] = field(default_factory=list[str])
    namespaces: list[str] = field(default_factory=list[str])
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, question: bytes) -> bytes | None:
        head, _, body = question.partition(b"\r\n\r\n")
        first, *lines = head.decode().splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        method, path, _ = first.split(" ")
        self.asked.append(f"{method} {path}")
        self.namespaces.append(headers.get("x-vault-namespace", ""))
        if self.says is not None:
            return self.says
        if self.sealed:
            return _json("503 Service Unavailable", {"errors": ["Vault is sealed"]})
        if (method, path) == ("POST", "/v1/auth/approle/login"):
            given = json.loads(body)
            if (given["role_id"], given.get("secret_id")) != self.role:
                return _json("400 Bad Request", {"errors": ["invalid role or secret ID"]})
            return _json("200 OK", {"auth": {"client_token": self.token, "lease_duration": 3600, "renewable": True}})
        if headers.get("x-vault-token") != self.token:
            return _json("403 Forbidden", {"errors": ["permission denied"]})
        return self._read(path)

    def _read(self, path: str) -> bytes:
        mount, _, name = path.removeprefix("/v1/").partition("/data/")
        if f"{mount}/{name}" not in self.kept:
            return _json("404 Not Found", {"errors": []})
        kept = self.kept[f"{mount}/{name}"]
        if kept is None:
            gone = {"data": {"data": None, "metadata": {**_METADATA, "deletion_time": "2026-01-02T12:00:00.0Z"}}}
            return _json("404 Not Found", gone)
        read = {"data": kept, "metadata": {**_METADATA, "deletion_time": ""}}
        more = {"request_id": "6f7e", "lease_id": "", "renewable": False, "lease_duration": 0, "mount_type": "kv"}
        return _json("200 OK", {**more, "data": read, "wrap_info": None, "warnings": None, "auth": None})


def _json(status: str, body: Any) -> bytes:
    return http(status, json.dumps(body).encode(), "application/json", "Connection: close")


@contextmanager
def vault_peer() -> Generator[VaultPeer]:
    """Run one."""
    peer = VaultPeer()
    with answering(peer.answer) as port:
        peer.port = port
        yield peer
