"""A back office on this machine, with a form, that misbehaves as it is told to."""

import html
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PASSWORD = "correct-horse-battery"

FORM = """<!doctype html><title>Refund</title><h1>Refund order {order}</h1>
<p>Customer: <b data-testid="customer">Ada Example</b></p>
<form method="post" action="/orders/{order}/refund">
<input type="hidden" name="csrf" value="t0ken">
<label>Amount <input name="amount" type="number" step="0.01"></label>
<label>Reason <select name="reason"><option value="">-</option><option value="d">Damaged</option>
<option value="l">Too late</option></select></label>
<label>Note <textarea name="note"></textarea></label>
<label><input type="checkbox" name="tell" value="1"> Tell the customer</label>
<label>On <input type="date" name="day"></label>
{more}
<button>Refund</button></form>{end}"""
DONE = """<!doctype html><h1>Refunded</h1><p>Refund <b data-testid="number">{number}</b> of order {order}</p>
<p role="status">Amount: EUR {amount}</p>"""
ORDER = """<!doctype html><h1>Order {order}</h1><label>State <input value="paid" readonly></label>
<p data-testid="total">EUR 1.50</p>
<table><tr><th>Paid</th><td role="cell" aria-label="Paid">yes</td></tr></table>{more}"""
LOG_IN = """<!doctype html><h1>Log in</h1><form method="post" action="/login"><label>User <input name="user"></label>
<label>Password <input name="password" type="password"></label><button>Log in</button></form>"""


@dataclass
class Site:
    """What it shows, and what it was asked."""

    port: int = 0
    more: str = ""
    """In the form, before its button."""
    end: str = ""
    """After the form."""
    change: Callable[[str], str] = lambda page: page
    """What becomes of a page."""
    answer: int = 200
    """Of a refund."""
    after: str = ""
    """At the end of the page that says that it was refunded."""
    elsewhere: str = ""
    """Where it leads to in place of the form."""
    leads_to: str = ""
    """Where a refund leads to."""
    asks_who: bool = False
    password: str = PASSWORD
    shows: str = ""
    """At the end of every page."""
    refunds: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    asked: list[str] = field(default_factory=list[str])
    heads: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    slow: Event | None = None
    ends: Event = field(default_factory=Event)
    """Set as it ends; until then `/poll` has no answer."""
    more_paths: dict[str, tuple[int, str, dict[str, str]]] = field(default_factory=dict[str, Any])
    """What else there is to ask for."""
    tls: bool = False

    def url(self, path: str = "") -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def page(self, path: str) -> tuple[int, str, dict[str, str]]:
        if path in self.more_paths:
            return self.more_paths[path]
        parts = path.strip("/").split("/")
        if path == "/login":
            return 200, LOG_IN, {}
        if path == "/script.js":
            return 200, "", {"Content-Type": "text/javascript"}
        if len(parts) < 2 or parts[0] != "orders":
            return 404, "<h1>There is nothing here</h1>", {}
        if self.elsewhere and parts[-1] == "refund":
            return 302, "", {"Location": self.elsewhere}
        text = FORM if parts[-1] == "refund" else ORDER
        page = text.format(order=html.escape(parts[1]), more=self.more, end=self.end) + self.shows
        return 200, self.change(page), {}

    def refund(self, path: str, form: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        self.refunds.append(form)
        order = path.split("/")[2]
        if self.leads_to:
            return 302, "", {"Location": self.leads_to}
        page = DONE.format(number=7000 + len(self.refunds), order=order, amount=form.get("amount"))
        return self.answer, page + self.after, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self.site.asked.append(("WS " if "Upgrade" in self.headers else "") + self.path)
        self.site.heads.append(dict(self.headers))
        path = urlsplit(self.path).path
        if path == "/slow" and self.site.slow is not None:
            self.site.slow.wait(20)
        if self.site.asks_who and path != "/login" and "session=s3ss" not in self.headers.get("Cookie", ""):
            return self._send(302, "", {"Location": "/login"})
        self._send(*self.site.page(path))

    def do_POST(self) -> None:
        self.site.asked.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if self.path == "/login":
            if form.get("password") != self.site.password:
                return self._send(403, "<h1>No</h1>", {})
            return self._send(302, "", {"Location": "/orders/1", "Set-Cookie": "session=s3ss; HttpOnly"})
        if self.path == "/poll":
            self.site.ends.wait(20)
        if self.path.endswith("/refund"):
            if self.site.slow is not None:
                self.site.slow.wait(20)
            return self._send(*self.site.refund(self.path, form))
        self._send(204, "", {})

    def _send(self, status: int, text: str, headers: dict[str, str]) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            return super().finish_request(request, client_address)
        with self.tls.wrap_socket(request, server_side=True) as known:
            super().finish_request(known, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that breaks off is no error."""


@contextmanager
def shop_site(tls: SSLContext | None = None) -> Generator[Site]:
    """Serve it."""
    site = Site(tls=tls is not None)
    handler = type("Handler", (_Handler,), {"site": site})
    server = _Server(("127.0.0.1", 0), handler)
    server.tls = tls
    site.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.ends.set()
        if site.slow is not None:
            site.slow.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
