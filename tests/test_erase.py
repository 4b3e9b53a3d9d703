"""What is kept of somebody is found, held for law, and erased for good, while the ledger still verifies."""

import json

import pytest

from interlock.contract.ir import Approvals
from interlock.core.action import ActionState
from interlock.core.errors import NotPermitted, PayloadErased, UpstreamSilent
from interlock.core.ids import PayloadId, SubjectId
from interlock.core.outcome import Done, Parked, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import edit
from interlock.gateway.erase import about, erase, hold_for_law, payloads_of, release
from interlock.gateway.resume import resume
from test_consent import ASK, LEAD, PEOPLE, person
from world import ALLOW, KIM, World, a_budget, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget")]

ZOE = SubjectId("subject:zoe")


async def two_people(world: World) -> tuple[Done, Done]:
    await world.publish(tools=[a_tool(subject="$.args.to", price=10)], budgets=[a_budget(1_000)])
    done = [await world.call({"to": name}) for name in ("zoe", "eve")]
    assert isinstance(done[0], Done)
    assert isinstance(done[1], Done)
    return done[0], done[1]


async def readable(world: World, id: PayloadId) -> bool:
    sealed = await world.store.payload(id)
    assert sealed is not None
    try:
        return bool(world.opened.secrets.open(world.tenant, id, sealed))
    except PayloadErased:
        return False


async def sound(world: World) -> None:
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_everything_of_one_person_is_erased_and_nothing_of_another(world: World) -> None:
    sam, eve = await two_people(world)
    found = await erase(world.store, world.opened.secrets, ZOE, KIM)
    assert [row.action.id for row in found.actions] == [sam.action]
    for done, still in ((sam, False), (eve, True)):
        ids = payloads_of(await world.row(done.action))
        assert len(ids) >= 3
        assert {await readable(world, id) for id in ids} == {still}
    assert (await world.balance()).spent == 20
    last = json.loads((await world.store.entries())[-1])
    assert (last["kind"], last["by"], last["detail"]["subject"]) == ("erased", "kim", found.name)
    assert b"zoe" not in b"".join(await world.store.entries())
    await sound(world)


async def test_what_is_erased_is_found_again_and_is_not_there_to_be_erased_twice(world: World) -> None:
    sam, _ = await two_people(world)
    await erase(world.store, world.opened.secrets, ZOE, KIM)
    found = await about(world.store, world.opened.secrets, ZOE)
    assert (found.readable, [row.action.id for row in found.actions]) == (False, [sam.action])
    with pytest.raises(NotPermitted, match="erased already"):
        await erase(world.store, world.opened.secrets, ZOE, KIM)
    with pytest.raises(NotPermitted, match="nothing is kept"):
        await erase(world.store, world.opened.secrets, SubjectId("subject:nobody"), KIM)


async def test_what_is_held_for_law_is_not_erased_until_it_is_released(world: World) -> None:
    await two_people(world)
    secrets = world.opened.secrets
    await hold_for_law(world.store, secrets, ZOE, KIM, why="CASE-1")
    with pytest.raises(NotPermitted, match="CASE-1"):
        await erase(world.store, secrets, ZOE, KIM)
    await sound(world)
    assert await release(world.store, secrets, ZOE, KIM)
    assert not await release(world.store, secrets, ZOE, KIM)
    await erase(world.store, secrets, ZOE, KIM)
    with pytest.raises(NotPermitted, match="nothing that can be read"):
        await hold_for_law(world.store, secrets, ZOE, KIM, why="CASE-2")
    await sound(world)


async def test_an_action_that_nobody_knows_the_end_of_keeps_its_arguments_unless_somebody_insists(world: World) -> None:
    await two_people(world)
    world.tool.breaks.append(UpstreamSilent("no answer", fix=""))
    assert isinstance(await world.call({"to": "zoe", "n": 2}), Uncertain)
    with pytest.raises(NotPermitted, match="nobody knows how"):
        await erase(world.store, world.opened.secrets, ZOE, KIM)
    found = await erase(world.store, world.opened.secrets, ZOE, KIM, even_if_open=True)
    assert [row.state for row in found.open] == [ActionState.UNCERTAIN]


