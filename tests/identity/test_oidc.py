"""People and services by the word of an issuer: what is believed of it, and until when."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from issuer import OTHER_RSA, RSA, Provider, a_jwt, b64, rs256, rsa_jwk

from cards import DAY, door_of
from interlock.contract.ir import Approvals
from interlock.core.credential import AccessRole, Client, CredentialKind, Held, Issuer, Right
from interlock.core.door import Door
from interlock.core.errors import NotPermitted, UpstreamFailed
from interlock.core.ids import AgentId, Environment, Instant, Micros, PersonId, Role, TenantId, WorkflowId
from interlock.core.outcome import Done, Parked
from interlock.core.value import replace
from interlock.gateway import access
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator
from interlock.gateway.resume import resume
from interlock.identity.bearer import Bearer, BearerKind, NotKnown, Wrong, caller_of, still_good
from interlock.identity.fetch import fetched, may_be_asked
from interlock.identity.jwt import read
from interlock.identity.oidc import Issuers, is_of_an_issuer
from loopback import answering, http
from tools.http_peer import Peer, serving
from world import ALLOW, KIM, NOON, World, a_rule

ACME, SUPPORT = TenantId("acme"), WorkflowId("support")
URL = "https://login.example.com"
CORP = Issuer(
    name="corp",
    url=URL,
    audience="interlock",
    groups={"leads": (Held(Role("lead"), SUPPORT),), "ops": (Held(Role("operator")),)},
    clients={
        "bot": Client(kind=CredentialKind.AGENT, workflow=SUPPORT, environment=Environment("prod")),
        "graphs": Client(kind=CredentialKind.SERVICE, roles=(Held(Role("viewer")),)),
    },
    by=PersonId("kim"),
)
DOOR = Door(issuers={"corp": CORP})
SECONDS = NOON // 1_000_000


def claims(**changed: Any) -> dict[str, Any]:
    given = {"iss": URL, "aud": "interlock", "sub": "u1", "exp": SECONDS + 300, "groups": ["leads"], **changed}
    return {name: value for name, value in given.items() if value is not None}


async def shown(
    text: str, provider: Provider | None = None, *, door: Door = DOOR, now: int = NOON
) -> Bearer | NotKnown:
    issuers = Issuers(fetch=(provider or Provider()).fetch)
    return await issuers.bearer(ACME, door, text, now=Instant(now), boot=Micros(0))


def wrong(found: Bearer | NotKnown) -> Wrong | None:
    return found.wrong if isinstance(found, NotKnown) else None


@pytest.mark.anyio
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES512", "EdDSA", "Ed25519"])
async def test_a_person_is_known_by_what_their_issuer_signs(algorithm: str) -> None:
    found = await shown(a_jwt(claims(), algorithm))
    assert isinstance(found, Bearer)
    assert (found.kind, found.person, found.known_by) == (BearerKind.PERSON, "u1@corp", "oidc:corp")
    assert found.roles == (Held(Role("lead"), SUPPORT),)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changed", "want"),
    [
        ({}, None),
        ({"aud": ["other", "interlock"]}, None),
        ({"aud": "other"}, Wrong.UNKNOWN),
        ({"aud": ["interlock2"]}, Wrong.UNKNOWN),
        ({"aud": None}, Wrong.UNKNOWN),
        ({"iss": URL + "/"}, Wrong.UNKNOWN),
        ({"iss": "https://evil.example.com"}, Wrong.UNKNOWN),
        ({"iss": None}, Wrong.UNKNOWN),
        ({"iss": {"a": 1}}, Wrong.UNKNOWN),
        ({"sub": None}, Wrong.UNKNOWN),
        ({"sub": 7}, Wrong.UNKNOWN),
        ({"sub": "a b"}, Wrong.UNKNOWN),
        ({"sub": ""}, Wrong.UNKNOWN),
        ({"exp": SECONDS - 59}, None),
        ({"exp": SECONDS - 60}, Wrong.EXPIRED),
        ({"exp": None}, Wrong.EXPIRED),
        ({"exp": "soon"}, Wrong.EXPIRED),
        ({"exp": True}, Wrong.EXPIRED),
        ({"exp": 1e300}, Wrong.EXPIRED),
        ({"nbf": SECONDS + 60}, None),
        ({"nbf": SECONDS + 61}, Wrong.EXPIRED),
        ({"iat": SECONDS + 61}, Wrong.EXPIRED),
        ({"nbf": (SECONDS + 86_400) * 1_000}, Wrong.EXPIRED),
        ({"nbf": str(SECONDS + 86_400)}, Wrong.EXPIRED),
        ({"iat": True}, Wrong.EXPIRED),
        ({"groups": None}, None),
        ({"groups": "ops"}, None),
        ({"groups": [7, {"a": 1}, None]}, None),
    ],
)
async def test_every_claim_is_held_against_what_is_believed(changed: dict[str, Any], want: Wrong | None) -> None:
    assert wrong(await shown(a_jwt(claims(**changed)))) is want


def with_public_key_as_secret(signed: bytes) -> bytes:
    return hmac.new(json.dumps(rsa_jwk("rsa")).encode(), signed, hashlib.sha256).digest()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text",
    [
        a_jwt(claims(), "none", sign=lambda _: b""),
        a_jwt(claims(), "None", sign=lambda _: b""),
        a_jwt(claims(), "HS256", sign=with_public_key_as_secret),
        a_jwt(claims(), "RS256", sign=lambda signed: rs256(signed, OTHER_RSA)),
        a_jwt(claims(), "RS256", sign=lambda _: b""),
        a_jwt(claims(), "ES256", sign=lambda _: bytes(64)),
        a_jwt(claims(), "PS256", sign=rs256),
        a_jwt(claims(), "RS256", kid="ec"),
        a_jwt(claims(), "RS256", kid="nobody"),
        a_jwt(claims(), "RS256", kid=7),
        a_jwt(claims(), "RS256", crit=["exp"]),
        a_jwt(claims(), "RS256", typ="logout+jwt"),
        a_jwt(claims(), "RS256", jwk=rsa_jwk("mine", OTHER_RSA), sign=lambda signed: rs256(signed, OTHER_RSA)),
        a_jwt(claims()) + "A",
        a_jwt(claims()).replace(".", ".."),
        "ey.ey.ey",
        b64(b'{"alg":"RS256"}') + "." + b64(b"[]") + "." + b64(b"x"),
    ],
    ids=map(str, range(17)),
)
async def test_nothing_else_than_a_key_of_the_issuer_makes_it_believed(text: str) -> None:
    assert wrong(await shown(text)) is Wrong.UNKNOWN


@pytest.mark.anyio
async def test_a_key_that_is_too_short_or_meant_for_something_else_proves_nothing() -> None:
    for key in (rsa_jwk("rsa", use="enc"), rsa_jwk("rsa", alg="PS256"), {**rsa_jwk("rsa"), "kty": "EC"}):
        assert wrong(await shown(a_jwt(claims()), Provider(keys=[key]))) is Wrong.UNKNOWN
    both = Provider(keys=[rsa_jwk("rsa"), rsa_jwk("rsa", OTHER_RSA)])
    assert wrong(await shown(a_jwt(claims()), both)) is Wrong.UNKNOWN
    alone = Provider(keys=[rsa_jwk("any", RSA)])
    assert wrong(await shown(a_jwt(claims(), kid=None), alone)) is None


@given(st.text(max_size=300))
def test_whatever_is_shown_is_read_without_an_error(text: str) -> None:
    read(text)
    read(f"{b64(text.encode(errors='replace'))}.{text}.{text}")
    assert not is_of_an_issuer("ilk_a.b.c_t0123456789_" + text)


@pytest.mark.anyio
async def test_an_issuer_is_asked_once_and_once_a_minute_for_a_key_that_nobody_knows() -> None:
    provider = Provider()
    issuers = Issuers(fetch=provider.fetch)

    async def at(seconds: float, text: str) -> Wrong | None:
        boot = Micros(int(seconds * 1_000_000))
        return wrong(await issuers.bearer(ACME, DOOR, text, now=NOON, boot=boot))

    good, unknown = a_jwt(claims()), a_jwt(claims(), kid="new", sign=lambda signed: rs256(signed, OTHER_RSA))
    for _ in range(5):
        assert await at(0, good) is None
        assert await at(59, unknown) is Wrong.UNKNOWN
    assert len(provider.asked) == 2
    provider.keys.append(rsa_jwk("new", OTHER_RSA))
    assert await at(60, unknown) is None
    assert len(provider.asked) == 4
    provider.down = True
    for minute in range(2, 61):  # whoever makes keys up does not keep the old ones alive
        assert await at(60 * minute, a_jwt(claims(), kid="made up")) is Wrong.UNKNOWN
    assert await at(3_659, good) is None
    assert await at(3_660, good) is Wrong.UNKNOWN
    away = await issuers.bearer(ACME, DOOR, good, now=NOON, boot=Micros(3_660_000_000))
    assert isinstance(away, NotKnown)
    assert "does not say now with which keys it signs" in away.why
    provider.down = False
    assert await at(3_661, good) is Wrong.UNKNOWN
    assert await at(3_720, good) is None


@pytest.mark.anyio
async def test_whose_key_is_known_waits_for_nobody_whose_key_is_not() -> None:
    provider, asked, may_answer = Provider(), asyncio.Event(), asyncio.Event()

    async def fetch(url: str) -> bytes:
        if provider.down:
            asked.set()
            await may_answer.wait()
        return await provider.fetch(url)

    issuers = Issuers(fetch=fetch)

    async def shows(text: str, boot: int) -> Wrong | None:
        return wrong(await issuers.bearer(ACME, DOOR, text, now=NOON, boot=Micros(boot)))

    assert await shows(a_jwt(claims()), 0) is None
    provider.down = True
    made_up = asyncio.create_task(shows(a_jwt(claims(), kid="made up"), 60_000_000))
    async with asyncio.timeout(5):
        await asked.wait()
        assert await shows(a_jwt(claims()), 61_000_000) is None
        may_answer.set()
        assert await made_up is Wrong.UNKNOWN


@pytest.mark.anyio
async def test_a_document_that_is_of_another_issuer_or_points_elsewhere_is_not_believed() -> None:
    here = [{"jwks_uri": place} for place in ("http://127.0.0.1:8080/off", "https://localhost/off", "http://[::1]/off")]
    there = [{"jwks_uri": "http://169.254.169.254/"}, {"jwks_uri": "x"}]
    for about in ({"issuer": "https://evil.example.com"}, *there, *here):
        provider = Provider(about=about)
        assert wrong(await shown(a_jwt(claims()), provider)) is Wrong.UNKNOWN
        assert len(provider.asked) == 1


@pytest.mark.anyio
async def test_a_service_is_what_the_door_says_of_its_name_and_a_person_cannot_pass_for_it() -> None:
    bot = await shown(a_jwt(claims(sub="bot")))
    assert isinstance(bot, Bearer)
    caller = caller_of(bot, agent=AgentId("bot"), principal=KIM.person)  # pyright: ignore[reportArgumentType]
    assert not isinstance(caller, NotKnown)
    assert (caller.workflow, caller.environment, caller.known_by) == ("support", "prod", "oidc:corp")
    graphs = await shown(a_jwt(claims(sub="graphs", groups=["ops"])))
    assert isinstance(graphs, Bearer)
    assert (graphs.kind, graphs.person, graphs.roles) == (BearerKind.SERVICE, None, (Held(Role("viewer")),))
    person = await shown(a_jwt(claims(sub="u1", azp="bot", client_id="bot")))
    assert isinstance(person, Bearer)
    assert person.kind is BearerKind.PERSON
    assert isinstance(caller_of(person, agent=AgentId("bot")), NotKnown)


@pytest.mark.anyio
async def test_a_role_for_a_while_is_one_of_the_roles_until_it_is_over() -> None:
    right = Right(
        id="h1",
        person=PersonId("u1@corp"),
        held=Held(Role("approver")),
        by=PersonId("kim"),
        at=NOON,
        until=Instant(NOON + 60_000_000),
    )
    door = replace(DOOR, rights=(right,))
    for at, may in ((NOON, True), (NOON + 60_000_000, False)):
        found = await shown(a_jwt(claims()), door=door, now=at)
        assert isinstance(found, Bearer)
        assert found.may(AccessRole.APPROVER) is may
    other = await shown(a_jwt(claims(sub="u2")), door=door)
    assert isinstance(other, Bearer)
    assert not other.may(AccessRole.APPROVER)


ASK = a_rule("ask.mail", "ask")


def a_person(name: str, *roles: Held) -> Operator:
    return replace(KIM, person=PersonId(f"{name}@corp"), known_by="oidc:corp", roles=roles)


async def parked(world: World, n: int = 1) -> Parked:
    outcome = await world.call({"n": n})
    assert isinstance(outcome, Parked)
    return outcome


async def yes(world: World, asked: Parked, by: Operator) -> None:
    await agree(world.gateway, world.store, asked.action, by, seen=(await world.row(asked.action)).seen)


@pytest.mark.anyio
@pytest.mark.promise("consent")
async def test_a_yes_of_somebody_whom_an_issuer_vouches_for_counts_by_what_their_group_gives(world: World) -> None:
    await world.publish(ALLOW, ASK)
    await access.add_issuer(world.store, CORP, KIM)
    asked = await parked(world)
    for by in (
        a_person("u1"),
        a_person("u1", Held(Role("lead"), WorkflowId("other"))),
        a_person("u1", Held(Role("operator"))),
        replace(a_person("u1", Held(Role("lead"))), known_by="os:1"),
        replace(a_person("u1", Held(Role("lead"))), known_by="oidc:nobody"),
    ):
        with pytest.raises(NotPermitted, match="holds none of the roles"):
            await yes(world, asked, by)
    await yes(world, asked, a_person("u1", Held(Role("lead"), SUPPORT)))
    assert isinstance(await resume(world.gateway, world.store, asked.action), Done)
    assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.anyio
@pytest.mark.promise("consent")
async def test_a_yes_counts_no_more_once_the_word_of_its_issuer_does_not(world: World) -> None:
    await world.publish(ALLOW, ASK)
    await access.add_issuer(world.store, CORP, KIM)
    asked = await parked(world)
    await yes(world, asked, a_person("u1", Held(Role("lead"), SUPPORT)))
    assert await access.remove_issuer(world.store, "corp", KIM)
    assert not await access.remove_issuer(world.store, "corp", KIM)
    assert isinstance(await resume(world.gateway, world.store, asked.action), Parked)
    assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.anyio
@pytest.mark.promise("consent")
async def test_a_role_for_a_while_opens_what_it_says_for_a_while(world: World) -> None:
    await world.publish(ALLOW, ASK, approvals=Approvals())
    asked = [await parked(world, n) for n in range(3)]
    until = Instant(world.clock.now() + DAY // 24)
    right = Right(id="h1", person=KIM.person, held=Held(Role("lead")), by=KIM.person, at=NOON, until=until)
    ann = replace(KIM, person=PersonId("ann"))
    await access.give(world.store, right, ann)
    await yes(world, asked[0], KIM)
    assert isinstance(await resume(world.gateway, world.store, asked[0].action), Done)
    await yes(world, asked[1], KIM)
    world.clock.forward(minutes=61)
    assert isinstance(await resume(world.gateway, world.store, asked[1].action), Parked)
    with pytest.raises(NotPermitted):
        await yes(world, asked[2], KIM)
    await access.give(world.store, replace(right, id="h2", until=Instant(world.clock.now() + DAY)), ann)
    assert [one.id for one in (await door_of(world)).rights] == ["h2"]
    assert await access.take(world.store, "h2", ann)
    assert not await access.take(world.store, "h2", ann)
    assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.anyio
async def test_documents_are_fetched_whole_from_nowhere_else_and_within_bounds() -> None:
    with answering(lambda question: http("200 OK", question.split(b" ")[1])) as port:
        assert await fetched(f"http://127.0.0.1:{port}/a?b=1") == b"/a?b=1"
    for answer in (http("302 Found", b"", "text/plain", "Location: http://127.0.0.1/"), http("200 OK", bytes(300_000))):
        with answering(lambda _, said=answer: said) as port, pytest.raises(UpstreamFailed):
            await fetched(f"http://127.0.0.1:{port}/")
    with pytest.raises(UpstreamFailed):
        await fetched("http://192.0.2.1/")


@pytest.mark.anyio
async def test_who_keeps_a_connection_open_is_heard_to_the_end_of_the_answer() -> None:
    async with serving(Peer()) as peer, asyncio.timeout(5):
        peer.answer = lambda _: http("200 OK", b"{}")
        assert await fetched(peer.url()) == b"{}"


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://login.example.com", True),
        ("https://login.example.com/realms/a", True),
        ("http://127.0.0.1:8080", True),
        ("http://login.example.com", False),
        ("https://user:pass@login.example.com", False),
        ("https://login.example.com/#a", False),
        ("ftp://login.example.com", False),
        ("https://", False),
        ("https://login.example.com:port", False),
        ("https://login example.com", False),
    ],
)
def test_an_issuer_is_asked_over_https_or_on_this_machine(url: str, may: bool) -> None:
    assert may_be_asked(url) is may


@pytest.mark.anyio
async def test_whoever_was_let_in_by_an_issuer_is_so_with_all_of_it_or_not_any_more() -> None:
    until = Instant(NOON + 60_000_000)
    right = Right(id="h1", person=PersonId("u1@corp"), held=Held(Role("auditor")), by=KIM.person, at=NOON, until=until)
    door = replace(DOOR, rights=(right,))
    bearer = await shown(a_jwt(claims()), door=door)
    assert isinstance(bearer, Bearer)
    assert bearer.roles == (Held(Role("lead"), SUPPORT), Held(Role("auditor")))
    others = replace(CORP, groups={}), replace(CORP, url="https://other.example.com")
    for changed, now, good in (
        (door, NOON, True),
        (replace(door, epoch=door.epoch + 1), NOON, True),
        (replace(door, issuers={}), NOON, False),
        *((replace(door, issuers={"corp": other}), NOON, False) for other in others),
        (replace(door, rights=()), NOON, False),
        (door, until, False),
        (door, bearer.ends_at, False),
    ):
        assert still_good(changed, Instant(now), bearer) == good
    plain = await shown(a_jwt(claims()))
    assert isinstance(plain, Bearer)
    for seconds in (0, 59, 60):  # as long as the token itself opens the door
        now = plain.ends_at + seconds * 1_000_000
        assert still_good(DOOR, Instant(now), plain) == isinstance(await shown(a_jwt(claims()), now=now), Bearer)
