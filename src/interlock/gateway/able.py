"""Whether this process can carry an action out now. Another one may, or this one later."""

from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.gateway.asked import Asked
from interlock.gateway.force import terms_of
from interlock.ports import Performers


def cannot_perform(performers: Performers, asked: Asked) -> Refused | None:
    """Say why this process cannot carry it out now, if it cannot."""
    tool = asked.tool
    performer = performers.find(tool.source, terms_of(asked.force.contract, tool))
    if performer is not None and performer.free():
        return None
    if performer is None:
        why = f"nothing here can carry out `{tool.source}`"
        fix = "start the process that has this tool, or correct `from` in the contract"
    else:
        why = f"all {tool.slots} slots of `{tool.name}` are taken"
        fix = "call again later, or raise `slots` in the contract"
    return Refused(action=asked.action.id, reason=Reason.OVERLOADED, why=why, fix=fix)
