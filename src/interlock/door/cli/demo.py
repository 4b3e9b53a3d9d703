"""`interlock demo`: a small company, a scripted agent, and what the interlock does in between. No network."""

import fcntl
import json
import shutil
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

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
from interlock.door.cli.demo_screen import Screen
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited
from interlock.gateway.asked import Proposal
from interlock.gateway.call import Gateway
from interlock.gateway.consent import agree, deny, waiting
from interlock.gateway.doors import Operator, resume_switch, throw
from interlock.gateway.publish import publish_contract
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.ledger.note import Verifier, opened
from interlock.ledger.tree import verify
from interlock.ports import TenantStore
from interlock_demo.agent import follow_up, work
from interlock_demo.company import draw_company, write_company
from interlock_demo.harm import Harm, agreed_invoices, harm, undone_invoices
from interlock_demo.schema import company_at
from interlock_demo.surprise import surprises
from interlock_demo.talk import Json, Reply, Resolution
from interlock_demo.ticket import Ticket
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


async def verify_demo(store: TenantStore, gateway: Gateway) -> str:
    """Check the ledger against its signed head, and say what was found.

    Raises:
        LedgerBroken: it does not lead there.
    """
    lines: list[bytes] = []
    while more := await store.entries(after=len(lines)):
        lines += more
    secrets = gateway.secrets
    note = await store.signed_head()
    verifier = Verifier(origin=f"interlock/{TENANT}", public_key=secrets.public_key(TENANT))
    head = opened(note, verifier, lambda signature, text: secrets.sign(TENANT, text) == signature)
    verify(lines, older=head)
    return f"ledger verified: {head.size} entries lead to the signed head {head.root.hex()[:16]}"


@awaited
async def demo(typed: Typed) -> int:
    """Run the demo in the folder that is meant."""
    return await run_demo(Path(typed.given.into), typed.given.seed)


async def run_demo(folder: Path, seed: int) -> int:
    """Run the demo in `folder` and print what happens.

    Returns:
        0 if everything went as the tickets expect and nothing was harmed, else 1.

    Raises:
        InterlockError: the folder or the store cannot be used, or the ledger does not verify.
    """
    with alone(folder):
        return await _run_alone(folder, seed)


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


async def _run_alone(folder: Path, seed: int) -> int:
    prepare(folder)
    loose = await without(folder, seed)
    screen = Screen(out=sys.stdout)
    where = folder / "interlock.db"
    with a_company(folder, "company.db", seed) as (database, tickets):
        with performing(str(where), folder / "keys") as gateway:
            store = gateway.store.for_tenant(TENANT)
            screen.opened(folder, tickets)
            await publish_demo(store, gateway)
            run = Demo(gateway, store, tickets, screen)
            await run.run()
            governed = harm(database, agreed_invoices(tickets), undone_invoices(tickets))
            await screen.summed_up(store, run.first, run.later, tickets, governed, loose)
            screen.deeper(folder, tickets, run.first)
            screen.verified(await verify_demo(store, gateway))
    for surprise in run.surprised:
        print(f"unexpected: {surprise}", file=sys.stderr)  # noqa: T201  the one place that tells of it
    return 0 if not run.surprised and governed.none else 1
