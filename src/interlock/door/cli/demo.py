"""`interlock demo`: a small company, a scripted agent, and what the interlock does in between. No network."""

import fcntl
import json
import shlex
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import interlock_demo
from interlock.app import describe, performing
from interlock.contract.read import load
from interlock.core.action import Caller
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.errors import StoreBusy, StoreError
from interlock.core.ids import (
    ActionId,
    AgentId,
    Environment,
    Instant,
    PersonId,
    PrincipalId,
    RunId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.core.outcome import Done, Outcome, Parked, Refused, Suggested
from interlock.door.cli.anchored import last_anchor
from interlock.door.cli.demo_screen import Screen
from interlock.door.cli.demo_sums import sums_of
from interlock.door.cli.itself import itself
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited
from interlock.gateway.call import Gateway
from interlock.gateway.consent import agree, deny, waiting
from interlock.gateway.doors import Operator, resume_switch, throw
from interlock.gateway.history import signer_of
from interlock.gateway.proposal import Proposal
from interlock.gateway.publish import publish_contract
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.ledger.note import opened
from interlock.ledger.tree import Head, verify
from interlock.ports import TenantStore
from interlock_demo.agent import follow_up, work
from interlock_demo.company import draw_company, write_company
from interlock_demo.harm import Harm, agreed_invoices, harm, undone_invoices
from interlock_demo.schema import company_at
from interlock_demo.surprise import surprises
from interlock_demo.talk import Json, Reply, Resolution
from interlock_demo.ticket import Kind, Ticket
from interlock_demo.trusting import TrustingDoor

TENANT, WORKFLOW, DEMO = TenantId("demo"), WorkflowId("support-refunds"), Environment("demo")
CALLER = Caller(
    tenant=TENANT,
    workflow=WORKFLOW,
    environment=DEMO,
    agent=AgentId("refund-bot"),
    principal=PrincipalId("support-desk"),
)
MARKER = "interlock-demo"
"""A file beside a demo's database. Only such a folder is ever cleared, and only there may anybody be anybody."""


@dataclass(frozen=True, slots=True)
class GovernedDoor:
    """The agent's way out: every call goes through the gateway, and the agent hears what agents hear."""

    gateway: Gateway

    async def call(self, run: str, tool: str, arguments: Mapping[str, Json], *, key: str | None = None) -> Reply:
        """Ask for one thing."""
        text = json.dumps(dict(arguments))
        proposal = Proposal(tool=ToolName(tool), arguments=text, run=RunId(run), key=key)
        return reply_of(await self.gateway.call(CALLER, proposal))


def reply_of(outcome: Outcome) -> Reply:
    """Tell an agent how its call ended: a reason code, and nothing that an attacker could learn from."""
    match outcome:
        case Done():
            result, status, reason = outcome.result, "done", ""
        case Refused():
            result, status, reason = None, "refused", outcome.reason.value
        case Suggested():
            result, status, reason = outcome.preview, "suggested", ""
        case Parked():
            result, status, reason = None, "parked", ""
        case _:
            result, status, reason = None, "failed" if type(outcome).__name__ == "Failed" else "uncertain", ""
    return Reply(status=status, action=outcome.action, result=result, reason=reason, recalled=outcome.recalled)


@dataclass(slots=True)
class Demo:
    """One run of the demo: the tickets, who works on them, and what came of it."""

    gateway: Gateway
    store: TenantStore
    tickets: tuple[Ticket, ...]
    screen: Screen
    first: dict[str, Resolution] = field(default_factory=dict[str, Resolution])
    later: dict[str, Resolution] = field(default_factory=dict[str, Resolution])
    surprised: list[str] = field(default_factory=list[str])

    async def run(self) -> None:
        """Work on every ticket, wave by wave; an approver decides after each."""
        half = len(self.tickets) // 2
        for wave in (1, 2, 3):
            for number, ticket in enumerate(self.tickets):
                if ticket.wave == wave:
                    await self._work(ticket)
                if wave == 1 and number == half:
                    await self._stop_half_way()
            for ticket in self.tickets:
                if ticket.wave == wave and self.first[ticket.id].parked:
                    await self._decide(ticket)
        for ticket in self.tickets:
            if ticket.undo:
                await self._undo(ticket)

    async def _work(self, ticket: Ticket) -> None:
        resolution = await work(ticket, GovernedDoor(self.gateway))
        self.first[ticket.id] = resolution
        self.surprised += surprises(ticket, resolution)
        self.screen.worked(ticket, resolution)

    async def _decide(self, ticket: Ticket) -> None:
        before = self.first[ticket.id]
        for id in map(ActionId, before.parked):
            row = await waiting(self.store, id)
            if ticket.answer == "yes":
                await agree(self.gateway, self.store, id, self._person("maya"), seen=row.seen)
                await resume(self.gateway, self.store, id)
            else:
                await deny(self.gateway, self.store, id, self._person("maya"))
        self.later[ticket.id] = await follow_up(ticket, before, GovernedDoor(self.gateway))
        self.surprised += surprises(ticket, before, self.later[ticket.id])
        self.screen.decided(ticket, "maya", self.later[ticket.id])

    async def _stop_half_way(self) -> None:
        stop = Switch(id="demo-stop", kind=SwitchKind.STOP, scope=Scope(), by=PersonId("jonas"), at=Instant(0))
        await throw(self.store, stop, self._person("jonas"))
        reply = await GovernedDoor(self.gateway).call("r-stop", "lookup_customer", {"customer_id": "C000001"})
        self.screen.stopped("jonas", reply)
        await resume_switch(self.store, stop.id, self._person("jonas"))

    async def _undo(self, ticket: Ticket) -> None:
        refund = next(call for call in self.first[ticket.id].calls if call.tool == "create_refund")
        outcome = await undo(self.gateway, self.store, ActionId(refund.reply.action), self._person("ines"))
        if isinstance(outcome, Parked):
            row = await waiting(self.store, outcome.action)
            await agree(self.gateway, self.store, outcome.action, self._person("maya"), seen=row.seen)
            outcome = await resume(self.gateway, self.store, outcome.action)
        self.screen.undone(ticket, "ines", outcome)

    def _person(self, name: str) -> Operator:
        return Operator(person=PersonId(name), known_by="demo", process=self.gateway.process)


def prepare(folder: Path) -> None:
    """Make an empty folder for the demo, or clear the one that an earlier demo made.

    Raises:
        StoreError: the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise StoreError(f"`{folder}` holds something that is no demo", fix="name another folder: `--into FOLDER`")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("This folder was made by `interlock demo`, which may clear it.\n", encoding="utf-8")


@contextmanager
def a_company(folder: Path, name: str, seed: int) -> Generator[tuple[Path, tuple[Ticket, ...]]]:
    """Make the company's own database and let its tools find it."""
    company = draw_company(seed)
    database = folder / name
    write_company(company, database)
    with company_at(database):
        yield database, company.tickets


async def without(folder: Path, seed: int) -> Harm:
    """Let the same agent loose on the same company with nothing in between, and count the harm."""
    with a_company(folder, "without.db", seed) as (database, tickets):
        door = TrustingDoor()
        for ticket in tickets:
            await work(ticket, door)
        return harm(database)


async def publish_demo(store: TenantStore, gateway: Gateway) -> None:
    """Put the demo's contract in force."""
    file = Path(interlock_demo.__file__).parent / "contract.yaml"
    ines = Operator(person=PersonId("ines"), known_by="demo", process=gateway.process)
    await publish_contract(store, load(file), DEMO, ines, folder=file.parent, describe=describe)


async def verify_demo(store: TenantStore, gateway: Gateway) -> Head:
    """Check the ledger against its signed head, and return it.

    Raises:
        LedgerBroken: it does not lead there.
    """
    lines: list[bytes] = []
    while more := await store.entries(after=len(lines)):
        lines += more
    secrets = gateway.secrets
    note = await store.signed_head()
    head = opened(note, await signer_of(store, secrets))
    verify(lines, older=head)
    return head


@awaited
async def demo(typed: Typed) -> int:
    """Run the demo in the folder that is meant, and print what happens; where JSON is wanted, what came of it.

    Returns:
        0 if everything went as the tickets expect and nothing was harmed, else 1.

    Raises:
        InterlockError: the folder or the store cannot be used, or the ledger does not verify.
    """
    folder = Path(typed.given.into)
    screen = Screen(out=typed.screen.err if typed.screen.json else typed.screen.out, width=typed.screen.broad)
    with alone(folder):
        data = await _run_alone(folder, typed.given.seed, screen)
    for surprise in data["unexpected"]:
        typed.screen.err.write(f"unexpected: {surprise}\n")
    if typed.screen.json:
        typed.screen.show(data, "")
    return 0 if data["ok"] else 1


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Keep other demos out of a folder, by a lock that stays when the folder is cleared.

    Raises:
        StoreBusy: another demo is running there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreBusy(f"another demo is running in `{folder}`", fix="say `--into FOLDER`") from error
        yield


async def _run_alone(folder: Path, seed: int, screen: Screen) -> dict[str, Any]:
    prepare(folder)
    loose = await without(folder, seed)
    where = folder / "interlock.db"
    with a_company(folder, "company.db", seed) as (database, tickets):
        with performing(str(where), folder / "keys") as gateway:
            store = gateway.store.for_tenant(TENANT)
            screen.opened(folder, tickets)
            await publish_demo(store, gateway)
            run = Demo(gateway, store, tickets, screen)
            await run.run()
            governed = harm(database, agreed_invoices(tickets), undone_invoices(tickets))
            sums = await sums_of(store, run.first, run.later, tickets, governed, loose)
            screen.summed_up(sums)
            deeper = commands(folder, tickets, run.first)
            screen.deeper(deeper)
            head = await verify_demo(store, gateway)
            screen.verified(f"ledger verified: {head.size} entries lead to the signed head {head.root.hex()[:16]}")
            last = await last_anchor(store, folder / "keys")
            screen.beside("last anchor: ", str(last))
    return {
        "seed": seed,
        "folder": str(folder),
        "tickets": len(tickets),
        **sums.as_data(),
        "ledger": {"entries": head.size, "root": head.root.hex(), "last_anchor": last},
        "look_deeper": [" ".join(each) for each in deeper],
        "unexpected": run.surprised,
        "ok": not run.surprised and governed.none,
    }


def commands(folder: Path, tickets: tuple[Ticket, ...], first: Mapping[str, Resolution]) -> list[tuple[str, str]]:
    """Write commands to go on with: what to say, and the options that find this demo."""
    found = f"--store {shlex.quote(str(folder / 'interlock.db'))} --keys {shlex.quote(str(folder / 'keys'))}"
    options = f"{found} --tenant {TENANT}"
    granted, silent = (_refund_of(kind, tickets, first) for kind in (Kind.GRANTED_REFUND, Kind.SILENT_REFUND))
    said = (f"explain {granted}", f"action show {silent}", "ledger verify")
    return [(f"{itself()} {each}", options) for each in said]


def _refund_of(kind: Kind, tickets: tuple[Ticket, ...], first: Mapping[str, Resolution]) -> str:
    calls = (call for ticket in tickets if ticket.kind is kind for call in first[ticket.id].calls)
    return next(call.reply.action for call in calls if call.tool == "create_refund")
