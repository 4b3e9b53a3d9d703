"""What happens to an action that waits for people."""

import asyncio
import json
from typing import Any

import pytest

from interlock.budget.hold import Balance
from interlock.contract.ir import Approvals, Consent, Hook, Tool
from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Tier
from interlock.core.errors import ActionUnknown, NotPermitted
from interlock.core.ids import ActionId, PersonId, ProcessId, Role, SubjectId, ToolName
from interlock.core.outcome import Done, Parked, Refused, Suggested
from interlock.core.reason import Reason
from interlock.gateway.consent import agree, deny, edit
from interlock.gateway.doors import Operator
from interlock.gateway.draft import start_draft
from interlock.gateway.recover import attend
from interlock.gateway.resume import resume
from interlock.policy.rule import Above, FactIsNot, Rule
from world import ALLOW, MAIL, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

LEAD, FINANCE = Role("lead"), Role("finance")
PEOPLE = {LEAD: frozenset({PersonId("ann"), PersonId("ben")}), FINANCE: frozenset({PersonId("fay"), PersonId("ann")})}
ASK = a_rule("ask.mail", "ask")


def person(name: str) -> Operator:
    return Operator(person=PersonId(name), known_by=f"os:{name}", process=ProcessId("ptest"))


async def publish(world: World, *rules: Rule, tools: tuple[Tool, ...] = (), **fields: Any) -> None:
    approvals = fields.pop("approvals", Approvals(people=PEOPLE))
    await world.publish(*(rules or (ALLOW, ASK)), tools=tools or (a_tool(price=10),), approvals=approvals, **fields)


async def park(world: World, **fields: Any) -> Parked:
    outcome = await world.call(**fields)
    assert isinstance(outcome, Parked), outcome
    return outcome


async def yes(world: World, id: ActionId, by: str = "ann") -> bool:
    return (await agree(world.gateway, world.store, id, person(by), seen=(await world.row(id)).seen)).complete


@pytest.mark.promise("consent")
async def test_a_yes_opens_exactly_what_the_person_saw(world: World) -> None:
    await publish(world)
    one, other = await park(world), await park(world, arguments={"to": "eve"})
    assert await yes(world, one.action)
    assert isinstance(await resume(world.gateway, world.store, other.action), Parked)
    assert isinstance(await resume(world.gateway, world.store, one.action), Done)
    assert world.tool.sent == [b'{"to":"sam"}']
    assert await world.history() == [
        "parked parked: ask.mail",
        "parked parked: ask.mail",
        "granted parked: ask.mail",
        "started started: ask.mail",
        "ended done: 10",
    ]


@pytest.mark.promise("consent")
async def test_a_yes_to_something_else_than_what_is_shown_is_no_yes(world: World) -> None:
    await publish(world)
    parked = await park(world)
    with pytest.raises(NotPermitted, match="has changed since you looked"):
        await agree(world.gateway, world.store, parked.action, person("ann"), seen="0" * 64)


@pytest.mark.promise("consent", "once")
async def test_a_grant_is_used_once_however_many_resume_at_once(world: World) -> None:
    await publish(world)
    parked = await park(world, key="k")
    await yes(world, parked.action)
    gateways = [world.gateway, world.another().gateway]
    outcomes = await asyncio.gather(*(resume(g, world.store, parked.action) for g in gateways * 4))
    assert {type(outcome) for outcome in outcomes} == {Done}
    assert len(world.tool.performed) == 1


@pytest.mark.promise("consent")
async def test_an_approval_that_expired_refuses_and_opens_nothing(world: World) -> None:
    await publish(world)
    parked = await park(world)
    await yes(world, parked.action)
    world.clock.forward(days=2)
    outcome = await resume(world.gateway, world.store, parked.action)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.APPROVAL_EXPIRED, [])
    with pytest.raises(NotPermitted):
        await yes(world, parked.action)


