"""What Interlock promises: an id, where it was promised, and what it says. Tests name the promises they show."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise, in the words in which users may hold us to it."""

    source: str
    says: str


PROMISES: Mapping[str, Promise] = {
    "door": Promise(
        source="docs/promises.md#door",
        says="no effect without a decision: no rule, an error in a rule, an unknown fact, a missing price, a store "
        "that is down are refusals; a token opens one workflow in one environment until it ends",
    ),
    "intent": Promise(
        source="docs/promises.md#intent",
        says="decision, holds, key, consumed grants and the `started` entry commit together, durably, before the "
        "first byte leaves",
    ),
    "once": Promise(
        source="docs/promises.md#once",
        says="an effect never happens twice for one action; what nobody can know is `uncertain`, which stops and asks",
    ),
    "budget": Promise(
        source="docs/promises.md#budget",
        says="no action is admitted beyond a budget, whatever the concurrency; a charge above its hold is booked, "
        "shown as an overrun and closes the budget",
    ),
    "consent": Promise(
        source="docs/promises.md#consent",
        says="a grant opens exactly the digest that the person saw; every asking rule has approvers and a quorum of "
        "its own; who asked and who edited cannot approve",
    ),
    "stop": Promise(
        source="docs/promises.md#stop",
        says="once a switch's change has committed, no `started` entry of its scope commits",
    ),
    "undo": Promise(
        source="docs/promises.md#undo",
        says="what is declared undoable can be undone within its window, by policy, also under a stop, or without a "
        "budget",
    ),
    "explain": Promise(
        source="docs/promises.md#explain",
        says="operators learn which rule decided and why; an agent learns a reason code, and kind and path for "
        "invalid arguments",
    ),
    "tenant": Promise(
        source="docs/promises.md#tenant",
        says="no tenant and no agent sees, spends or recalls another's",
    ),
    "ledger": Promise(
        source="docs/promises.md#ledger",
        says="any edit, insertion, deletion, reordering or truncation is found by whoever holds an older receipt or "
        "head; rows that open something are refused once they were edited",
    ),
    "forget": Promise(
        source="docs/promises.md#forget",
        says="a person's data can be erased, unless it is held for law, and expires when its days are over, while the "
        "ledger still verifies",
    ),
    "secret": Promise(
        source="docs/promises.md#secret",
        says="arguments, results and keys are not readable in the database or the ledger; the secret of a tool "
        "is handed to it alone, for one workflow in one environment, and is in no result, record or error",
    ),
}
