"""An agent that has a key signs what it proposes, and anybody can check offline that it did."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cards import issued, with_token
from interlock.app import Opened
from interlock.contract.ir import Approvals
from interlock.core.action import Caller, ProposalSignature
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.ids import AgentId, PersonId, PrincipalId, Role, WorkflowId
from interlock.core.outcome import Done, Outcome, Parked, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree, edit
from interlock.gateway.doors import Operator
from interlock.gateway.history import exported
from interlock.gateway.resume import resume
from interlock.identity.signature import from_headers
from interlock.ledger.audit import audit
from interlock.ledger.export import Export, read
from interlock.ledger.proposal import commitment, private_text, signed_text
from interlock.rows import Wanted
from world import ALLOW, KIM, MAIL, HandClock, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
ASK = a_rule("ask.mail", "ask")
PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim"), PersonId("ann")})})
ANN = replace(KIM, person=PersonId("ann"))
SALT = "0123456789abcdef" * 2


def public(key: Ed25519PrivateKey) -> str:
    return f"ed25519:{key.public_key().public_bytes_raw().hex()}"


def a_signature(
    caller: Caller,
    arguments: Json,
    by: Ed25519PrivateKey = KEY,
    *,
    at: int,
    salt: str = SALT,
    run: str | None = None,
    key: str | None = None,
    occurrence: int = 1,
) -> ProposalSignature:
    private = private_text(salt=salt, run=run or "", key=key or "", occurrence=occurrence, arguments=arguments)
    signature = by.sign(signed_text(caller, MAIL, at, commitment(private))).hex()
    return ProposalSignature(at=at, salt=salt, signature=signature)


async def with_key(world: World, *rules: Any, **fields: Any) -> None:
    """Publish a contract whose agent has a key."""
    await world.publish(*(rules or (ALLOW,)), agents={AgentId("bot"): public(KEY)}, **fields)


async def signed_call(
    world: World,
    arguments: Any = None,
    *,
    by: Ed25519PrivateKey = KEY,
    caller: Caller | None = None,
    salt: str = SALT,
    **named: Any,
) -> Outcome:
    arguments = arguments or {"to": "sam"}
    caller = caller or world.caller()
    signature = a_signature(caller, arguments, by, at=world.clock.now() // 1_000_000, salt=salt, **named)
    return await world.call(arguments, caller=caller, signature=signature, **named)


async def export_of(world: World) -> Export:
    return read([line async for line in exported(world.store, world.opened.secrets)])


def turned_away(outcome: Outcome) -> str:
    assert isinstance(outcome, Refused), outcome
    assert outcome.reason is Reason.TOOL_NOT_ALLOWED
    return outcome.why


async def test_what_is_signed_is_carried_out_and_its_entry_proves_it(world: World) -> None:
    await with_key(world)
    assert isinstance(await signed_call(world), Done)
    (started,) = [each for each in await world.entries() if each["kind"] == "started"]
    assert started["detail"]["signed_by"] == public(KEY)
    assert started["contract"]
    assert started["slice"]
    assert audit(await export_of(world)).sound
    assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.promise("door")
async def test_what_is_not_signed_is_refused_and_recorded(world: World) -> None:
    await with_key(world)
    assert "has to sign" in turned_away(await world.call())
    assert "is not signed with its key" in turned_away(await signed_call(world, by=OTHER))
    assert (await world.history())[-1].startswith("refused refused: tool_not_allowed")
    assert world.tool.performed == []


@pytest.mark.promise("door")
@pytest.mark.parametrize(
    "changed",
    [
        {"arguments": {"to": "eve"}},
        {"tool": "mail.read"},
        {"key": "another"},
        {"key": None},
        {"run": "r2"},
        {"run": None},
        {"occurrence": 2},
        {"agent": "bot2"},
        {"principal": "eve"},
        {"workflow": "other"},
        {"at": 1},
        {"salt": "f" * 32},
        {"salt": ""},
        {"salt": "short"},
        {"signature": ""},
        {"signature": "0" * 128},
    ],
)
async def test_a_signature_is_about_all_that_is_asked_for(world: World, changed: dict[str, Any]) -> None:
    await with_key(world)
    caller, at = world.caller(), world.clock.now() // 1_000_000
    signed: dict[str, Any] = {"run": "r1", "key": "k", "occurrence": 1}
    made = a_signature(caller, {"to": "sam"}, at=at, **signed)
    asked = {**signed, "arguments": {"to": "sam"}, "tool": MAIL}
    for name, value in changed.items():
        if name in ("at", "salt", "signature"):
            made = replace(made, **{name: at + value if name == "at" else value})
        elif name in asked:
            asked[name] = value
        else:
            # The signature is of somebody else, and is presented by the one who has the key.
            types = {"agent": AgentId, "principal": PrincipalId, "workflow": WorkflowId}
            other = replace(caller, **{name: types[name](value)})
            made = a_signature(other, {"to": "sam"}, at=at, **signed)
    arguments = asked.pop("arguments")
    outcome = await world.call(arguments, caller=caller, signature=made, **asked)
    assert isinstance(outcome, Refused)
    assert world.tool.performed == []


@pytest.mark.parametrize(("seconds", "lets_in"), [(-301, False), (-300, True), (300, True), (301, False)])
async def test_a_signature_is_good_for_five_minutes(world: World, seconds: int, lets_in: bool) -> None:
    await with_key(world)
    caller, at = world.caller(), world.clock.now() // 1_000_000 + seconds
    outcome = await world.call({"to": "sam"}, signature=a_signature(caller, {"to": "sam"}, at=at))
    assert isinstance(outcome, Done) is lets_in


@pytest.mark.promise("once")
async def test_a_signed_proposal_that_somebody_caught_has_no_second_effect(world: World) -> None:
    await with_key(world)
    first, again = await signed_call(world), await signed_call(world)
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert (again.action, again.recalled, len(world.tool.performed)) == (first.action, True, 1)


@pytest.mark.parametrize("run", [None, "r1"])
async def test_a_signed_read_that_somebody_caught_is_not_paid_for_twice(world: World, run: str | None) -> None:
    await with_key(world, tools=[a_tool(effect=EffectClass.READ, price=10)], budgets=[a_budget(100)])
    first, again = await signed_call(world, run=run), await signed_call(world, run=run)
    anew = await signed_call(world, run=run, salt=SALT[::-1])
    assert isinstance(first, Done) and isinstance(again, Done) and isinstance(anew, Done)
    assert (again.action, again.recalled, again.result) == (first.action, True, first.result)
    assert not anew.recalled and len(world.tool.performed) == 2
    assert (await world.balance()).spent == 20


async def test_a_signed_proposal_that_was_caught_is_not_another_one_with_an_empty_key(world: World) -> None:
    await with_key(world)
    done = await signed_call(world)
    signature = a_signature(world.caller(), {"to": "sam"}, at=world.clock.now() // 1_000_000)
    again = await world.call(signature=signature, key="")
    assert (type(done), type(again)) == (Done, Refused)
    assert len(world.tool.performed) == 1


async def test_defaults_that_are_filled_in_are_not_signed(world: World) -> None:
    schema = {"properties": {"to": {"type": "string"}, "copies": {"type": "integer", "default": 1}}}
    await with_key(world, tools=[a_tool(schema=schema)])
    assert isinstance(await signed_call(world, {"to": "sam"}), Done)
    assert json.loads(world.tool.sent[0]) == {"to": "sam", "copies": 1}


@pytest.mark.promise("consent")
async def test_what_waits_starts_with_the_signature_that_it_was_asked_with(world: World) -> None:
    await with_key(world, ALLOW, ASK, approvals=PEOPLE)
    parked = await signed_call(world)
    assert isinstance(parked, Parked)
    await agree(world.gateway, world.store, parked.action, KIM, seen=(await world.row(parked.action)).seen)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)
    told = {each["kind"]: each["detail"].get("signed_proposal") for each in await world.entries() if "action" in each}
    assert told["parked"] is not None
    assert told["parked"] == told["started"]
    assert audit(await export_of(world)).sound


async def test_an_edit_leaves_the_signature_under_what_the_agent_asked_for(world: World) -> None:
    await with_key(world, ALLOW, ASK, approvals=PEOPLE)
    parked = await signed_call(world)
    assert isinstance(parked, Parked)
    await edit(world.gateway, world.store, parked.action, '{"to":"zoe"}', ANN)
    await resume(world.gateway, world.store, parked.action)
    await yes(world, parked, KIM)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)
    assert audit(await export_of(world)).sound
    assert await verify_state(world.store, world.opened.secrets) == ()


async def yes(world: World, parked: Parked, by: Operator) -> None:
    await agree(world.gateway, world.store, parked.action, by, seen=(await world.row(parked.action)).seen)


@pytest.mark.promise("stop")
async def test_what_was_signed_with_a_key_that_is_gone_starts_no_more(world: World) -> None:
    await with_key(world, ALLOW, ASK, approvals=PEOPLE)
    parked = await signed_call(world)
    assert isinstance(parked, Parked)
    await yes(world, parked, KIM)
    await world.publish(ALLOW, ASK, approvals=PEOPLE, agents={AgentId("bot"): public(OTHER)})
    assert "has not signed it with the key" in turned_away(await resume(world.gateway, world.store, parked.action))
    assert world.tool.performed == []


async def test_a_key_of_a_token_is_asked_for_as_that_of_a_contract_is(world: World) -> None:
    await world.publish()
    drawn, _ = await issued(world, key=public(KEY))
    caller = await with_token(world, drawn)
    assert "has to sign" in turned_away(await world.call(caller=caller))
    assert isinstance(await signed_call(world, caller=caller), Done)
    await with_key(world)
    assert isinstance(await signed_call(world, {"n": 2}, caller=caller), Done)
    drawn, _ = await issued(world, key=public(OTHER))
    two = await with_token(world, drawn)
    assert "is not signed" in turned_away(await signed_call(world, {"n": 3}, caller=two))
    assert "is not signed" in turned_away(await signed_call(world, {"n": 3}, by=OTHER, caller=two))


async def test_a_token_that_another_process_has_just_issued_asks_for_its_key(
    world: World, opens: Callable[[HandClock], Opened]
) -> None:
    """The gateway has a door in mind that is older than the token."""
    other = World.on(opens(world.clock), world.clock, world.tenant)
    await world.publish()
    await world.call()
    drawn, _ = await issued(other, key=public(KEY))
    caller = await with_token(other, drawn)
    assert "has to sign" in turned_away(await world.call({"n": 1}, caller=caller))
    drawn, _ = await issued(other, key=public(KEY))
    caller = await with_token(other, drawn)
    assert isinstance(await signed_call(world, {"n": 2}, caller=caller), Done)


async def test_a_person_who_starts_what_an_agent_asked_for_signs_nothing(world: World) -> None:
    await with_key(world)
    assert isinstance(await world.call(by=PersonId("kim")), Done)


@pytest.mark.promise("ledger")
@pytest.mark.parametrize("name", ["signed_by", "signed_proposal", "signed_what", "signed_at"])
async def test_a_signature_in_the_ledger_that_was_changed_is_found_with_no_key_of_ours(world: World, name: str) -> None:
    await with_key(world)
    await signed_call(world)
    export = await export_of(world)
    stored = list(export.lines)
    lines = [json.loads(line) for line in stored]
    n, line = next((n, each) for n, each in enumerate(lines) if each["kind"] == "started")
    other = {"signed_by": public(OTHER), "signed_at": "1"}.get(name, "0" * 128)
    for detail in ({**line["detail"], name: other}, {key: v for key, v in line["detail"].items() if key != name}):
        changed = json.dumps({**line, "detail": detail}, sort_keys=True, separators=(",", ":")).encode()
        found = audit(replace(export, lines=(*stored[:n], changed, *stored[n + 1 :]))).findings
        assert any("is not signed by the key that it names" in each.what for each in found)


@pytest.mark.promise("forget", "secret")
async def test_nothing_of_what_was_signed_can_be_guessed_from_the_ledger(world: World) -> None:
    await with_key(world)
    await signed_call(world, key="my key")
    lines = b"".join(await world.store.entries()).decode()
    assert SALT not in lines
    assert "my key" not in lines
    (row,) = await world.store.actions(Wanted())
    assert row.action.signed is not None
    assert row.action.signed.what in lines


@given(st.text(max_size=300), st.text(max_size=20))
def test_whatever_is_sent_as_a_signature_is_read_and_proves_nothing(signature: str, at: str) -> None:
    made = from_headers(signature, at)
    assert made is not None
    assert (made.salt, made.signature, made.at) == ("", "", 0)
    assert from_headers(None, None) is None
    assert from_headers(signature, None) == made


async def test_an_sdk_signs_in_a_few_lines(world: World) -> None:
    await with_key(world)
    spec = importlib.util.spec_from_file_location("sign", ROOT / "docs_src" / "identity" / "sign.py")
    assert spec is not None
    assert spec.loader is not None
    sign = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sign)
    caller = world.caller()
    place = [caller.tenant, caller.workflow, caller.environment, caller.agent, caller.principal]
    arguments = {"to": 'Zoë\n\u2028 \x7f"', "n": [1, True, None, {"b": "2", "a": ""}]}
    sent = sign.headers(KEY, place, MAIL, arguments, run="r1", once="k")
    made = from_headers(sent["Interlock-Signature"], sent["Interlock-Signed-At"])
    assert made is not None
    world.clock.forward(seconds=made.at - world.clock.now() / 1_000_000)
    outcome = await world.call(arguments, run="r1", key="k", signature=made)
    assert isinstance(outcome, Done), outcome
