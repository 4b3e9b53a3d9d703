"""An MCP server and the authorization server before it, on one port of this machine, that can misbehave."""

import base64
import hashlib
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from loopback import answering, http
from mcp_server import TOOLS, Server

Fields = dict[str, str]
Changes = dict[str, Any]
SILENCE = "silence"
"""Among what whoever asks with a code of a device hears: nothing, and no end of it either."""


@dataclass
class LoginServer:
    """Lets in whoever shows a token that it has issued. What it says of itself can be changed, member by member."""

    folder: Path
    mints: Callable[[Fields], str] | None = None
    """Makes the text of an access token, given what was asked for it."""
    identifies: Callable[[Fields], str] | None = None
    """Makes an ID token, given what was asked for it and what its login began with."""
    keys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    words: list[str] = field(default_factory=lambda: ["new"])
    resource: Changes = field(default_factory=Changes)
    """What the protected resource says instead; `None` takes a member away."""
    authority: Changes = field(default_factory=Changes)
    back: Changes = field(default_factory=Changes)
    """What goes back to the browser instead."""
    device: Changes = field(default_factory=Changes)
    waits: list[str] = field(default_factory=list[str])
    """What whoever asks with a code of a device hears first."""
    challenge: str | None = None
    instead: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """What a path answers with instead."""
    refreshes: bool = True
    rotates: bool = True
    expires_in: int | None = 3600
    needs_scope: str = ""
    asked: list[tuple[str, Fields]] = field(default_factory=list[tuple[str, Fields]])
    shown: list[str] = field(default_factory=list[str])
    """The credentials that came with messages."""
    good: set[str] = field(default_factory=set[str])
    said: list[bytes] = field(default_factory=list[bytes])
    port: int = 0
    _codes: dict[str, Fields] = field(default_factory=dict[str, Fields])
    _refresh: str = ""

    def refreshes_with(self, text: str) -> None:
        """Take this refresh token, and no other."""
        self._refresh = text

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}/mcp"

    def answer(self, question: bytes) -> bytes | None:
        head, _, body = question.partition(b"\r\n\r\n")
        _, target, _ = head.decode().split("\r\n")[0].split(" ")
        parts = urlsplit(target)
        if parts.path in self.instead:
            return self.instead[parts.path]
        if parts.path == "/mcp":
            return self._message(head.decode(), body)
        fields = {name: values[0] for name, values in parse_qs(body.decode() or parts.query).items()}
        for value in _values(head.decode(), "authorization"):
            client, _, secret = base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")
            fields |= {"client_id": unquote_plus(client), "client_secret": unquote_plus(secret)}
        if parts.path == "/register":
            fields = {"registers": body.decode()}
        self.asked.append((parts.path, fields))
        known: Mapping[str, Callable[[Fields], bytes | None]] = {
            "/.well-known/oauth-protected-resource/mcp": self._resource,
            "/.well-known/oauth-authorization-server": self._authority,
            "/.well-known/openid-configuration": self._authority,
            "/keys": lambda _: _json({"keys": self.keys}),
            "/authorize": self._authorize,
            "/token": self._token,
            "/register": self._register,
            "/revoke": self._revoke,
            "/device": lambda _: _changed(
                {
                    "device_code": "device-code-1",
                    "user_code": "WDJB-MJHT",
                    "verification_uri": f"{self.base}/type",
                    "expires_in": 60,
                    "interval": 0,
                },
                self.device,
            ),
        }
        return known[parts.path](fields) if parts.path in known else http("404 Not Found")

    def _message(self, head: str, body: bytes) -> bytes:
        shown = next((line[7:] for line in _values(head, "authorization") if line.startswith("Bearer ")), "")
        self.shown.append(shown)
        metadata = f'Bearer resource_metadata="{self.base}/.well-known/oauth-protected-resource/mcp", scope="tools"'
        challenge = self.challenge if self.challenge is not None else metadata
        if shown not in self.good:
            return http("401 Unauthorized", b"", "text/plain", f"WWW-Authenticate: {challenge}")
        if self.needs_scope and b"tools/call" in body:
            more = f'WWW-Authenticate: Bearer error="insufficient_scope", scope="{self.needs_scope}"'
            return http("403 Forbidden", b"", "text/plain", more)
        if head.startswith("GET"):
            return http("405 No")
        self.said.clear()
        Server(self.folder, self.words, self.said.append).hear(json.loads(body))
        return http("200 OK", self.said[-1], "application/json") if self.said else http("202 Accepted")

    def _resource(self, _: Fields) -> bytes:
        return _changed({"resource": self.url, "authorization_servers": [self.base]}, self.resource)

    def _authority(self, _: Fields) -> bytes:
        about = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "registration_endpoint": f"{self.base}/register",
            "jwks_uri": f"{self.base}/keys",
            "device_authorization_endpoint": f"{self.base}/device",
            "revocation_endpoint": f"{self.base}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return _changed(about, self.authority)

    def _register(self, fields: Fields) -> bytes:
        return _json({**json.loads(fields["registers"]), "client_id": "registered"}, "201 Created")

    def _authorize(self, fields: Fields) -> bytes:
        code = f"code-{len(self._codes) + 1}"
        self._codes[code] = fields
        back = {"code": code, "state": fields["state"], "iss": self.base, **self.back}
        to = back.pop("to", fields["redirect_uri"])
        query = urlencode({name: value for name, value in back.items() if value is not None})
        return http("302 Found", b"", "text/plain", f"Location: {to}?{query}")

    def _token(self, fields: Fields) -> bytes | None:
        if fields["grant_type"] == "refresh_token":
            if not self._refresh or fields["refresh_token"] != self._refresh:
                # Somebody has used one twice: what came of it is good for nobody any more.
                self._refresh = ""
                self.good.clear()
                return _json({"error": "invalid_grant"}, "400 Bad Request")
            return self._issued(fields)
        if "device_code" in fields:
            said = self.waits.pop(0) if self.waits else ""
            if said:
                return _json({"error": said}, "400 Bad Request") if said != SILENCE else None
            return self._issued(fields)
        begun = self._codes.pop(fields["code"], {})
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        proves = base64.urlsafe_b64encode(digest).decode().rstrip("=") == begun.get("code_challenge")
        same = all(fields.get(name) == begun.get(name) for name in ("redirect_uri", "resource", "client_id"))
        return (
            self._issued({**begun, **fields})
            if proves and same
            else _json({"error": "invalid_grant"}, "400 Bad Request")
        )

    def _revoke(self, fields: Fields) -> bytes:
        if fields["token"] == self._refresh:
            self._refresh = ""
        return http("200 OK")

    def _issued(self, fields: Fields) -> bytes:
        number = len(self.asked)
        text = self.mints(fields) if self.mints is not None else f"access-token-{number}"
        token: dict[str, Any] = {"access_token": text, "token_type": "Bearer"}
        self.good.add(token["access_token"])
        if self.identifies is not None:
            token["id_token"] = self.identifies(fields)
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in
        if self.refreshes and (self.rotates or fields["grant_type"] != "refresh_token"):
            self._refresh = token["refresh_token"] = f"refresh-token-{number}"
        return _json(token)

    def fields(self, path: str) -> list[Fields]:
        return [fields for asked, fields in self.asked if asked == path]


