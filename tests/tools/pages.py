"""Page actions as tools of a world, in a real browser, on a site that misbehaves as it is told to."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import psutil
import pytest

from interlock.app import describe, gateway_on
from interlock.contract.ir import Contract
from interlock.core.ids import Environment, PayloadId, WorkflowId
from interlock.core.outcome import Done, Failed, Outcome, Uncertain
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.gateway.publish import Publication, publish_contract
from interlock.ports import Performers
from interlock.tool.browser import describe_browser
from interlock.tool.manifest import Asking, Manifest
from tools.operations import a_contract, is_there
from tools.shop_site import Site
from world import KIM, World

DEV = Environment("dev")
REFUND = """
refund:
  about: Refund an order.
  open: /orders/{order}/refund
  parameters: { order: { kind: integer } }
  allow: [/*]
  expect: { heading: "Refund order {order}" }
  fields:
    amount: { label: Amount, kind: number, decimals: 2, min: 0.01, max: 100 }
    reason: { label: Reason, kind: select, options: [Damaged, Too late] }
    note: { label: Note, kind: text, max_length: 200, needed: false }
    tell: { label: Tell the customer, kind: checkbox, needed: false }
    day: { label: "On", kind: date, needed: false }
  submit: Refund
  then: { url: /orders/*, heading: Refunded }
  read:
    number: { test_id: number, kind: integer }
    amount: { role: status, kind: number, pattern: "Amount: EUR ([0-9.]+)" }
"""
LOOK = """
look:
  about: Look at an order.
  open: /orders/{order}
  parameters: { order: { kind: integer } }
  allow: [/*]
  expect: { heading: "Order {order}" }
  read:
    state: { label: State, kind: text }
    total: { test_id: total, kind: number, pattern: "EUR ([0-9.]+)" }
    paid: { role: cell, name: Paid, kind: boolean }
"""
GIVEN: Mapping[str, Any] = {"order": 4711, "amount": 12.5, "reason": "Damaged"}
NO_BROWSER = "there is no Chromium on this machine: `apt-get install chromium`"


def needs_a_browser() -> None:
    """Skip where there is no browser, unless that is what must not be."""
    if find_spec("playwright") is None:
        missing = "Playwright is not installed: `pip install 'interlock[browser]'`"
    else:
        from interlock.tool.browser_engine import NAMES

        if os.environ.get("INTERLOCK_BROWSER") or any(which(name) for name in NAMES):
            return
        missing = NO_BROWSER
    if os.environ.get("INTERLOCK_CI") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


def a_page_contract(name: str, tool: str, host: str, hosts: str = "") -> Contract:
    more = f", {hosts}" if hosts else ""
    hosts = f"hosts: {{ shop.yaml: {{ url: '{host}', private: true }}{more} }}\n" if host else ""
    return a_contract(f'  {name}: {{ from: "browser:shop.yaml#{name}", tier: green, price: 0{tool} }}\n', more=hosts)


def described(
    folder: Path, text: str, tool: str = "", *, name: str = "refund", host: str = "https://shop.example"
) -> Manifest:
    """What publishing finds out about one action of a file."""
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    contract = a_page_contract(name, tool, host)
    (found,) = contract.tools.values()
    return describe_browser(Asking(tool=found, contract=contract, folder=folder, environment=DEV))


def started(name: str, by: int | None = None) -> Iterator[psutil.Process]:
    """What runs of the processes that this one (or BY) has started, where NAME is in their name."""
    for process in psutil.Process(by).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if name in process.name():
                yield process


@dataclass
class Shop:
    """A world whose tools are page actions, and the site that they are done on."""

    world: World
    site: Site
    folder: Path
    tools: Performers

    async def publish(
        self, text: str = REFUND, tool: str = "", *, name: str = "refund", seconds: int = 16, hosts: str = ""
    ) -> Publication:
        (self.folder / "shop.yaml").write_text(text, encoding="utf-8")
        contract = a_page_contract(name, f", timeout: {seconds}s{tool}", self.site.url(), hosts)
        contract = replace(contract, tenant=self.world.tenant)
        self.world.gateway = gateway_on(self.world.opened, self.tools)
        return await publish_contract(
            self.world.store, contract, DEV, KIM, folder=self.folder, describe=describe, look=is_there
        )

    async def call(self, name: str = "refund", /, **arguments: Any) -> Outcome:
        caller = replace(self.world.caller(), workflow=WorkflowId("w"), environment=DEV)
        return await self.world.call(json.dumps(arguments or dict(GIVEN)), tool=name, caller=caller)

    async def done(self, name: str = "refund", /, **arguments: Any) -> Any:
        outcome = await self.call(name, **arguments)
        assert isinstance(outcome, Done), outcome
        return outcome.result

    async def failed(self, name: str = "refund", /, **arguments: Any) -> str:
        """Why it has failed. A person takes over, and nothing has happened."""
        outcome = await self.call(name, **arguments)
        assert isinstance(outcome, Failed), outcome
        assert self.site.refunds == []
        assert await self.handed_off() == [outcome.action]
        return outcome.why

    async def uncertain(self, /, **arguments: Any) -> str:
        outcome = await self.call("refund", **arguments)
        assert isinstance(outcome, Uncertain), outcome
        assert await self.handed_off() == [outcome.action]
        return (await self.world.row(outcome.action)).why

    async def handed_off(self) -> list[str]:
        now = self.world.clock.now()
        assert await verify_state(self.world.store, self.world.opened.secrets) == ()
        return [each.action for each in await self.world.store.notices(before=now) if each.topic == "handoff"]

    async def pictures(self, outcome: Outcome) -> dict[str, bytes]:
        """The pictures that are kept of an action, by their moment."""
        found: dict[str, bytes] = {}
        for _, line in await self.world.store.entries_of(outcome.action):
            for name, value in json.loads(line).get("detail", {}).items():
                if name.startswith("picture_"):
                    id = PayloadId(value.partition(" ")[0])
                    sealed = await self.world.store.payload(id)
                    assert sealed is not None
                    opened = self.world.opened.secrets.open(self.world.tenant, id, sealed)
                    found[name.removeprefix("picture_")] = opened
        return found
