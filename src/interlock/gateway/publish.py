"""Publishing: a contract is held against the world and then put in force, and what changed by it is told."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interlock.contract.bundle import decode
from interlock.contract.ir import Contract, Tool, Unenforced
from interlock.core.action import ActionState
from interlock.core.effect import Mode
from interlock.core.errors import ContractInvalid, SecretUnreachable
from interlock.core.ids import ContractHash, Environment, TenantId, ToolName, WorkflowId
from interlock.gateway.doors import Operator, publish
from interlock.gateway.publishable import Describe, Look, publishable
from interlock.ports import Needs, TenantStore, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is in force now, and how it differs from what was before."""

    contract: Contract
    hash: ContractHash
    mode: Mode
    before: ContractHash | None
    new: tuple[ToolName, ...]
    gone: tuple[ToolName, ...]
    changed: tuple[ToolName, ...]
    """Tools whose pin is another one: their source, their description or their schemas are not what they were."""
    undo_lost: Mapping[ToolName, int]
    """Undo tools that are gone, and how many effects can therefore not be undone any more, of the latest 1,000."""
    unenforced: tuple[Unenforced, ...]
    """What is in the contract and not enforced, accepted or not."""


def no_secrets(tenant: TenantId, workflow: WorkflowId, environment: Environment, name: str) -> None:
    """Find no secret, whoever asks.

    Raises:
        SecretUnreachable: always.
    """
    raise SecretUnreachable("nobody here can look", fix="publish it with `interlock contract publish FILE --env E`")


async def publish_contract(
    store: TenantStore,
    contract: Contract,
    environment: Environment,
    by: Operator,
    *,
    folder: Path,
    describe: Describe,
    look: Look = no_secrets,
) -> Publication:
    """Hold a contract against the world and put it in force in one environment, from the next start on.

    Args:
        store: the tenant's.
        contract: as it was read from its file.
        environment: where it is to be in force.
        by: who answers for it.
        folder: what the paths in it start from.
        describe: finds out about sources; `app.describe` knows those of this version.
        look: sees whether the secrets that it names are there. Without it, it may name none.

    Raises:
        ContractProblems: it cannot be honoured. Nothing was changed.
        StoreError: the store did not do what it was told.
    """
    resolved = await asyncio.to_thread(publishable, contract, environment, folder=folder, describe=describe, look=look)
    found = (await store.read(Needs())).door.of(contract.workflow, environment)
    known = await _tools(store, found.contract) if found is not None else dict[ToolName, Tool]()
    lost = await _undo_lost(store, resolved, environment)
    hash = await publish(store, resolved, environment, by)
    now = resolved.tools
    return Publication(
        contract=resolved,
        hash=hash,
        mode=resolved.modes.get(environment, Mode.READ_ONLY),
        before=found.contract if found is not None else None,
        new=tuple(sorted(now.keys() - known.keys())),
        gone=tuple(sorted(known.keys() - now.keys())),
        changed=tuple(sorted(name for name in now.keys() & known.keys() if now[name].pin != known[name].pin)),
        undo_lost=lost,
        unenforced=resolved.unenforced,
    )


async def _undo_lost(store: TenantStore, new: Contract, environment: Environment) -> Mapping[ToolName, int]:
    """Count the effects that could still be undone, by the tool that it takes, where the new contract lacks that."""
    now, here = (await store.read(Needs())).now, (new.workflow, environment)
    rows = await store.actions(Wanted(states=frozenset({ActionState.DONE}), sound=True, limit=1_000))
    rows = [row for row in rows if row.undo is not None and row.undone_by is None and now < row.undo_until]
    rows = [row for row in rows if (row.action.caller.workflow, row.action.caller.environment) == here]
    contracts = {hash: await _tools(store, hash) for hash in {row.contract for row in rows}}
    effects = [contracts[row.contract].get(row.action.tool) for row in rows]
    undos = [effect.undo.tool for effect in effects if effect is not None and effect.undo is not None]
    return Counter(tool for tool in undos if tool not in new.tools)


async def _tools(store: TenantStore, hash: ContractHash) -> Mapping[ToolName, Tool]:
    try:
        return decode(await store.contract(hash)).tools
    except ContractInvalid:
        # An older version wrote it. It does not stand in the way of the one that takes its place.
        return {}
