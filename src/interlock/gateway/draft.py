"""A draft is started by a person: an agent never starts what is red, and what it proposed ends as a suggestion."""

from interlock.core.action import ActionState
from interlock.core.errors import ActionUnknown, NotPermitted
from interlock.core.ids import ActionId, PrincipalId
from interlock.core.outcome import Outcome, Refused
from interlock.core.value import replace
from interlock.gateway.call import Gateway
from interlock.gateway.doors import Operator
from interlock.gateway.people import askers_of
from interlock.gateway.proposal import Proposal
from interlock.gateway.recall import row_of
from interlock.gateway.revive import revived
from interlock.ports import TenantStore


async def start_draft(gateway: Gateway, store: TenantStore, id: ActionId, by: Operator) -> Outcome:
    """Start what an agent drafted, as an action of this person's own. It waits for the consent of others.

    Raises:
        ActionUnknown: there is no such action.
        NotPermitted: it is no draft, or it cannot go on any more.
        StoreError: the store is away; nothing was started.
    """
    row = await row_of(store, id)
    if row is None:
        raise ActionUnknown(f"no action has the id `{id}`", fix="list them: `interlock action list --state suggested`")
    if row.pruned is not None:
        raise NotPermitted(f"`{id}` ended long ago, and what it would do was pruned", fix="ask for it anew")
    if row.state is not ActionState.SUGGESTED or not row.draft:
        raise NotPermitted(f"`{id}` is no draft: it is {row.state.value}", fix=f"run `interlock action show {id}`")
    asked = await revived(gateway, store, row)
    if isinstance(asked, Refused):
        raise NotPermitted(asked.why, fix=asked.fix)
    proposal = Proposal(
        tool=row.action.tool,
        arguments=asked.arguments.text,
        run=None if row.action.own_run else row.action.run,
        # A draft is started once, however often it is asked for.
        key=f"draft:{id}",
        by=by.person,
        draft_of=id,
        authors=row.authors,
        askers=askers_of(row),
    )
    caller = replace(row.action.caller, principal=PrincipalId(by.person), known_by=by.known_by)
    return await gateway.call(caller, proposal)
