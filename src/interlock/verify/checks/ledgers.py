"""Nobody can rewrite what was recorded without being found by who kept something of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from interlock.contract.ir import Approvals, Unique
from interlock.core.errors import InterlockError
from interlock.core.ids import ActionId, BudgetId, ClaimId, Micros, PersonId, Role, RunId
from interlock.core.outcome import Done, Outcome, Parked, Receipt, Refused
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator
from interlock.gateway.history import audited, proved, signer_of
from interlock.ledger.export import proves
from interlock.ports import Changes, Needs
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab, Row
from interlock.verify.world import ALLOW, KIM, World, a_budget, a_rule, a_tool

DAY = Micros(86_400_000_000)
ROWS = ("action", "budget", "granted", "claim", "run", "door", "head")
"""What opens something: edited by who lacks the keys, it has to be a no, or to be listed."""


@dataclass(kw_only=True)
class Watched:
    """A tenant with a past, and the receipts that its callers kept."""

    lab: Lab
    world: World
    receipts: list[Receipt] = field(default_factory=list[Receipt])

    async def call(self, n: int) -> Outcome:
        outcome = await self.world.call({"to": f"c{n}"}, run=f"r{n % 3}")
        if outcome.receipt is not None:
            self.receipts.append(outcome.receipt)
        return outcome

    async def refused(self, needs: Needs) -> str:
        """Say whether a write that names these rows is refused; empty if it is not."""
        other = self.lab.world(beside=self.world)
        try:
            await other.store.write(needs, lambda rows: (Changes(), None))
        except InterlockError:
            return "refused"
        return ""

    async def noticed(self) -> str:
        """Say who notices that something is wrong, with a process opened afterwards; empty if nobody does."""
        other = self.lab.world(beside=self.world)
        try:
            secrets = other.opened.secrets
            if not (await audited(other.store, secrets, receipts=self.receipts)).sound:
                return "audit"
            if await verify_state(other.store, secrets):
                return "state"
            outcome = await other.call({"to": "afterwards"}, run="r1")
            return "refused" if isinstance(outcome, Refused) else ""
        except InterlockError:
            return "refused"
        finally:
            other.opened.close()
            self.lab.worlds.remove(other)


async def _watched(lab: Lab) -> Watched:
    world = lab.world()
    approvals = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
    tools = [a_tool(price=10, unique=Unique(on=("args.to",), within=DAY)), a_tool("mail.big")]
    rules = (ALLOW, a_rule("allow.big", "permit", "mail.big"), a_rule("ask.big", "ask", "mail.big"))
    await world.publish(*rules, tools=tools, budgets=[a_budget(10_000)], approvals=approvals)
    watched = Watched(lab=lab, world=world)
    for n in range(8):
        ended(await watched.call(n), Done, "a call")
    parked = ended(await world.call({"to": "x"}, tool="mail.big", run="r1"), Parked, "a call that waits")
    ann = Operator(person=PersonId("ann"), known_by="os:ann", process=KIM.process)
    await agree(world.gateway, world.store, parked.action, ann, seen=(await world.row(parked.action)).seen)
    return watched


@check("ledger", "an entry that was edited, cut, added, moved or taken away is found by who kept receipts")
async def entries_stand(lab: Lab) -> str:
    watched = await _watched(lab)
    must(await watched.noticed() == "", "a ledger that nobody touched is found fault with")
    entries = sorted(lab.rows("entry", watched.world), key=lambda row: row[1])
    at = lab.tables()["entry"].index("index")
    line = lab.tables()["entry"].index("line")
    middle = len(entries) // 2
    edits = {
        "edited": _with(entries, middle, line, bytes(entries[middle][line]).replace(b'"fence":1', b'"fence":2')),
        "edited by a byte": _with(entries, 0, line, bytes(entries[0][line]).replace(b'"at":1', b'"at":2', 1)),
        "cut off": entries[:-1],
        "taken from the middle": [*entries[:middle], *entries[middle + 1 :]],
        "swapped": _swapped(entries, middle, at),
        "added": [*entries, tuple(len(entries) if n == at else value for n, value in enumerate(entries[0]))],
    }
    seen = [f"{what}: {await _tried(watched, 'entry', entries, rows)}" for what, rows in edits.items()]
    return f"{len(seen)} of {len(edits)} found"


@check("ledger", "a row that opens something and was edited or put back is refused or listed")
async def rows_stand(lab: Lab) -> str:
    watched = await _watched(lab)
    early = {table: lab.rows(table, watched.world) for table in ROWS}
    ended(await watched.call(100), Done, "a call")
    needs, found = _every_row(lab, watched.world), 0
    for table in ROWS:
        rows = lab.rows(table, watched.world)
        must(bool(rows), f"there is no row in `{table}` to edit")
        for what, forged in (
            ("edited", _edited(lab, table, rows)),
            ("put back", early[table]),
            ("taken away", rows[1:]),
        ):
            if sorted(map(repr, forged)) == sorted(map(repr, rows)):
                continue  # nothing has changed it since
            who = await _tried(watched, table, rows, forged, needs=needs if what == "edited" else None)
            must(what != "edited" or who == "refused", f"a row of `{table}` was edited, and a write went on from it")
            found += 1
    return f"{found} edits found in {len(ROWS)} tables"


def _every_row(lab: Lab, world: World) -> Needs:
    named = {table: frozenset(str(row[1]) for row in lab.rows(table, world)) for table in ROWS[:5]}
    return Needs(
        actions=frozenset(map(ActionId, named["action"])),
        budgets=frozenset(map(BudgetId, named["budget"])),
        grants=frozenset(map(ActionId, named["action"])),
        claims=frozenset(map(ClaimId, named["claim"])),
        runs=frozenset(map(RunId, named["run"])),
    )


def _edited(lab: Lab, table: str, rows: Sequence[Row]) -> list[Row]:
    """Change a number of the first row, so that it is as readable as before."""
    column = lab.tables()[table].index("size" if table == "head" else "body")
    stands = rows[0][column]
    if isinstance(stands, int):
        return _with(rows, 0, column, stands + 1)
    return _with(rows, 0, column, re.sub(rb"(?<=:)[0-9]", _other_digit, bytes(stands), count=1))


def _other_digit(found: re.Match[bytes]) -> bytes:
    return b"%d" % ((int(found[0]) + 1) % 10)


@check("ledger", "an older copy of everything is refused by who saw more, and found by who kept a receipt")
async def older_copy(lab: Lab) -> str:
    watched = await _watched(lab)
    tables = lab.tables()
    early = {table: lab.rows(table, watched.world) for table in tables}
    ended(await watched.call(100), Done, "a call whose record is lost")
    must(len(watched.receipts) > 0, "no caller has a receipt")
    for table, rows in early.items():
        lab.put_back(table, watched.world, rows)
    outcome = await watched.world.call({"to": "c101"}, run="r9")
    must(isinstance(outcome, Refused), "a gateway that saw more went on from the older copy")
    must(await watched.noticed() == "audit", "a receipt for what is lost was not missed")
    return "1 gateway refused, 1 receipt missed"


@check("ledger", "a receipt proves its entry to whoever has the public key alone, and no other entry")
async def receipts_prove(lab: Lab) -> str:
    watched = await _watched(lab)
    store, secrets = watched.world.store, watched.world.opened.secrets
    signer = await signer_of(store, secrets)
    for receipt in watched.receipts:
        one = await proved(store, receipt.index)
        must(proves(one, signer), f"the proof of entry {receipt.index} does not hold")
        lie = type(one)(line=one.line.replace(b'"fence":1', b'"fence":2'), index=one.index, proof=one.proof)
        must(lie.line != one.line and not proves(lie, signer), "another entry was proved")
    return f"{len(watched.receipts)} receipts proved"


async def _tried(
    watched: Watched, table: str, rows: Sequence[Row], forged: Sequence[Row], *, needs: Needs | None = None
) -> str:
    """Put forged rows in the place of others, and say who noticed: whoever writes with these `needs`, or looks."""
    watched.lab.put_back(table, watched.world, forged)
    try:
        who = (await watched.refused(needs) if needs is not None else "") or await watched.noticed()
    finally:
        watched.lab.put_back(table, watched.world, rows)
    if not who:
        broken(f"rows of `{table}` were forged, and nobody noticed")
    return who


def _with(rows: Sequence[Row], n: int, column: int, value: object) -> list[Row]:
    forged = list(rows)
    forged[n] = tuple(value if at == column else old for at, old in enumerate(rows[n]))
    must(forged[n] != rows[n], "nothing was edited")
    return forged


def _swapped(rows: Sequence[Row], n: int, index: int) -> list[Row]:
    """Let two entries change their places."""
    one, other = rows[n], rows[n + 1]
    return [*rows[:n], _at(other, index, one[index]), _at(one, index, other[index]), *rows[n + 2 :]]


def _at(row: Row, column: int, value: object) -> Row:
    return tuple(value if n == column else old for n, old in enumerate(row))


CHECKS = (entries_stand, rows_stand, older_copy, receipts_prove)
