"""Calls of agents whose protocol has no word for repeating: the same call is the same action, and is told as such.

In a run that the caller names, equal calls are one action. A call that names neither a run nor a key counts as the
equal call of the last day, or as one that has no end yet, whatever session it comes in: a client that lost its session
begins another. What surely did not happen may be tried again.
"""

from hashlib import sha256

import msgspec

from interlock.contract.ir import Tool
from interlock.core.action import Caller
from interlock.core.effect import EffectClass
from interlock.core.ids import RunId
from interlock.core.outcome import Failed, Outcome
from interlock.core.value import replace
from interlock.gateway.anew import call_anew
from interlock.gateway.asked import Proposal
from interlock.gateway.call import Gateway
from interlock.gateway.keyed import given_key
from interlock.gateway.recall import still_the_same
from interlock.ports import Needs

_DAY = 24 * 3_600 * 1_000_000
_DAYS_BACK = 8
"""How long something may have no end and still be found; what waits for longer is asked for anew."""
_TRIES_MAX = 16
"""How often what failed is tried in one run, or in a day; whoever fails that often is told so, and not tried again."""


async def call_or_recall(
    gateway: Gateway,
    caller: Caller,
    proposal: Proposal,
    tool: Tool | None,
    *,
    session: RunId | None = None,
    counted: bool = False,
) -> Outcome:
    """Carry a call, or tell how the same call ended that was made before.

    Args:
        gateway: carries it.
        caller: who makes it.
        proposal: the call, as the caller says it.
        tool: what is called, as far as it is known.
        session: the run that its budgets and loops are counted in, where the caller names none. An agent that signs
            names the run itself: nothing is added to what it signed.
        counted: whether the caller says how many equal calls came before.
    """
    if proposal.signature is not None:
        return await gateway.call(caller, proposal)
    named = proposal.run is not None
    proposal = proposal if named else replace(proposal, run=session)
    if proposal.key is not None or tool is None or tool.effect is EffectClass.READ:
        return await gateway.call(caller, proposal)
    what = _what(proposal)
    if tool.on_repeat == "new" and not counted:
        return await call_anew(gateway, caller, proposal, f"{proposal.run if named else ''}:{what}")
    kept = proposal if named else await _keyed(gateway, caller, proposal, what)
    outcome = await gateway.call(caller, kept)
    for again in range(2, _TRIES_MAX + 1):
        if not (isinstance(outcome, Failed) and outcome.recalled):
            break
        if kept.keys_beside:
            kept = await _keyed(gateway, caller, proposal, what)  # it failed under the key of another day
        outcome = await gateway.call(caller, _again(kept, again))
    return outcome


def _again(proposal: Proposal, time: int) -> Proposal:
    if proposal.key is not None:
        beside = tuple(f"{key}:{time}" for key in proposal.keys_beside)
        return replace(proposal, key=f"{proposal.key}:{time}", keys_beside=beside)
    return replace(proposal, occurrence=proposal.occurrence + time - 1)


async def _keyed(gateway: Gateway, caller: Caller, proposal: Proposal, what: str) -> Proposal:
    """Find the day under which the same call is known, else take today's.

    Where it is another day, by another clock or a moment later, it is known under the key of that day: those beside
    are looked at in the write that starts it.
    """
    today = gateway.clock.now() // _DAY
    names = [f"same:{what}:{proposal.occurrence}:{day}" for day in range(today + 1, today - _DAYS_BACK, -1)]
    keys = {given_key(caller, name, gateway.secrets): name for name in names}
    rows = await gateway.store.for_tenant(caller.tenant).read(Needs(keys=frozenset(keys)))
    for key, name in keys.items():
        row = rows.keys[key]
        if row is not None and still_the_same(row, rows.now):
            return replace(proposal, key=name)
    tomorrow, now, yesterday, *_ = names
    return replace(proposal, key=now, keys_beside=(tomorrow, yesterday))


def _what(proposal: Proposal) -> str:
    return sha256(proposal.tool.encode() + b"\0" + _one_form(proposal.arguments)).hexdigest()


def _one_form(arguments: bytes | str) -> bytes:
    """Write arguments so that spaces and the order of names make no difference; as they are where they are no JSON."""
    raw = arguments.encode(errors="replace") if isinstance(arguments, str) else arguments
    try:
        return msgspec.json.encode(msgspec.json.decode(raw), order="deterministic")
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return raw
