"""The contract that is in force for a caller, with everything that is made from it once for each hash."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.contract import expr
from interlock.contract.arguments import Schema
from interlock.contract.bundle import decode, tool_hash
from interlock.contract.formats import are_checked
from interlock.contract.ir import Consent, Contract, Hook, Tool
from interlock.core.decision import Requirement
from interlock.core.door import Door, Published
from interlock.core.effect import Mode, Tier
from interlock.core.errand import Terms
from interlock.core.errors import ContractInvalid
from interlock.core.ids import ActionId, ContractHash, Environment, RuleId, TenantId, ToolName, WorkflowId
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.policy.arguments import arguments_of
from interlock.policy.load import Policies, load
from interlock.policy.vocabulary import ToolShape
from interlock.ports import Performers, TenantStore

_KEPT_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """A contract that is in force: how far it may go today, and what was compiled from it."""

    contract: Contract
    hash: ContractHash
    mode: Mode
    schemas: Mapping[ToolName, Schema]
    results: Mapping[ToolName, Schema]
    policies: Policies
    checks: Mapping[ToolName, tuple[expr.Expr, ...]]
    terms: Mapping[ToolName, str]
    """The hash of all that the contract says of each tool."""
    unfit: Mapping[ToolName, Refused] = field(default_factory=dict[ToolName, Refused])
    """Tools that this process may not carry out: they are not there, or not what was published. Each with its no."""

    @property
    def published(self) -> Published:
        """What a door says while this is in force."""
        return Published(contract=self.hash, mode=self.mode)

    def hooks_before(self, tool: Tool) -> tuple[Hook, ...]:
        """Name what is looked up before a tool starts: facts, the preview, the record as it is."""
        facts = (self.contract.facts.get(name) for name in self.policies.facts_of(tool.name))
        return tuple(hook for hook in (*facts, tool.preview, tool.before) if hook is not None)


def compiled(contract: Contract, hash: ContractHash) -> Force:
    """Make from a contract what calls need of it. It takes tens of milliseconds.

    Raises:
        ContractInvalid: the contract cannot be honoured.
        InterlockError: a schema is not valid.
    """
    tools = contract.tools.values()
    return Force(
        contract=contract,
        hash=hash,
        mode=Mode.READ_ONLY,
        schemas={
            tool.name: Schema.compile(tool.schema, formats=are_checked(tool.source))
            for tool in tools
            if tool.schema is not None
        },
        results={
            tool.name: Schema.of_result(tool.result_schema, formats=are_checked(tool.source))
            for tool in tools
            if tool.result_schema is not None
        },
        policies=load(
            contract.rules,
            native=contract.cedar,
            shapes=[shape_of(tool) for tool in tools],
            facts={},
            consents=consents_of(contract),
        ),
        checks={tool.name: tuple(expr.parse(text) for text in tool.check) for tool in tools},
        terms={tool.name: tool_hash(tool) for tool in tools},
    )


def terms_of(contract: Contract, tool: Tool) -> Terms:
    """Say how a contract wants one of its tools carried out."""
    owner = f"{contract.tenant}/{contract.workflow}"
    return Terms(
        owner=owner,
        slots=tool.slots,
        isolate=tool.isolate,
        pin=tool.pin,
        how=tool.how,
        secret=tool.secret,
        secrets=tool.secrets,
        idempotency_header=tool.idempotency_header,
    )


def unfit(contract: Contract, performers: Performers) -> Mapping[ToolName, Refused]:
    """Look every tool up once, and say no for those that are not what was published. It may import modules."""
    found: dict[ToolName, Refused] = {}
    for tool in contract.tools.values():
        try:
            performers.find(tool.source, terms_of(contract, tool))
        except ContractInvalid as error:
            reason = Reason.TOOL_NOT_ALLOWED
            found[tool.name] = Refused(action=ActionId(""), reason=reason, why=str(error), fix=error.fix)
    return found


def shape_of(tool: Tool) -> ToolShape:
    """Show a tool as rules see it."""
    quantities = [path for path, argument in tool.arguments.items() if argument.role == "quantity"]
    return ToolShape(
        name=tool.name,
        effect=tool.effect,
        tier=tool.tier,
        kind=tool.kind,
        arguments=arguments_of(tool.schema, quantities),
    )


def consents_of(contract: Contract) -> Mapping[Tier, Requirement]:
    """Say who agrees to what a tier asks for."""
    of = {Tier.YELLOW: contract.approvals.yellow, Tier.RED: contract.approvals.red}
    return {tier: _requirement(consent) for tier, consent in of.items() if consent is not None}


def _requirement(consent: Consent) -> Requirement:
    return Requirement(
        rule=RuleId(""),
        approvers=consent.approvers,
        quorum=consent.quorum,
        each=consent.each,
        expires=consent.expires,
        on_change=consent.on_change,
        step_up=consent.step_up,
    )


@dataclass(slots=True)
class Forces:
    """Remembers the contracts that were compiled lately, each in the modes in which it was in force."""

    performers: Performers
    _kept: dict[tuple[TenantId, Published], Force] = field(default_factory=dict[tuple[TenantId, Published], Force])
    _compiling: dict[tuple[TenantId, ContractHash], asyncio.Task[Force]] = field(
        default_factory=dict[tuple[TenantId, ContractHash], asyncio.Task[Force]]
    )

    async def of(self, store: TenantStore, door: Door, workflow: WorkflowId, environment: Environment) -> Force | None:
        """Return what is in force for a workflow in an environment, or nothing where nothing is published.

        Raises:
            StoreTampered: what is stored under the hash is something else.
        """
        published = door.of(workflow, environment)
        if published is None:
            return None
        name = (store.tenant, published)
        known = self._kept.get(name)
        if known is None:
            compiled = await self._compiled_once(store, published.contract)
            if len(self._kept) >= _KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            known = self._kept[name] = replace(compiled, mode=published.mode)
        return known

    async def _compiled_once(self, store: TenantStore, hash: ContractHash) -> Force:
        # Whoever comes while it is compiled waits for the one who does it; who leaves stops nobody else's.
        name = (store.tenant, hash)
        task = self._compiling.get(name)
        if task is None:
            task = self._compiling[name] = asyncio.create_task(self._compile(store, hash))
            task.add_done_callback(lambda _: self._compiling.pop(name))
        return await asyncio.shield(task)

    async def _compile(self, store: TenantStore, hash: ContractHash) -> Force:
        contract = decode(await store.contract(hash))
        known = await asyncio.to_thread(compiled, contract, hash)
        return replace(known, unfit=await asyncio.to_thread(unfit, contract, self.performers))