def _values(head: str, name: str) -> list[str]:
    lines = (line.partition(":") for line in head.split("\r\n")[1:])
    return [value.strip() for known, _, value in lines if known.lower() == name]


def _changed(about: Changes, changes: Changes) -> bytes:
    return _json({name: value for name, value in {**about, **changes}.items() if value is not None})


def _json(value: Any, status: str = "200 OK") -> bytes:
    return http(status, json.dumps(value).encode(), "application/json")


@contextmanager
def login_server(folder: Path) -> Generator[LoginServer]:
    """Run one, with a folder that it makes for what it keeps."""
    folder.mkdir(exist_ok=True)
    server = LoginServer(folder)
    (folder / "tools.json").write_text(json.dumps(TOOLS), encoding="utf-8")

    def answer(question: bytes) -> bytes | None:
        said = server.answer(question)
        if said is None:
            return None
        status, _, rest = said.partition(b"\r\n")
        return status + b"\r\nConnection: close\r\n" + rest

    with answering(answer) as port:
        server.port = port
        yield server
    (folder / "started").unlink(missing_ok=True)  # it is this process


def visited(url: str) -> tuple[int, str, str]:
    """Ask as a browser does: the status, where it sends one, and what it says."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        return response.status, response.getheader("Location", ""), response.read().decode()
    finally:
        connection.close()
