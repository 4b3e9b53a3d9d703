"""Somebody with the database open takes entries out, or changes what is left of an action: it is found."""

import pytest

from interlock.contract.ir import Unique
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import Micros
from interlock.core.outcome import Refused
from interlock.gateway.compare import verify_state
from interlock.gateway.history import exported, signer_of
from interlock.gateway.recover import attend
from interlock.gateway.reverse import undo
from interlock.ledger.audit import audit
from interlock.ledger.export import Older, read
from interlock.ledger.pruned import gone
from interlock.ledger.tree import leaf_hash
from tamper import Intruder
from test_prune import called, is_left, lines_of, on, pruned, publish, receipts, report, sound
from test_prune_needed import undoable
from world import KIM, World, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget", "ledger")]


async def test_what_differs_from_its_entries_is_evidence_and_stays(world: World, where: str) -> None:
    await publish(world)
    first, second = await called(world), await called(world)
    intruder = Intruder(where, world.tenant)
    edit = "update entry set line = ? where tenant = ? and action = ?"
    intruder.run(edit, [b'{"action":"x"}', world.tenant, first.action])
    intruder.close()
    world.clock.forward(days=31)
    taken = await pruned(world)
    assert (taken.actions, dict(taken.kept)) == (1, {"differs from its entries": 1})
    assert await is_left(world, second.action)
    assert not await is_left(world, first.action)


async def test_an_entry_that_somebody_else_takes_out_is_found(world: World, where: str) -> None:
    await publish(world)
    outcomes = [await called(world) for _ in range(3)]
    world.clock.forward(days=31)
    young = await called(world)
    await pruned(world)
    before = await lines_of(world)
    index = next(n for n, line in enumerate(before) if young.action.encode() in line)
    intruder = Intruder(where, world.tenant)
    edit = f'update entry set line = ? where tenant = ? and "index" = {index}'
    intruder.run(edit, [gone(leaf_hash(before[index])), world.tenant])
    found = await report(world, receipts=receipts(*outcomes, young))
    assert [str(each.what) for each in found.findings] == ["it was taken out, and no entry says so"]
    differences = await verify_state(world.store, world.opened.secrets)
    assert f"the row of `{young.action}` says not" in " ".join(each.what for each in differences)
    intruder.close()


@pytest.mark.parametrize("edit", ["delete", "older", "another"])
async def test_what_is_left_of_an_action_cannot_be_changed_unnoticed(world: World, where: str, edit: str) -> None:
    await publish(world)
    outcome, other = await called(world, key="a"), await called(world, key="b")
    intruder = Intruder(where, world.tenant)
    ((body, mac),) = intruder.run("select body, mac from action where id = ?", [outcome.action])
    world.clock.forward(days=31)
    await pruned(world)
    assert await is_left(world, other.action)
    if edit == "delete":
        intruder.run("delete from action where id = ?", [outcome.action])
    elif edit == "older":
        intruder.run("update action set body = ?, mac = ? where id = ?", [body, mac, outcome.action])
    else:
        intruder.run("update entry set action = ? where action = ?", [other.action, outcome.action])
    intruder.close()
    assert await verify_state(world.store, world.opened.secrets) != ()


async def test_a_business_key_that_somebody_frees_is_missed(world: World, where: str) -> None:
    once = Unique(on=("args.to",), within=Micros(400 * 86_400_000_000))
    await world.publish(tools=[a_tool(subject="$.args.to", unique=once)], ledger_days=30)
    outcome = await called(world)
    world.clock.forward(days=31)
    await pruned(world)
    assert isinstance(await world.call({"to": "zoe"}), Refused)
    await sound(world)
    intruder = Intruder(where, world.tenant)
    intruder.run("delete from claim where tenant = ?", [world.tenant])
    intruder.close()
    found = await verify_state(world.store, world.opened.secrets)
    assert {each.where for each in found} == {f"action `{outcome.action}`"}
    assert all("claim" in each.what for each in found)


async def test_exports_of_before_fill_what_was_taken_out(world: World) -> None:
    await publish(world)
    older = list[tuple[bytes, ...]]()
    for _ in range(2):
        await called(world)
        older.append(await lines_of(world))
        world.clock.forward(days=31)
        await pruned(world)
    assert (await sound(world)).pruned == 4
    signer = await signer_of(*on(world))
    for archives, left in (([older[0]], 2), ([older[1]], 2), (older, 0), ([older[1], older[0]], 0)):
        lines = [line async for line in exported(*on(world))]
        found, back = read(lines), Older(archives)
        found.lines = [back.put_back(line, index) for index, line in enumerate(found.lines)]
        told = audit(found, pinned=signer)
        assert (told.findings, told.pruned) == ((), left)
    forged = [line.replace(b'"sam"', b'"eve"') for line in older[1]]
    assert (await report(world, older=Older([forged]))).pruned == 4


async def test_whoever_edits_one_row_keeps_no_other_from_being_pruned(world: World, where: str) -> None:
    await publish(world)
    outcomes = [await called(world, to=f"zoe{n}") for n in range(3)]
    intruder = Intruder(where, world.tenant)
    intruder.run("update action set mac = ? where id = ?", [b"\0" * 32, outcomes[0].action])
    world.clock.forward(days=31)
    await attend(world.gateway, world.store)
    assert [await is_left(world, each.action) for each in outcomes[1:]] == [True, True]
    assert dict((await pruned(world)).kept) == {"differs from its entries": 1}
    intruder.close()


async def test_an_effect_whose_undo_somebody_edited_stays(world: World, where: str) -> None:
    await undoable(world)
    first = await called(world)
    world.others["mail.unsend"].breaks = [UpstreamSilent("", fix="")]
    tried = await undo(world.gateway, world.store, first.action, KIM)
    intruder = Intruder(where, world.tenant)
    intruder.run("update action set mac = ? where id = ?", [b"\0" * 32, tried.action])
    intruder.close()
    world.clock.forward(days=3)
    taken = await pruned(world)
    assert (taken.actions, dict(taken.kept)) == (0, {"differs from its entries": 2})


@pytest.mark.parametrize("edit", ["delete from contract", "update contract set body = ?"])
async def test_what_a_contract_judged_that_somebody_edited_is_counted(world: World, where: str, edit: str) -> None:
    await publish(world, days=10)
    one = await called(world)
    await publish(world, days=20)
    other = await called(world)
    contract = (await world.row(one.action)).contract
    intruder = Intruder(where, world.tenant)
    intruder.run(f"{edit} where tenant = ? and hash = ?", [*[b"{}"] * edit.count("?"), world.tenant, contract])
    intruder.close()
    world.clock.forward(days=31)
    taken = await pruned(world)
    assert (taken.actions, dict(taken.kept)) == (1, {"its contract is gone, or was edited": 1})
    assert await is_left(world, other.action)