@pytest.mark.promise("consent")
async def test_every_asking_rule_needs_a_yes_of_its_own(world: World) -> None:
    await publish(world, ALLOW, ASK, a_rule("ask.finance", "ask", approvers=frozenset({FINANCE})))
    parked = await park(world)
    assert not await yes(world, parked.action, "ben")
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert await yes(world, parked.action, "fay")
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)


@pytest.mark.promise("consent")
async def test_a_quorum_of_two_is_two_different_people(world: World) -> None:
    await publish(world, ALLOW, a_rule("ask.mail", "ask", quorum=2))
    parked = await park(world)
    assert not await yes(world, parked.action, "ann")
    assert not await yes(world, parked.action, "ann")
    assert await yes(world, parked.action, "ben")


@pytest.mark.promise("consent")
async def test_each_role_must_be_held_by_somebody_where_the_contract_says_so(world: World) -> None:
    both = frozenset({LEAD, FINANCE})
    people = {LEAD: frozenset({PersonId("ben"), PersonId("bob")}), FINANCE: frozenset({PersonId("fay")})}
    rule = a_rule("ask.mail", "ask", approvers=both, quorum=2, each=True)
    await publish(world, ALLOW, rule, approvals=Approvals(people=people))
    parked = await park(world)
    assert not await yes(world, parked.action, "ben")
    assert not await yes(world, parked.action, "bob")
    assert await yes(world, parked.action, "fay")


@pytest.mark.promise("consent")
@pytest.mark.parametrize(("who", "why"), [("mallory", "none of the roles"), ("sam", "asked for this action")])
async def test_neither_a_stranger_nor_who_asked_may_agree_or_deny(world: World, who: str, why: str) -> None:
    people = {LEAD: frozenset({PersonId("ann"), PersonId("sam")})}
    await publish(world, approvals=Approvals(people=people))
    parked = await park(world)
    with pytest.raises(NotPermitted, match=why):
        await yes(world, parked.action, who)
    with pytest.raises(NotPermitted, match=why):
        await deny(world.gateway, world.store, parked.action, person(who))


@pytest.mark.promise("consent")
async def test_who_edits_the_arguments_cannot_approve_them(world: World) -> None:
    await publish(world)
    parked = await park(world, key="k")
    await yes(world, parked.action, "ben")
    await edit(world.gateway, world.store, parked.action, '{"to":"tom"}', person("ann"))
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    with pytest.raises(NotPermitted, match="wrote these arguments"):
        await yes(world, parked.action, "ann")
    assert await yes(world, parked.action, "ben")
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)
    assert world.tool.sent == [b'{"to":"tom"}']
    again = await world.call(key="k")
    assert (again.action, again.recalled) == (parked.action, True)


async def test_one_no_refuses_and_stays_the_answer_to_that_call(world: World) -> None:
    await publish(world)
    parked = await park(world, key="k")
    await deny(world.gateway, world.store, parked.action, person("ann"))
    outcomes = [await resume(world.gateway, world.store, parked.action), await world.call(key="k")]
    assert {o.reason for o in outcomes if isinstance(o, Refused)} == {Reason.APPROVAL_DENIED}
    assert all(outcome.recalled for outcome in outcomes)
    with pytest.raises(NotPermitted):
        await yes(world, parked.action)


@pytest.mark.promise("consent", "door")
async def test_a_deny_that_came_meanwhile_wins_over_the_yes(world: World) -> None:
    await publish(world)
    parked = await park(world)
    await yes(world, parked.action)
    await publish(world, ALLOW, ASK, a_rule("no.mail", "deny"))
    outcome = await resume(world.gateway, world.store, parked.action)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.POLICY, [])


