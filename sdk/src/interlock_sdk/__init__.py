"""Ask an Interlock for actions over HTTP, and wait for those that a person must agree to."""

from interlock_sdk.asking import Proposed, Signer
from interlock_sdk.asynchronous import AsyncInterlock, AsyncRun
from interlock_sdk.client import Interlock, Run
from interlock_sdk.errors import (
    Failed,
    InterlockError,
    Later,
    NotLetIn,
    NotThere,
    NotUnderstood,
    NotWanted,
    Receipt,
    Refused,
    Unanswered,
    UnderWay,
    Unreachable,
    Wrong,
)
from interlock_sdk.outcome import Action, Done, Outcome, Parked, Suggested, Tool, Uncertain, WaitsFor
from interlock_sdk.talk import Retry

__all__ = [
    "Action",
    "AsyncInterlock",
    "AsyncRun",
    "Done",
    "Failed",
    "Interlock",
    "InterlockError",
    "Later",
    "NotLetIn",
    "NotThere",
    "NotUnderstood",
    "NotWanted",
    "Outcome",
    "Parked",
    "Proposed",
    "Receipt",
    "Refused",
    "Retry",
    "Run",
    "Signer",
    "Suggested",
    "Tool",
    "Unanswered",
    "Uncertain",
    "UnderWay",
    "Unreachable",
    "WaitsFor",
    "Wrong",
]
