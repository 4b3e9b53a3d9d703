"""How an outcome is told over HTTP: a status for whoever reads no more, and the outcome for whoever does.

200 means that it was done, and nothing else does. What is written down and is not done, or is not known to be, has 202:
it waits, it is a suggestion, or nobody knows how it ended. Nobody is to repeat that on their own, as one does a status
above 500. What says no is a problem: 403, or 422 where the arguments do not fit, 409 where the key belongs to another
call or the effect may happen only once, 503 where the same call may be made again in a moment. What the tool failed at
has 424, so that no proxy takes it for a failure of this server and sends it again.
"""

from typing import Any

from interlock.core.outcome import Done, Failed, Outcome, Refused
from interlock.core.reason import Reason
from interlock.door.http.problem import Problem
from interlock.door.http.route import Answer
from interlock.door.told.outcome import to_agents, to_people

_REFUSED = {
    Reason.INVALID_ARGUMENTS: 422,
    Reason.DUPLICATE: 409,
    Reason.OVERLOADED: 503,
    Reason.INTERNAL: 503,
}
_AGENT_FIX = {
    422: "correct what `wrong` lists; `/v1/tools` has the schema",
    409: "use another `Idempotency-Key` for another call; what may happen once, and has, is not done again",
    503: "make the same call again, with the same `Idempotency-Key`, after as many seconds as `Retry-After` says",
    403: "do not rephrase and try again: whoever runs this can look at it: `interlock explain {}`",
    424: "the tool has done nothing; whoever runs this can look at it: `interlock explain {}`",
}


def answer_of(outcome: Outcome, *, people: bool = False) -> Answer:
    """Answer with how a call ended.

    Args:
        outcome: how it ended.
        people: whether it is told to a role, and not to an agent.

    Raises:
        Problem: it was refused, or it failed.
    """
    data = to_people(outcome) if people else to_agents(outcome)
    match outcome:
        case Done():
            return Answer(data=data)
        case Refused():
            raise _no(outcome, data, _REFUSED.get(outcome.reason, 403), f"refused: {outcome.reason.value}")
        case Failed():
            raise _no(outcome, data, 424, "the tool failed")
        case _:
            place = (b"location", f"/v1/actions/{outcome.action}".encode())
            return Answer(data=data, status=202, headers=(place,))


def _no(outcome: Refused | Failed, data: dict[str, Any], status: int, why: str) -> Problem:
    kind = "refused" if isinstance(outcome, Refused) else "failed"
    fix = data.get("fix") or _AGENT_FIX[status].format(outcome.action)
    wait = ((b"retry-after", b"1"),) if status == 503 else ()
    more = {name: value for name, value in data.items() if name != "fix" and value not in ((), [], "", None)}
    return Problem(kind, why, fix=fix, status=status, more=more, headers=wait)