@pytest.mark.promise("consent")
async def test_a_new_asking_rule_asks_again_and_the_change_of_another_tool_does_not(world: World) -> None:
    await publish(world)
    one, other = await park(world), await park(world, arguments={"to": "eve"})
    await yes(world, one.action)
    await publish(
        world, ALLOW, ASK, a_rule("ask.other", "ask", "other.tool"), tools=(a_tool(price=10), a_tool("other.tool"))
    )
    assert isinstance(await resume(world.gateway, world.store, one.action), Done)
    await yes(world, other.action)
    await publish(world, ALLOW, ASK, a_rule("ask.more", "ask", approvers=frozenset({FINANCE})))
    assert isinstance(await resume(world.gateway, world.store, other.action), Parked)
    assert [r.rule for r in (await world.row(other.action)).requirements] == ["ask.mail", "ask.more"]


async def test_a_lack_of_budget_refuses_without_using_the_yes_up(world: World) -> None:
    await publish(world, budgets=[a_budget(10)])
    parked = await park(world)
    await yes(world, parked.action)
    await publish(world, budgets=[a_budget(9)])
    assert isinstance(await resume(world.gateway, world.store, parked.action), Refused)
    assert await world.balance() == Balance(limit=0)


async def test_a_parked_action_holds_nothing_and_is_charged_when_it_starts(world: World) -> None:
    await publish(world, budgets=[a_budget(10)])
    parked = [await park(world, arguments={"n": n}) for n in range(5)]
    assert await world.balance() == Balance(limit=0)
    world.clock.forward(days=1)
    await yes(world, parked[0].action)
    assert isinstance(await resume(world.gateway, world.store, parked[0].action), Done)
    assert sorted(await world.store.budgets()) == ["support:prod/usd/day:2026-01-02"]


@pytest.mark.promise("consent", "door")
async def test_a_fact_that_has_changed_since_asks_again_where_the_rule_says_so(world: World) -> None:
    look = a_tool("ledger.balance", effect=EffectClass.READ, only_for_facts=True)
    knows = a_rule("ask.mail", "ask", when=FactIsNot(name="balance", value=0))
    fields: dict[str, Any] = {
        "tools": (a_tool(price=10), look),
        "facts": {"balance": Hook(tool=ToolName("ledger.balance"))},
    }
    world.others["ledger.balance"] = ScriptedTool(result=5)
    await publish(world, ALLOW, knows, **fields)
    parked = await park(world)
    await yes(world, parked.action)
    world.others["ledger.balance"].result = 6
    assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert await yes(world, parked.action)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)


@pytest.mark.promise("door")
@pytest.mark.parametrize("answer", [RuntimeError("down"), None])
async def test_a_fact_that_nobody_can_look_up_is_a_no(world: World, answer: Exception | None) -> None:
    look = a_tool("risk", effect=EffectClass.READ, only_for_facts=True)
    world.others["risk"] = ScriptedTool(result={"a": 1, "b": 2}, breaks=[answer] if answer else [])
    rule = a_rule("no.risk", "deny", when=FactIsNot(name="risky", value=False))
    await publish(world, ALLOW, rule, tools=(a_tool(), look), facts={"risky": Hook(tool=ToolName("risk"))})
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.POLICY, [])


async def test_what_waits_is_reminded_of_expires_and_goes_on_without_anyone_calling(world: World) -> None:
    await publish(world, approvals=Approvals(people=PEOPLE, remind=(50, 75)))
    parked, other = await park(world), await park(world, arguments={"n": 2})
    topics = [notice.topic for notice in await world.store.notices(before=parked.expires_at)]
    assert sorted(topics) == ["asked", "asked", "expire", "expire", "remind", "remind", "remind", "remind"]
    await yes(world, parked.action)
    await attend(world.gateway, world.store)
    assert (await world.row(parked.action)).state is ActionState.DONE
    world.clock.forward(days=2)
    await attend(world.gateway, world.store)
    expired = await world.row(other.action)
    assert (expired.state, expired.reason) == (ActionState.REFUSED, Reason.APPROVAL_EXPIRED)


