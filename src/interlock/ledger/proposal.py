"""What the signature of an agent under a proposal is about, and whether one in an entry is. Anybody can check it.

An SDK repeats it in a few lines. Both texts are JSON arrays in canonical form (RFC 8785):

    private = [SALT, RUN, KEY, OCCURRENCE, ARGUMENTS]
    signed  = ["interlock proposal 1", TENANT, WORKFLOW, ENVIRONMENT, AGENT, PRINCIPAL, TOOL, AT, SHA-256 of private]

`SALT` is drawn for each proposal, so that nobody guesses arguments from what stands in the ledger. A run or a key that
is not named is an empty text; an occurrence that is not counted is 1; `AT` is in seconds since 1970.
"""

from hashlib import sha256

from interlock.core.action import Caller, Signed
from interlock.core.canonical import Json, canonical
from interlock.core.errors import NotPermitted
from interlock.core.ids import AgentId, Environment, PrincipalId, TenantId, ToolName, WorkflowId
from interlock.ledger.consent import Signature
from interlock.ledger.reading import ActionLine

KEY = "ed25519:"
"""How a public key begins, before 64 hex digits."""

_DOMAIN = "interlock proposal 1"


def private_text(*, salt: str, run: str, key: str, occurrence: int, arguments: Json) -> bytes:
    """Write what is signed and stands in no entry.

    Raises:
        InterlockError: the arguments have no canonical form.
    """
    return canonical([salt, run, key, occurrence, arguments])


def commitment(private: bytes) -> str:
    """Stand for it in what is signed."""
    return sha256(private).hexdigest()


def signed_text(caller: Caller, tool: ToolName, at: int, what: str) -> bytes:
    """Write what an agent signs: who proposes what, for whom, where, and when."""
    place = (caller.tenant, caller.workflow, caller.environment)
    return canonical([_DOMAIN, *place, caller.agent, caller.principal, tool, at, what])


def is_signed(signed: Signed, text: bytes) -> bool:
    """Whether a signature is about this, by the key that it names."""
    if not signed.key.startswith(KEY):
        return False
    try:
        key, signature = bytes.fromhex(signed.key.removeprefix(KEY)), bytes.fromhex(signed.signature)
        Signature(public_key=key, signature=signature).check(text)
    except (ValueError, NotPermitted):
        return False
    return True


def told(signed: Signed | None) -> dict[str, str]:
    """Say in the detail of an entry who has signed what it is about."""
    if signed is None:
        return {}
    return {
        "signed_at": str(signed.at),
        "signed_by": signed.key,
        "signed_proposal": signed.signature,
        "signed_what": signed.what,
    }


def problem(entry: ActionLine) -> str | None:
    """Say what is wrong with the signature that an entry names; nothing if it is good, or if there is none."""
    detail = entry.detail
    if "signed_by" not in detail and "signed_proposal" not in detail:
        return None
    caller = Caller(
        tenant=TenantId(entry.tenant),
        workflow=WorkflowId(entry.workflow),
        environment=Environment(entry.environment),
        agent=AgentId(entry.agent),
        principal=PrincipalId(entry.principal),
    )
    try:
        signed = Signed(
            key=detail["signed_by"],
            signature=detail["signed_proposal"],
            at=int(detail["signed_at"]),
            what=detail["signed_what"],
        )
        good = is_signed(signed, signed_text(caller, ToolName(entry.tool), signed.at, signed.what))
    except (KeyError, ValueError):
        good = False
    return None if good else f"the proposal of `{entry.agent}` is not signed by the key that it names"
