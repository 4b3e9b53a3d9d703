"""The programs of `docs/sdk.md`."""

from collections.abc import Sequence
from typing import assert_never

from interlock_sdk import (
    AsyncInterlock,
    Done,
    Interlock,
    Parked,
    Refused,
    Suggested,
    Unanswered,
    Uncertain,
)
from interlock_sdk.signing import KeyFile


def give_back(interlock: Interlock, order: str, amount_usd: int) -> str:
    """Give money back, however long a person takes to agree."""
    outcome = interlock.call("refund", {"order": order, "amount_usd": amount_usd})
    if isinstance(outcome, Parked):
        print(outcome.in_words)  # noqa: T201  it is a program
        outcome = interlock.wait(outcome)
    match outcome:
        case Done(result=result):
            return str(result)
        case Parked() | Suggested() | Uncertain():
            return outcome.in_words
        case _:
            assert_never(outcome)


def tell_why_not(interlock: Interlock, order: str) -> str:
    """Ask for what is not allowed."""
    try:
        interlock.call("delete_order", {"order": order})
    except Refused as refused:
        return refused.reason
    return "it was allowed"


def note(interlock: Interlock, order: str, text: str) -> Done | None:
    """Write a note, and find out whether it is there if the network is away for longer."""
    said = {"order": order, "text": text}
    try:
        outcome = interlock.call("add_note", said)
    except Unanswered as lost:
        outcome = interlock.call("add_note", said, key=lost.key, run=lost.run)
    return outcome if isinstance(outcome, Done) else None


def close(interlock: Interlock, ticket: str, orders: Sequence[str]) -> list[str]:
    """Do all that a ticket wants. Whoever is not sure whether it was done does it again."""
    run = interlock.run(ticket)
    return [run.call("add_note", {"order": order, "text": f"see {ticket}"}).action for order in orders]


async def look_up(interlock: AsyncInterlock, order: str) -> object:
    """Look an order up."""
    outcome = await interlock.call("find_order", {"order": order})
    return outcome.result if isinstance(outcome, Done) else None


def signed(url: str, token: str) -> Interlock:
    """Sign what the agent asks for with its own key."""
    key = KeyFile("bot.pem", tenant="default", workflow="shop", environment="dev")
    return Interlock(url, token, agent="bot", principal="sam", signer=key)
