"""A token endpoint on this machine, that answers as OAuth wants it or as it likes."""

import base64
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from loopback import answering, http

Asked = dict[str, str]


@dataclass
class Endpoint:
    """Grants tokens one after the other, unless it is told to answer something else."""

    expires_in: object = 3600
    rotates: bool = False
    """Whether a refresh token is good for one use."""
    refresh_token: str = "refresh-token-1"
    says: bytes | None = None
    """What it answers instead."""
    silent: bool = False
    may_answer: threading.Event = field(default_factory=threading.Event)
    asked: list[Asked] = field(default_factory=list[Asked])
    heads: list[str] = field(default_factory=list[str])
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    def answer(self, question: bytes) -> bytes | None:
        head, _, body = question.partition(b"\r\n\r\n")
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.heads.append(head.decode())
        for line in head.decode().splitlines():
            if line.lower().startswith("authorization: basic "):
                id, _, secret = base64.b64decode(line.split()[-1]).decode().partition(":")
                fields |= {"client_id": unquote_plus(id), "client_secret": unquote_plus(secret)}
        self.asked.append(fields)
        self.may_answer.wait(10)
        if self.silent:
            return None
        if self.says is not None:
            return self.says
        return self._granted(fields)

    def _granted(self, fields: Asked) -> bytes:
        more: dict[str, Any] = {}
        if fields["grant_type"] == "refresh_token":
            if fields["refresh_token"] != self.refresh_token:
                return http("400 Bad Request", b'{"error":"invalid_grant"}', "application/json")
            if self.rotates:
                self.refresh_token = f"refresh-token-{len(self.asked) + 1}"
                more = {"refresh_token": self.refresh_token}
        token = {"access_token": f"access-token-{len(self.asked)}", "token_type": "bearer", **more}
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in
        return http("200 OK", json.dumps(token).encode(), "application/json; charset=utf-8")


@contextmanager
def token_endpoint(**fields: Any) -> Generator[Endpoint]:
    """Run one."""
    endpoint = Endpoint(**fields)
    endpoint.may_answer.set()
    answer: Callable[[bytes], bytes | None] = endpoint.answer
    with answering(answer) as port:
        endpoint.port = port
        yield endpoint
        endpoint.may_answer.set()
