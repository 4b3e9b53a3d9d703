"""Who is let in by a token, and as whom they may then ask."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards import DAY, a_card, a_door, another_tenant
from interlock.core.action import Caller
from interlock.core.credential import AccessRole, CredentialKind, Held
from interlock.core.door import Door
from interlock.core.ids import AgentId, Environment, Instant, PrincipalId, Role, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.identity.bearer import Bearer, BearerKind, NotKnown, Wrong, bearer_of, caller_of, tenant_of
from interlock.identity.token import draw
from world import NOON

ACME = TenantId("acme")
TOKEN = draw(ACME)
CARD = a_card(TOKEN)
BOT, SAM, SHOP = AgentId("bot"), PrincipalId("sam"), WorkflowId("shop")


def wrong(door: Door, text: str, *, at: int = NOON, tenant: str | None = None) -> Wrong | None:
    found = bearer_of(door, Instant(at), text, tenant=TenantId(tenant) if tenant else None)
    return found.wrong if isinstance(found, NotKnown) else None


SHOWN = {
    "it": TOKEN.text,
    "another one": draw(ACME).text,
    "one of another tenant": another_tenant(TOKEN, "evil").text,
    "a mistyped one": TOKEN.text[:-1] + "!",
    "nothing": "",
    "the whole header": f"Bearer {TOKEN.text}",
}
GONE = {"revoked_at": Instant(NOON)}


@pytest.mark.parametrize(
    ("what", "card", "days", "tenant", "want"),
    [
        # what is shown           what is kept           when  about   ends as
        ("it",                    {},                    0,    None,   None),
        ("it",                    {},                    0,    "acme", None),
        ("it",                    {},                    89.9, None,   None),
        ("it",                    {},                    90,   None,   Wrong.EXPIRED),
        ("it",                    GONE,                  0,    None,   Wrong.REVOKED),
        ("it",                    GONE,                  99,   None,   Wrong.REVOKED),
        ("it",                    {},                    0,    "evil", Wrong.FOREIGN),
        ("it",                    {"hash": "0" * 64},    0,    None,   Wrong.UNKNOWN),
        ("another one",           {},                    0,    None,   Wrong.UNKNOWN),
        ("one of another tenant", {},                    0,    None,   Wrong.UNKNOWN),
        ("a mistyped one",        {},                    0,    None,   Wrong.MALFORMED),
        ("nothing",               {},                    0,    None,   Wrong.MALFORMED),
        ("the whole header",      {},                    0,    None,   Wrong.MALFORMED),
    ],
)  # fmt: skip
def test_who_shows_a_token_is_known_or_hears_one_thing(
    what: str, card: dict[str, Any], days: float, tenant: str | None, want: Wrong | None
) -> None:
    at = NOON + int(days * DAY)
    assert wrong(a_door(replace(CARD, **card)), SHOWN[what], at=at, tenant=tenant) is want


def test_what_is_kept_is_what_is_let_in() -> None:
    card = replace(CARD, agents=(BOT,), principal=SAM, roles=(Held(Role("viewer"), SHOP),), rate=60, key="ed25519:aa")
    assert bearer_of(a_door(card), NOON, TOKEN.text) == Bearer(
        tenant=ACME,
        kind=BearerKind.AGENT,
        known_by=f"token:{TOKEN.id}",
        credential=TOKEN.id,
        workflow=WorkflowId("support"),
        environment=Environment("prod"),
        agents=(BOT,),
        principal=SAM,
        roles=(Held(Role("viewer"), SHOP),),
        rate=60,
        key="ed25519:aa",
        ends_at=card.expires_at,
    )


def test_whose_door_is_asked_is_known_before_any_store_is() -> None:
    assert tenant_of(TOKEN.text) == ACME
    none = tenant_of("ilk_acme_nothing")
    assert isinstance(none, NotKnown)
    assert none.wrong is Wrong.MALFORMED


def test_nobody_learns_from_an_answer_which_ids_there_are() -> None:
    door = a_door(replace(CARD, revoked_at=Instant(NOON)))
    same_id = replace(CARD, hash="0" * 64, revoked_at=Instant(NOON))
    answers = {str(bearer_of(each, NOON, TOKEN.text)) for each in (a_door(same_id), Door())}
    assert len(answers) == 1
    assert TOKEN.id not in answers.pop()
    assert "revoked" in str(bearer_of(door, NOON, TOKEN.text))


@given(st.text(max_size=300))
def test_no_text_is_answered_with_itself(text: str) -> None:
    found = bearer_of(a_door(CARD), NOON, text)
    assert isinstance(found, NotKnown)
    assert len(text) < 30 or text not in f"{found.why} {found.fix}"


@pytest.mark.parametrize(
    ("card", "named", "want"),
    [
        # what the token is for                          what is named                               ends as
        ({},                                             {"agent": "bot", "principal": "sam"},       ("bot", "sam")),
        ({},                                             {"principal": "sam"},                       ("only", "sam")),
        ({},                                             {"agent": "bot"},                           None),
        ({},                                             {"agent": "bot", "principal": "*"},         None),
        ({"agents": (BOT,)},                             {"principal": "sam"},                       ("bot", "sam")),
        ({"agents": (BOT,)},                             {"agent": "eve", "principal": "sam"},       None),
        ({"agents": (BOT, AgentId("b2"))},               {"principal": "sam"},                       None),
        ({},                                             {"agent": "bot", "principal": "Zoë v."},   ("bot", "Zoë v.")),
        ({},                                             {"agent": "bot", "principal": "\x9b2Jsam"}, None),
        ({},                                             {"agent": "bot", "principal": "s\u202eam"}, None),
        ({},                                             {"agent": "\u2028bot", "principal": "sam"}, None),
        ({"principal": SAM},                             {"agent": "bot"},                           ("bot", "sam")),
        ({"principal": SAM},                             {"agent": "bot", "principal": "zoe"},       None),
        ({},                       {"agent": "bot", "principal": "sam", "workflow": "support"},      ("bot", "sam")),
        ({},                       {"agent": "bot", "principal": "sam", "workflow": "other"},        None),
        ({"environment": Environment("staging")}, {"agent": "bot", "principal": "sam", "environment": "prod"}, None),
        ({"kind": CredentialKind.SERVICE},               {"agent": "bot", "principal": "sam"},       None),
    ],
)  # fmt: skip
def test_what_is_named_can_only_be_what_the_token_is_for(
    card: dict[str, Any], named: dict[str, Any], want: tuple[str, str] | None
) -> None:
    bearer = bearer_of(a_door(replace(CARD, **card)), NOON, TOKEN.text)
    assert isinstance(bearer, Bearer)
    found = caller_of(bearer, agents=(AgentId("only"),), **named)
    if want is None:
        assert isinstance(found, NotKnown)
        assert found.wrong is Wrong.OUT_OF_SCOPE
    else:
        assert isinstance(found, Caller)
        assert (found.agent, found.principal, found.known_by) == (*want, f"token:{TOKEN.id}")


@given(st.sampled_from(["staging", "prod"]), st.sampled_from(["support", "shop"]), st.text(max_size=20))
def test_a_token_of_one_environment_names_no_other(environment: str, workflow: str, agent: str) -> None:
    card = replace(CARD, environment=Environment("staging"))
    bearer = bearer_of(a_door(card), NOON, TOKEN.text)
    assert isinstance(bearer, Bearer)
    place = {"workflow": WorkflowId(workflow), "environment": Environment(environment)}
    found = caller_of(bearer, agent=AgentId(agent), principal=SAM, **place)  # pyright: ignore[reportArgumentType]
    assert not isinstance(found, Caller) or (found.workflow, found.environment) == ("support", "staging")


def test_a_role_in_one_workflow_is_none_in_another_and_none_in_the_tenant() -> None:
    bearer = bearer_of(a_door(replace(CARD, roles=(Held(Role("viewer"), SHOP),))), NOON, TOKEN.text)
    assert isinstance(bearer, Bearer)
    assert bearer.may(AccessRole.VIEWER, SHOP)
    assert not bearer.may(AccessRole.VIEWER, WorkflowId("support"))
    assert not bearer.may(AccessRole.VIEWER)
    assert not bearer.may(AccessRole.ADMIN, SHOP)
    whole = replace(bearer, roles=(Held(Role("admin")),))
    assert whole.may(AccessRole.ADMIN)
    assert whole.may(AccessRole.ADMIN, SHOP)
