"""An action that was written down, put together again as it was asked for, under the contract that is in force now."""

import json
from typing import cast

from interlock.contract.arguments import Arguments, parsed
from interlock.core.errors import PayloadErased, StoreTampered
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.call import Gateway
from interlock.gateway.proposal import Fresh
from interlock.ports import ActionRow, Needs, TenantStore


async def revived(gateway: Gateway, store: TenantStore, row: ActionRow) -> Asked | Refused:
    """Put an action together again, or say why it cannot go on.

    Raises:
        StoreTampered: its arguments are not there, or not as they were written.
    """
    action = row.action
    door = (await store.read(Needs())).door
    force = await gateway.forces.of(store, door, action.caller.workflow, action.caller.environment)
    tool = force.contract.tools.get(action.tool) if force is not None else None
    if force is None or tool is None:
        return Refused(
            action=action.id,
            reason=Reason.TOOL_NOT_ALLOWED,
            why="the contract that is in force does not know this tool any more",
            fix="publish a contract that does, or leave it refused",
        )
    try:
        salt, text = await _arguments(gateway, store, row)
    except PayloadErased:
        return Refused(
            action=action.id,
            reason=Reason.MISSING_CONTEXT,
            why="its arguments were erased",
            fix="the agent may ask again, with arguments of its own",
        )
    return Asked(
        action=action,
        arguments=Arguments(text=text, values=parsed(text)),
        salt=salt,
        tool=tool,
        force=force,
        drawn=replace(Fresh.draw(gateway.clock.now()), id=action.id, arguments=action.arguments, salt=salt),
    )


async def _arguments(gateway: Gateway, store: TenantStore, row: ActionRow) -> tuple[str, bytes]:
    sealed = await store.payload(row.action.arguments)
    if sealed is None:
        raise StoreTampered(
            f"the arguments of `{row.action.id}` are gone", fix="restore the database from before they were removed"
        )
    opened = gateway.secrets.open(store.tenant, row.action.arguments, sealed)
    kept = cast("dict[str, str]", json.loads(opened))
    return kept["salt"], kept["arguments"].encode()