async def test_what_waits_for_a_person_cannot_go_on_without_its_arguments(world: World) -> None:
    approvals = Approvals(people={LEAD: PEOPLE[LEAD]})
    await world.publish(ALLOW, ASK, tools=[a_tool(subject="$.args.to")], approvals=approvals)
    parked = await world.call({"to": "zoe"})
    assert isinstance(parked, Parked)
    found = await erase(world.store, world.opened.secrets, ZOE, KIM)
    assert [row.action.id for row in found.waiting] == [parked.action]
    outcome = await resume(world.gateway, world.store, parked.action)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.MISSING_CONTEXT


async def test_a_key_that_outlived_its_erasure_is_found_and_erasing_again_destroys_it(world: World) -> None:
    await two_people(world)
    secrets = world.opened.secrets
    name = secrets.subject_name(world.tenant, ZOE)
    key = secrets.keys.find(name)
    assert key is not None
    await erase(world.store, secrets, ZOE, KIM)
    bring_back(world, name, key)
    assert any("the key is there" in found.what for found in await verify_state(world.store, secrets))
    await erase(world.store, secrets, ZOE, KIM)
    await sound(world)


def bring_back(world: World, name: str, key: bytes) -> None:
    """Set the table of keys back, as a standby that lagged would."""
    keys = world.opened.secrets.keys
    keys._run(f"update {_table(keys)} set key = {_mark(keys)} where name = {_mark(keys)}", [key, name])  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType]


def _table(keys: object) -> str:
    return "key" if type(keys).__name__ == "SqliteKeys" else "interlock_key"


def _mark(keys: object) -> str:
    return "?" if type(keys).__name__ == "SqliteKeys" else "%s"


NAMES_NOBODY: list[tuple[dict[str, object], str, str]] = [
    ({}, "$.to", "Required"),
    ({"to": None}, "$.to", "Type"),
    ({"to": True}, "$.to", "Type"),
    ({"to": 1.5}, "$.to", "Type"),
    ({"to": ["zoe"]}, "$.to", "Type"),
    ({"to": ""}, "$.to", "MinLength"),
]


@pytest.mark.parametrize(("arguments", "path", "kind"), NAMES_NOBODY)
async def test_a_call_that_names_nobody_where_its_tool_says_whose_data_it_is_is_refused(
    world: World, arguments: dict[str, object], path: str, kind: str
) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"to": {}}, "additionalProperties": True}
    await world.publish(tools=[a_tool(subject="$.args.to", schema=schema)])
    outcome = await world.call(json.dumps(arguments), run="r1")
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.INVALID_ARGUMENTS
    assert [(each.path, each.kind) for each in outcome.wrong] == [(path, kind)]
    assert "names nobody whose data this is" in outcome.why
    assert world.tool.performed == []
    run = world.opened.secrets.subject_name(world.tenant, SubjectId("run:r1"))
    assert await world.store.payloads_under(run) == set()
    assert (await world.row(outcome.action)).action.arguments == ""


async def test_an_agent_does_not_learn_where_a_subject_is_that_the_schema_does_not_name(world: World) -> None:
    await world.publish(tools=[a_tool(subject="$.args.customer.secret_id")])
    outcome = await world.call({"to": "zoe"})
    assert isinstance(outcome, Refused)
    assert [(each.path, each.kind) for each in outcome.wrong] == [("$.*.*", "Required")]


async def test_what_waits_and_names_nobody_under_the_contract_of_now_does_not_go_on(world: World) -> None:
    approvals = Approvals(people={LEAD: PEOPLE[LEAD]})
    await world.publish(ALLOW, ASK, tools=[a_tool()], approvals=approvals)
    parked = await world.call({"to": "zoe"}, run="r1")
    assert isinstance(parked, Parked)
    await world.publish(ALLOW, ASK, tools=[a_tool(subject="$.args.customer")], approvals=approvals)
    outcome = await resume(world.gateway, world.store, parked.action)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.INVALID_ARGUMENTS
    assert world.tool.performed == []


async def test_an_edit_that_names_nobody_is_not_taken(world: World) -> None:
    approvals = Approvals(people={LEAD: PEOPLE[LEAD]})
    await world.publish(ALLOW, ASK, tools=[a_tool(subject="$.args.to")], approvals=approvals)
    parked = await world.call({"to": "zoe"})
    assert isinstance(parked, Parked)
    with pytest.raises(NotPermitted, match="do not fit"):
        await edit(world.gateway, world.store, parked.action, '{"to": ""}', person("ann"))
