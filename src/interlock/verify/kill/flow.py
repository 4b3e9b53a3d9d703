"""What a process that is stopped does: a call, a resume after a yes, an undo. Each can be picked up by another."""

from dataclasses import dataclass

from interlock.app import gateway_on
from interlock.contract.ir import Approvals, Tool, Undo
from interlock.core.action import ActionState
from interlock.core.effect import EffectClass
from interlock.core.ids import ActionId, Micros, PersonId, Role, ToolName
from interlock.core.outcome import Outcome, Refused
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator
from interlock.gateway.proposal import Proposal
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.policy.rule import AsUndo
from interlock.ports import Wanted
from interlock.verify.kill.case import Case, KillingObserver, OtherSide, open_case
from interlock.verify.world import ALLOW, KIM, MAIL, HandClock, World, a_budget, a_rule, a_tool

PRICE, LIMIT = 10, 100
ANN = Operator(person=PersonId("ann"), known_by="os:1", process=KIM.process)
UNSEND = ToolName("mail.unsend")


@dataclass
class Child:
    """A world whose process can be stopped at the point of its case."""

    world: World
    case: Case
    other_side: OtherSide
    observer: KillingObserver

    @classmethod
    def of(cls, case: Case, *, killing: bool) -> "Child":
        opened, killers = open_case(case, killing=killing)

        def tell(write: str) -> None:
            if killers:
                killers[0].write = write  # the writer opens its connection first

        other_side, observer = OtherSide(case), KillingObserver(case, tell)
        world = World.on(opened, HandClock(), case.tenant)
        world.gateway = gateway_on(opened, other_side, observer)
        return cls(world, case, other_side, observer)

    def arm(self) -> None:
        self.other_side.armed = self.observer.armed = True
        (self.case.folder / f"{self.case.tenant}.ready").touch()

    def tools(self) -> tuple[Tool, ...]:
        back = Undo(tool=UNSEND, args={"id": "$.result.id"}, within=Micros(86_400_000_000))
        # Where the flow is an undo, it is the undo that is stopped, so it has the class of the case.
        undone = self.case.flow == "undo"
        first = a_tool(effect=EffectClass.IDEMPOTENT_KEY if undone else self.case.effect, price=PRICE, undo=back)
        return first, a_tool(UNSEND, effect=self.case.effect, price=PRICE)

    async def set_up(self) -> None:
        """Come to where the flow of the case begins."""
        unsend = a_rule("allow.unsend", "permit", UNSEND, when=AsUndo())
        asks = [a_rule("ask.mail", "ask")] if self.case.flow == "resume" else []
        approvals = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
        await self.world.publish(
            ALLOW, unsend, *asks, tools=self.tools(), budgets=[a_budget(LIMIT)], approvals=approvals
        )
        if self.case.flow != "call":
            first = await self.the_call()
            if self.case.flow == "resume":
                row = await self.world.row(first.action)
                await agree(self.world.gateway, self.world.store, first.action, ANN, seen=row.seen)

    async def go(self) -> Outcome:
        """Do what the case is about, or pick it up where another process left it."""
        world = self.world
        match self.case.flow:
            case "call":
                return await self.the_call()
            case "resume":
                return await resume(world.gateway, world.store, await self._of(ToolName(MAIL)))
            case "undo":
                first = await self._of(ToolName(MAIL))
                return await undo(world.gateway, world.store, first, KIM)

    async def the_call(self) -> Outcome:
        proposal = Proposal(tool=ToolName(MAIL), arguments='{"to":"sam"}', key="the one")
        return await self.world.gateway.call(self.world.caller(), proposal)

    async def _of(self, tool: ToolName) -> ActionId:
        rows = await self.world.store.actions(Wanted())
        return next(row.action.id for row in rows if row.action.tool == tool and row.state is not ActionState.REFUSED)


def ended_well(case: Case, outcome: Outcome) -> bool:
    """Whether an outcome is one that whoever comes after a crash may find."""
    name = type(outcome).__name__.lower()
    if case.flow == "undo" and isinstance(outcome, Refused):
        return "undoes it already" in outcome.why  # another undo may have happened: a person decides
    return name in (("done", "failed") if case.effect is EffectClass.READ else ("done", "uncertain"))
