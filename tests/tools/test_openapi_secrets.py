"""The credential of an operation: where it goes, what is refused without it, and that nothing of it comes back."""

import base64
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from interlock.app import every_tool
from interlock.core.errors import ContractInvalid, SecretUnknown
from interlock.core.outcome import Done, Failed, Refused, Uncertain
from interlock.redact.scrub import scrubber
from interlock.tool.with_secret import ToolsWithSecrets
from loopback import http
from spelled import SPELLED
from tools.drawer import CANARY, Drawer
from tools.http_peer import Peer, serving
from tools.operations import Api, described, one, parameter
from world import World

pytestmark = pytest.mark.anyio

BOTH: dict[str, Any] = {"bearer": [], "header": []}
SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "Bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "api key"},
    "asked": {"type": "apiKey", "in": "query", "name": "k"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "oauth": {"type": "oauth2", "flows": {}},
    "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://id.acme.example"},
    "app": {"type": "apiKey", "in": "header", "name": "X-App"},
    "host": {"type": "apiKey", "in": "header", "name": "Host"},
    "digest": {"type": "http", "scheme": "digest"},
    "tls": {"type": "mutualTLS"},
}


def secured(*ways: Any, method: str = "post") -> dict[str, Any]:
    """A document whose operation can be opened in each of these ways."""
    document = one(method, security=[way if isinstance(way, dict) else {way: []} for way in ways])
    return {**document, "components": {"securitySchemes": SCHEMES}}


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


@pytest.fixture
async def api(world: World, tmp_path: Path, drawer: Drawer) -> AsyncGenerator[Api]:
    tools = every_tool()
    async with serving(Peer()) as peer:
        yield Api(world, peer, tmp_path, ToolsWithSecrets(tools, drawer))
        tools.close()


@pytest.mark.parametrize(
    ("way", "header", "value"),
    [
        ("bearer", "authorization", f"Bearer {CANARY}"),
        ("oauth", "authorization", f"Bearer {CANARY}"),
        ("oidc", "authorization", f"Bearer {CANARY}"),
        ("header", "x-key", CANARY),
        ("cookie", "cookie", f"sid={CANARY}"),
    ],
)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_the_secret_goes_where_the_document_says(api: Api, way: str, header: str, value: str) -> None:
    await api.publish(secured(way), ", secret: pay")
    assert isinstance(await api.call(), Done)
    assert api.asked()[1][header] == value


async def test_a_secret_in_the_address_and_one_of_a_user(api: Api, drawer: Drawer) -> None:
    await api.publish(secured("asked"), ", secret: pay")
    await api.call()
    assert api.asked()[0] == "POST /v1/things?k=sk_live_C4narY%2F51%2Bx%3D HTTP/1.1"
    api.peer.questions.clear()
    drawer.text = "ann:long enough: pä"
    await api.publish(secured("basic"), ", secret: pay")
    await api.call()
    assert base64.b64decode(api.asked()[1]["authorization"].removeprefix("Basic ")).decode() == drawer.text
    drawer.text = "no-colon-in-it"
    outcome = await api.call()
    assert isinstance(outcome, Failed)
    assert "has no colon, so nothing was sent" in outcome.why


@pytest.mark.parametrize(
    ("document", "tool", "says"),
    [
        (secured("bearer"), "", "the operation needs a secret, and the tool names none"),
        (secured(), ", secret: pay", "the operation takes no secret, and `secret: pay` names one"),
        (one(), ", secret: pay", "the operation takes no secret, and `secret: pay` names one"),
        (secured("digest"), ", secret: pay", "no secret can open it in a way that is known here"),
        (secured("tls"), ", secret: pay", "no secret can open it in a way that is known here"),
        (secured("query"), ", secret: pay", "no secret can open it in a way that is known here"),
        (secured("host"), ", secret: pay", "no secret can open it in a way that is known here"),
        (secured({"bearer": [], "header": []}), ", secret: pay", "it needs 2 secrets at once"),
        (secured(BOTH), ", secrets: { bearer: b }", "no way to open it takes exactly these `secrets`"),
        (secured("bearer"), ", secrets: { bearer: b, header: h }", "no way to open it takes exactly these `secrets`"),
        (secured(), ", secrets: { bearer: b }", "no way to open it takes exactly these `secrets`"),
        (
            secured({"bearer": [], "tls": []}),
            ", secrets: { bearer: b, tls: t }",
            "`tls` is opened in no way that is known here",
        ),
        (
            secured({"bearer": [], "oauth": []}),
            ", secrets: { bearer: b, oauth: o }",
            "two of its secrets, or a secret and a cookie, would go into the same place",
        ),
        (secured("gone"), ", secret: pay", "no security scheme is named `gone`"),
        (
            secured("bearer"),
            ", idempotency_header: Authorization, secret: pay",
            "names a header that is not ours to set",
        ),
        (
            secured("header"),
            ", idempotency_header: x_key, secret: pay",
            "the secret and the key would both go into `x_key`",
        ),
    ],
)
async def test_a_credential_that_cannot_be_given_is_refused(
    tmp_path: Path, document: Any, tool: str, says: str
) -> None:
    with pytest.raises(ContractInvalid) as error:
        described(tmp_path, document, tool)
    assert says in str(error.value)
    assert error.value.fix