@pytest.mark.promise("consent")
async def test_red_is_never_started_by_an_agent_and_a_person_who_starts_it_needs_the_quorum(world: World) -> None:
    red = Consent(approvers=frozenset({LEAD, FINANCE}), quorum=2)
    await publish(world, ALLOW, tools=(a_tool(tier=Tier.RED),), approvals=Approvals(people=PEOPLE, red=red))
    draft = await world.call()
    assert isinstance(draft, Suggested)
    assert draft.draft
    started = await start_draft(world.gateway, world.store, draft.action, person("ann"))
    assert isinstance(started, Parked)
    with pytest.raises(NotPermitted, match="asked for this action"):
        await yes(world, started.action, "ann")
    assert not await yes(world, started.action, "ben")
    assert await yes(world, started.action, "fay")
    assert isinstance(await resume(world.gateway, world.store, started.action), Done)
    again = await start_draft(world.gateway, world.store, draft.action, person("ann"))
    assert (again.action, again.recalled) == (started.action, True)
    with pytest.raises(NotPermitted, match="is no draft"):
        await start_draft(world.gateway, world.store, started.action, person("ann"))


async def test_a_parked_action_whose_arguments_were_erased_cannot_go_on(world: World) -> None:
    await publish(world)
    parked = await park(world, run="r1")
    await yes(world, parked.action)
    world.opened.secrets.destroy(world.opened.secrets.subject_name(world.tenant, SubjectId("run:r1")))
    outcome = await resume(world.gateway, world.store, parked.action)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.MISSING_CONTEXT, [])


async def test_a_moment_without_a_free_slot_does_not_end_what_was_agreed_to(world: World) -> None:
    await publish(world)
    parked = await park(world)
    await yes(world, parked.action)
    world.tool.slots_left = False
    assert await attend(world.gateway, world.store) == ()
    assert (await world.row(parked.action)).state is ActionState.PARKED
    world.tool.slots_left = True
    await attend(world.gateway, world.store)
    assert (await world.row(parked.action)).state is ActionState.DONE


@pytest.mark.promise("forget")
async def test_a_person_who_was_forgotten_may_come_back_and_is_forgotten_from_then_on(world: World) -> None:
    await world.publish()
    world.opened.secrets.destroy(world.opened.secrets.subject_name(world.tenant, SubjectId("run:r1")))
    outcome = await world.call({"to": "sam"}, run="r1", key="k")
    assert isinstance(outcome, Done)
    again = await world.call({"to": "sam"}, run="r1", key="k")
    assert isinstance(again, Done)
    assert (again.action, again.result) == (outcome.action, None)


async def test_an_id_that_nobody_wrote_down_is_an_error_with_a_fix(world: World) -> None:
    for attempt in (
        resume(world.gateway, world.store, ActionId("a9")),
        deny(world.gateway, world.store, ActionId("a9"), person("ann")),
    ):
        with pytest.raises(ActionUnknown) as error:
            await attempt
        assert error.value.fix


async def test_what_a_person_sees_is_not_in_the_ledger_but_its_hash_is(world: World) -> None:
    await publish(world)
    parked = await park(world, arguments={"to": "somebody@example.org"})
    entries = [json.loads(line) for line in await world.store.entries()]
    assert entries[-1]["detail"]["seen"] == (await world.row(parked.action)).seen
    assert b"somebody" not in b"".join(await world.store.entries())


async def test_below_the_threshold_it_runs_and_above_it_asks(world: World) -> None:
    from interlock.contract.ir import Argument

    schema = {"properties": {"amount_usd": {"type": "number"}}, "required": ["amount_usd"]}
    over = a_rule("ask.over", "ask", when=Above(path="args.amount_usd", micros=50_000_000))
    tool = a_tool(
        tier=Tier.YELLOW,
        effect=EffectClass.IDEMPOTENT_KEY,
        schema=schema,
        arguments={"amount_usd": Argument(role="quantity", unit="usd")},
    )
    await publish(world, ALLOW, over, tools=(tool,), budgets=[a_budget(10**9, Unit.USD_OF_ARGS, tool=MAIL)])
    assert isinstance(await world.call('{"amount_usd":50}'), Done)
    assert isinstance(await world.call('{"amount_usd":50.01}'), Parked)
