"""Carrying on: what a person released is carried out here, if this process may and can, else by the running gateway."""

from interlock import app
from interlock.core.action import ActionState
from interlock.core.errors import Occupied
from interlock.core.ids import ActionId, ToolName
from interlock.core.outcome import Outcome
from interlock.door.cli.session import Session
from interlock.gateway.force import Force, terms_of
from interlock.gateway.recall import row_of
from interlock.gateway.resume import resume


async def carry_on(here: Session, id: ActionId) -> Outcome | None:
    """Carry a parked action on, and say on the screen who does if not we. What was decided before stays decided."""
    try:
        with app.right_to_perform(here.typed.settings.store):
            missing = await _missing(here, id)
            if missing is not None:
                why = f"note: this process cannot carry it on ({missing}); the gateway that can will"
                here.typed.screen.note(why)
                return None
            return await resume(here.gateway, here.store, id)
    except Occupied:
        here.typed.screen.note("note: another process performs on this store; it carries the action on")
        return None


async def _missing(here: Session, id: ActionId) -> str | None:
    """Say which source the action needs and this process lacks. Without it, going on would be refused."""
    row = await row_of(here.store, id)
    force = await here.force(row.action.caller) if row is not None else None
    if row is None or force is None or row.state is not ActionState.PARKED:
        return None
    for tool in _tools(force, row.action.tool):
        source = force.contract.tools[tool].source
        if tool in force.unfit:
            return force.unfit[tool].why
        if here.gateway.performers.find(source, terms_of(force.contract, force.contract.tools[tool])) is None:
            return f"nothing here carries out `{source}`"
    return None


def _tools(force: Force, tool: ToolName) -> list[ToolName]:
    """List the tool, and those that look something up for it."""
    contract = force.contract
    known = contract.tools.get(tool)
    if known is None:
        return []
    hooks = (*force.hooks_before(known), known.after)
    return [tool, *(hook.tool for hook in hooks if hook is not None and hook.tool in contract.tools)]