@pytest.mark.parametrize(
    ("way", "named", "needed"),
    [
        ("asked", "k", False),
        ("asked", "K", True),
        ("asked", " k", False),
        ("header", "x-KEY", False),
        ("header", "X_Key", False),
    ],
)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_no_agent_says_beside_the_secret_who_asks(api: Api, way: str, named: str, needed: bool) -> None:
    document = secured(way)
    place = "query" if way == "asked" else "header"
    document["paths"]["/things"]["post"]["parameters"] = [parameter(named, place, required=needed), parameter("q")]
    await api.publish(document, ", secret: pay")
    assert isinstance(await api.call({named: "mine", "q": "1"}), Refused)
    assert isinstance(await api.call({"q": "1"}), Done)
    line, headers, _ = api.asked()
    assert line.count("=") == (2 if way == "asked" else 1)
    assert way == "asked" or headers["x-key"] == CANARY


async def test_the_first_way_that_is_known_is_taken_and_one_that_is_open_to_all_needs_none(tmp_path: Path) -> None:
    assert (described(tmp_path, secured("digest", "header", "bearer"), ", secret: s").how or {})["credentials"] == [
        {"place": "header", "name": "X-Key"}
    ]
    open_to_all = secured("bearer", {})
    assert "credentials" not in (described(tmp_path, open_to_all).how or {})
    assert "credentials" in (described(tmp_path, open_to_all, ", secret: s").how or {})


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_an_operation_that_takes_several_secrets_gets_each_in_its_place(api: Api, drawer: Drawer) -> None:
    drawer.texts = {"dd_api": CANARY, "dd_app": "app_C4narY/52", "sid": "C4narY:53", "key": "C4narY 54"}
    way: dict[str, Any] = {"header": [], "app": [], "cookie": [], "asked": []}
    await api.publish(secured("bearer", way), ", secrets: { header: dd_api, app: dd_app, cookie: sid, asked: key }")
    api.peer.answer = lambda _: http("200 OK", f"{CANARY} app_C4narY/52 C4narY:53".encode(), "text/plain")
    outcome = await api.call()
    assert isinstance(outcome, Done), outcome
    line, headers, _ = api.asked()
    assert line == "POST /v1/things?k=C4narY%2054 HTTP/1.1"
    assert headers["x-key"] == CANARY
    assert headers["x-app"] == "app_C4narY/52"
    assert headers["cookie"] == "sid=C4narY:53"
    assert "authorization" not in headers
    mark = "[secret dd_api or dd_app or key or sid]"
    assert outcome.result == f"{mark} {mark} {mark}"
    assert {each[-1] for each in drawer.asked} == {"dd_api", "dd_app", "sid", "key"}


async def test_without_one_of_several_secrets_nothing_is_sent(api: Api, drawer: Drawer) -> None:
    await api.publish(secured(BOTH), ", secrets: { bearer: b, header: h }")
    drawer.texts = {"h": "two\r\nX-Other: lines"}
    outcome = await api.call()
    assert isinstance(outcome, Failed), outcome
    assert outcome.why == "the secret has characters that a header cannot have, so nothing was sent"
    assert api.peer.questions == []


