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

HEADER = ", idempotency_header"
SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "Bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "api key"},
    "asked": {"type": "apiKey", "in": "query", "name": "k"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "oauth": {"type": "oauth2", "flows": {}},
    "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://id.acme.example"},
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
        ("cookie", "cookie", "sid=sk_live_C4narY%2F51%2Bx%3D"),
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
        (secured({"bearer": [], "header": []}), ", secret: pay", "no secret can open it in a way that is known here"),
        (secured("gone"), ", secret: pay", "no security scheme is named `gone`"),
        (
            secured("bearer"),
            ", idempotency_header: Authorization, secret: pay",
            "names a header that is not ours to set",
        ),
        (
            secured("header"),
            ", idempotency_header: x-key, secret: pay",
            "the secret and the key would both go into `x-key`",
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
    ("way", "named", "needed"), [("asked", "k", False), ("asked", "K", True), ("header", "x-KEY", False)]
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
    assert (described(tmp_path, secured("digest", "header", "bearer"), ", secret: s").how or {})["credential"] == {
        "place": "header",
        "name": "X-Key",
    }
    open_to_all = secured("bearer", {})
    assert "credential" not in (described(tmp_path, open_to_all).how or {})
    assert "credential" in (described(tmp_path, open_to_all, ", secret: s").how or {})


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
