"""Whether an agent that has a key has signed what it proposes. What it signed stands in the entries about it."""

import re

from interlock.contract.arguments import as_sent
from interlock.core.action import ProposalSignature, Signed
from interlock.core.door import Door
from interlock.core.errors import InterlockError
from interlock.core.limits import SIGNED_SECONDS_MAX
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.gateway.access_check import keys_of
from interlock.gateway.force import Force
from interlock.gateway.proposal import Fresh, Proposal, Proposed, Proved
from interlock.ledger import proposal as signing

_SALT = re.compile(r"[0-9a-f]{32,64}")


def proved(proposed: Proposed, force: Force, door: Door) -> Proved | Refused | None:
    """(1) Hold a proposal against the signature of its agent; nothing where none is asked for."""
    caller, proposal, drawn = proposed.caller, proposed.proposal, proposed.drawn
    if proposal.by is not None:
        return None
    keys = keys_of(door, caller, force.contract.agents.get(caller.agent, ""))
    if not keys:
        return None
    made = proposal.signature
    if made is None:
        return _no(drawn, f"agent `{caller.agent}` has to sign what it proposes, and did not", _SIGN)
    if abs(drawn.at // 1_000_000 - made.at) > SIGNED_SECONDS_MAX:
        why = f"what agent `{caller.agent}` proposes was not signed within {SIGNED_SECONDS_MAX // 60} minutes from now"
        return _no(drawn, why, "sign it again, with a clock that is right")
    private = _private(proposal, made)
    if private is None:
        return _no(drawn, f"what agent `{caller.agent}` proposes has no form that can be signed", _SIGN)
    what = signing.commitment(private)
    text = signing.signed_text(caller, proposal.tool, made.at, what)
    found = [Signed(key=key, signature=made.signature, at=made.at, what=what) for key in sorted(keys)]
    if not all(signing.is_signed(each, text) for each in found):
        return _no(drawn, f"what agent `{caller.agent}` proposes is not signed with its key", _SIGN)
    return Proved(signed=found[0], private=private.decode())


def _private(proposal: Proposal, made: ProposalSignature) -> bytes | None:
    arguments = as_sent(proposal.arguments)
    if arguments is None or not _SALT.fullmatch(made.salt):
        return None
    run, key = proposal.run or "", proposal.key or ""
    try:
        return signing.private_text(
            salt=made.salt, run=run, key=key, occurrence=proposal.occurrence, arguments=dict(arguments)
        )
    except InterlockError:
        return None


_SIGN = "sign what is sent, with the key that contract or token name: `interlock call TOOL JSON --sign-with KEY`"


def _no(drawn: Fresh, why: str, fix: str) -> Refused:
    return Refused(action=drawn.id, reason=Reason.TOOL_NOT_ALLOWED, why=why, fix=fix)