def test_of_ways_with_several_secrets_the_one_is_taken_that_the_contract_names(tmp_path: Path) -> None:
    document = secured("bearer", {"header": [], "app": []}, {"header": [], "asked": []})
    for schemes in (["app", "header"], ["asked", "header"], ["bearer"]):
        said = ", ".join(f"{scheme}: s" for scheme in schemes)
        found = described(tmp_path, document, f", secrets: {{ {said} }}").how or {}
        assert [each["scheme"] for each in found["credentials"]] == schemes
    with pytest.raises(ContractInvalid) as error:
        described(tmp_path, secured(BOTH), ", secret: pay")
    assert error.value.fix == "write `secrets: { bearer: NAME, header: NAME }`"


@pytest.mark.parametrize("named", ["k_y", "K_Y", "k.y", "k y", "k_y[]", "k_y[x]"])
def test_no_part_of_a_form_is_named_like_a_key_in_the_address(tmp_path: Path, named: str) -> None:
    document = secured("asked")
    document["components"] = {"securitySchemes": {"asked": {**SCHEMES["asked"], "name": "k_y"}}}
    form: dict[str, Any] = {"type": "object", "properties": {named: {"type": "string"}, "q": {"type": "string"}}}
    operation = document["paths"]["/things"]["post"]
    operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    operation["parameters"] = [parameter(f"{named}[1]"), parameter("other", "header")]
    found = described(tmp_path, document, ", secret: pay")
    assert sorted(found.schema["properties"]) == ["other", "q"]
    assert f"`{named}` is no argument: it is named like a key that stands in the address" in found.notes
    form["required"] = [named]
    with pytest.raises(ContractInvalid, match="is named like a key that stands in the address"):
        described(tmp_path, document, ", secret: pay")


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_a_cookie_is_an_argument_unless_it_is_where_the_secret_goes(api: Api) -> None:
    document = secured("cookie")
    cookies = [parameter("SID", "cookie"), parameter("lang", "cookie"), parameter("n", "cookie", {"type": "integer"})]
    document["paths"]["/things"]["post"]["parameters"] = cookies
    await api.publish(document, ", secret: pay")
    assert isinstance(await api.call({"SID": "mine"}), Refused)
    assert isinstance(await api.call({"lang": "de-AT(1)%3B", "n": 5}), Done)
    _, headers, _ = api.asked()
    assert headers["cookie"] == f"sid={CANARY}; lang=de-AT(1)%3B; n=5"


@pytest.mark.promise("secret")
async def test_nothing_of_a_secret_comes_back_whatever_the_other_side_does_with_it(api: Api, drawer: Drawer) -> None:
    told = ""
    for way in ("bearer", "header", "asked", "basic"):
        drawer.text = f"ann:{CANARY}" if way == "basic" else CANARY
        await api.publish(secured(way), ", secret: pay, timeout: 2s")
        for status in ("200 OK", "422 No", "500 Oh"):
            for kind in ("text/plain", "application/json"):
                for how in ("plain", "url", "base64 after 0", "reversed"):
                    spelled = SPELLED[how](drawer.text)
                    said = f'"{spelled}"' if kind == "application/json" else f"you are {spelled}"
                    api.peer.answer = lambda _, s=status, t=said, k=kind: http(s, t.encode(), k)
                    told += repr(await api.call())
    api.peer.answer = lambda _: None
    for entry in await api.world.entries():
        told += repr(entry)
    assert "[secret pay]" in told
    for how, spell in SPELLED.items():
        assert spell(CANARY).strip() not in told, how


@pytest.mark.promise("secret")
async def test_without_its_secret_nothing_is_sent(api: Api, drawer: Drawer) -> None:
    await api.publish(secured("bearer"), ", secret: pay")
    drawer.wrong = SecretUnknown("none", fix="set it")
    assert isinstance(await api.call(), Failed)
    drawer.wrong, drawer.text = None, "two\r\nX-Other: lines"
    outcome = await api.call()
    assert isinstance(outcome, Failed)
    assert not isinstance(outcome, Uncertain)
    assert api.peer.questions == []


def test_the_password_in_an_address_is_a_secret_itself() -> None:
    scrub = scrubber("db", ("postgresql://reader:C4narY%2F51x!@db.example.com/crm?sslmode=require",))
    assert (
        scrub.text("C4narY%2F51x! and C4narY/51x! at db.example.com") == "[secret db] and [secret db] at db.example.com"
    )
    assert scrubber("basic", ("ann:C4narY/51x!",)).text("is C4narY/51x! ann?") == "is [secret basic] ann?"
