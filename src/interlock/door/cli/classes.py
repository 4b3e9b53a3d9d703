"""`data classes`: every class of data that is kept, what for, for how long, and what makes it go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.contract.bundle import decode
from interlock.contract.ir import Contract
from interlock.core.wording import count
from interlock.door.cli.render import block, clean, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Data that is kept for the same reason, and goes in the same way."""

    name: str
    holds: str
    why: str
    readable: str
    goes: str


CLASSES = (
    Class(
        name="payloads",
        holds="arguments, results, previews, records before and after, what policy was asked",
        why="to carry out, show to whoever agrees, answer again, undo, replay policy",
        readable="encrypted, under the keys of subject and lot",
        goes="days of the contract; `data erase`; with its entries",
    ),
    Class(
        name="ledger",
        holds="who asked, for whom, which tool, when, which rules, who agreed, amounts, commitments",
        why="to prove what happened and why",
        readable="in the clear",
        goes="days of the contract; a hash stays",
    ),
    Class(
        name="rows",
        holds="where each action stands, votes, balances, claims on business keys (MACs)",
        why="to decide, hold budget, do nothing twice",
        readable="in the clear, under a MAC",
        goes="with the entries; key, end and cost stay",
    ),
    Class(
        name="changes",
        holds="contracts, switches, budgets raised, holds for law, erasures, rotations: by whom and when",
        why="to know what was in force, and who answers for it",
        readable="in the clear",
        goes="never",
    ),
    Class(
        name="keys",
        holds="a key for each subject, run and lot; names are MACs",
        why="to read payloads, and to make them unreadable",
        readable="beside the store",
        goes="`data erase`, `data expire`, whoever attends",
    ),
    Class(
        name="memos",
        holds="sessions of MCP that were ended, what they watch, tasks, how often a token came, answers on their way",
        why="to serve a client by several processes as by one",
        readable="answers and what is watched encrypted; under a MAC",
        goes="by itself: answers in minutes, sessions in a week",
    ),
    Class(
        name="outside",
        holds="anchors (signed heads alone), receipts, exports, archives, backups",
        why="to find out a rewritten past; to restore",
        readable="exports in the clear; payloads in backups encrypted",
        goes="you delete it",
    ),
)


@awaited
async def listed(typed: Typed) -> int:
    """List the classes of data, and how long each contract in force keeps its own."""
    with session(typed) as here:
        published = (await here.rows()).door.published
        contracts = {name: decode(await here.store.contract(each.contract)) for name, each in sorted(published.items())}
    data = {
        "classes": [
            {"class": c.name, "holds": c.holds, "purpose": c.why, "readable": c.readable, "goes": c.goes}
            for c in CLASSES
        ],
        "contracts": [_data(name, contract) for name, contract in contracts.items()],
    }
    typed.screen.show(data, f"{_classes(typed)}\n\n{_contracts(typed, contracts)}")
    return 0


def _classes(typed: Typed) -> str:
    parts: list[str] = []
    for each in CLASSES:
        pairs = [("holds", each.holds), ("what for", each.why), ("readable", each.readable), ("goes", each.goes)]
        parts.append(f"{each.name}\n{block(pairs, typed.screen.width, indent=2)}")
    return "\n".join(parts)


def _contracts(typed: Typed, contracts: Mapping[str, Contract]) -> str:
    rows = [
        (
            name,
            _days(each.payload_days, "until erased"),
            _days(each.ledger_days, "for ever"),
            clean(each.purpose or "not said"),
        )
        for name, each in contracts.items()
    ]
    if not rows:
        return "no contract is published"
    return table(["CONTRACT IN FORCE", "PAYLOADS", "LEDGER", "PURPOSE"], rows, typed.screen.width)


def _days(days: int | None, unsaid: str) -> str:
    return unsaid if days is None else count(days, "day", "days")


def _data(name: str, contract: Contract) -> dict[str, Any]:
    return {
        "contract": name,
        "payload_days": contract.payload_days,
        "ledger_days": contract.ledger_days,
        "purpose": contract.purpose or None,
    }
