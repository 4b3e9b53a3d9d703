"""Web pages: `page:text` reads the text of a page whose address the contract allows, with GET and nothing else."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from interlock.contract.hosts import origin_of
from interlock.contract.ir import Host
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import ContractInvalid, UpstreamFailed, UpstreamSilent
from interlock.core.ids import Environment
from interlock.core.limits import PAGE_BYTES_MAX
from interlock.ports import Performer
from interlock.tool.content_type import charset_of, kind_of
from interlock.tool.http_client import HttpClient, Question
from interlock.tool.manifest import Asking, Manifest, pinned
from interlock.tool.page_text import PageText, plain_text, text_of
from interlock.tool.plan import how_of, plan_of
from interlock.tool.slots import Slots, SlotsOf
from interlock.tool.web_address import WebAddress, web_address

SOURCE = "page:text"

_RESULT: Mapping[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "text": {"type": "string"}, "cut": {"type": "boolean"}},
    "required": ["title", "text", "cut"],
}
_CHARSETS: Mapping[str, str] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "iso-8859-15": "iso8859-15",
}
"""As browsers read them."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Addresses that may be read."""

    begins: str
    """In its one form."""
    only: bool = False
    """Whether it is one address, and not the beginning of many."""
    query: bool = False
    """Whether what is asked for in a query may be chosen."""
    private: bool = False

    def lets(self, address: WebAddress) -> bool:
        """Whether an address is one of these."""
        if self.only:
            return str(address) == self.begins
        return str(address).startswith(self.begins) and (self.query or not address.query)


class PagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a page tool may read."""

    allowed: tuple[Allowed, ...]


def describe_page(asking: Asking) -> Manifest:
    """Say what a page tool takes and returns, and what it may read.

    Raises:
        ContractInvalid: the contract allows no address, or one that reads in two ways.
    """
    tool = asking.tool
    if tool.source != SOURCE:
        raise ContractInvalid(f"`{tool.source}` is no way to read a page", fix=f"write `from: {SOURCE}`")
    if not tool.urls:
        fix = 'write `urls: ["https://help.example.com/*"]`'
        raise ContractInvalid("nobody says which pages may be read", fix=fix)
    if not tool.effect_unsaid and tool.effect is not EffectClass.READ:
        raise ContractInvalid(f"a page is only read, and is not `{tool.effect.value}`", fix="remove `effect`")
    if tool.secret or tool.idempotency_header:
        fix = "remove it, or name an operation of an OpenAPI document"
        raise ContractInvalid("a page is read as anybody may: without a secret and a key", fix=fix)
    plan = PagePlan(allowed=tuple(_allowed(asking, url) for url in tool.urls))
    url = {"type": "string", "description": "The address of the page, one of: " + ", ".join(tool.urls)}
    return pinned(
        description="Read the text of a web page.",
        schema={"type": "object", "properties": {"url": url}, "required": ["url"], "additionalProperties": False},
        result_schema=_RESULT,
        how=how_of(plan),
        effect=EffectClass.READ,
    )


def _allowed(asking: Asking, url: str) -> Allowed:
    beginning = url.removesuffix("*")
    rest = beginning.partition("://")[2]
    if "*" in beginning or "/" not in rest:
        fix = "write a whole host, and `*` at the end of a path or of a query: `https://help.example.com/*`"
        raise ContractInvalid(f"`{url}` leaves open which host or which path", fix=fix)
    # A query that ends with `=` or an open path is in its one form as it stands, up to what `*` is put for.
    address = web_address(beginning)
    host = asking.contract.hosts.get(origin_of(url), Host())
    private = host.is_private_in(asking.environment or Environment(""))
    if address.scheme != "https" and not private:
        fix = f'write `https://`, or `hosts: {{ "{origin_of(url)}": {{ private: true }} }}`'
        raise ContractInvalid(f"`{address.origin}` would be reached without TLS", fix=fix)
    return Allowed(begins=str(address), only=beginning == url, query="?" in beginning, private=private)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTool:
    """Reads pages."""

    plan: PagePlan
    client: HttpClient
    slots: Slots

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Read a page.

        Raises:
            UpstreamFailed: it may not be read, or cannot be.
            UpstreamSilent: it did not come.
        """
        self.slots.take()
        try:
            found = await self._page(errand)
        finally:
            self.slots.give_back()
        return Performed(result={"title": found.title, "text": found.text, "cut": found.cut})

    async def _page(self, errand: Errand) -> PageText:
        arguments: Mapping[str, Json] = json.loads(errand.arguments)
        address, allowed = self._address(str(arguments.get("url")))
        question = Question(
            method="GET",
            url=str(address),
            headers={"Accept": "text/html, text/plain;q=0.9"},
            private=allowed.private,
            bytes_max=PAGE_BYTES_MAX,
        )
        answer = await self.client.ask(question, before=errand.check_lease)
        if not 200 <= answer.status < 300:
            failure = UpstreamSilent if answer.status >= 500 or answer.status == 408 else UpstreamFailed
            raise failure(f"`{question.host}` answers {answer.status}", fix="look whether the page is there")
        said = answer.headers.get("Content-Type", "")
        text = answer.body.decode(_CHARSETS.get(charset_of(said), "utf-8"), errors="replace")
        match kind_of(said):
            case "text/html" | "application/xhtml+xml":
                # A page of some megabytes takes a good part of a second.
                return await asyncio.to_thread(text_of, text)
            case "text/plain" | "text/markdown":
                return plain_text(text)
            case _:
                raise UpstreamFailed(f"`{question.host}` answers with no page", fix="read pages of HTML or text")

    def _address(self, url: str) -> tuple[WebAddress, Allowed]:
        try:
            address = web_address(url)
        except ContractInvalid as error:
            raise UpstreamFailed(f"{error}, so nothing was sent", fix=error.fix) from error
        for allowed in self.plan.allowed:
            if allowed.lets(address):
                return address, allowed
        raise UpstreamFailed("the contract does not allow this address, so nothing was sent", fix="add it to `urls`")


@dataclass(slots=True)
class PageTools:
    """Finds what reads pages. All share one client."""

    client: HttpClient
    _slots: SlotsOf = field(default_factory=SlotsOf)

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what reads these pages. It connects to nobody.

        Raises:
            ContractInvalid: another version pinned it.
        """
        if source != SOURCE:
            return None
        return PageTool(plan=plan_of(terms.how, PagePlan), client=self.client, slots=self._slots.find(terms, terms.pin))

    def close(self) -> None:
        self.client.close()
