"""Tools of a server that is a process of ours: what a call comes to, and what becomes of a server that misbehaves."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from interlock.core.errand import Performed
from interlock.core.errors import SecretUnknown, UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.limits import MCP_MESSAGE_BYTES_MAX
from interlock.core.secret import Secret
from interlock.tool.mcp import upstream
from interlock.tool.mcp.tools import McpTools
from mcp_server import TOOLS
from upstream.stdio_world import Place, asked, gone, lives

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def wrong(place: Place, name: str, arguments: Any = None, **given: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        await place.call(name, arguments, **given)
    assert raised.value.fix
    return raised.value


async def silent(place: Place, name: str, arguments: Any = None, **given: Any) -> str:
    error = await wrong(place, name, arguments, **given)
    assert type(error) is not UpstreamFailed, error
    return str(error)


async def failed(place: Place, name: str, arguments: Any = None, **given: Any) -> str:
    error = await wrong(place, name, arguments, **given)
    assert type(error) is UpstreamFailed, error
    return str(error)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ((), ["server/discover", "initialize", "notifications/initialized", "tools/list"]),
        (("version=2024-11-05",), ["server/discover", "initialize", "notifications/initialized", "tools/list"]),
        (("new",), ["server/discover", "tools/list"]),
        (("dies",), ["server/discover", "initialize", "notifications/initialized", "tools/list"]),
        (
            ("greets", "pages"),
            ["server/discover", "initialize", "notifications/initialized", *["tools/list"] * len(TOOLS)],
        ),
    ],
)
async def test_how_a_server_speaks_is_found_out_once(place: Place, words: tuple[str, ...], first: list[str]) -> None:
    place.words = words
    for text in ("hello", "again"):
        assert await place.call("echo", {"text": text}, effect="read") == Performed(result=text)
    assert place.methods() == [*first, "tools/call", "tools/call"]


@pytest.mark.parametrize("protocol", ["2025-11-25", "2025-03-26", "2026-07-28"])
async def test_a_contract_may_say_how_a_server_speaks(place: Place, protocol: str) -> None:
    place.words, place.more = (("new",) if protocol == "2026-07-28" else ()), {"protocol": protocol}
    await place.call("echo", {"text": "hello"})
    assert place.methods()[0] == ("server/discover" if protocol == "2026-07-28" else "initialize")


@pytest.mark.parametrize("words", [(), ("new",)])
async def test_exactly_what_was_judged_is_sent_with_the_key_of_the_action(place: Place, words: tuple[str, ...]) -> None:
    place.words = words
    came = await place.call("pay", {"usd": 7, "to": "sam"})
    assert came == Performed(result={"paid": 7, "cents": 49.99})
    ((name, arguments, meta),) = place.effects()
    assert (name, arguments, meta["interlock/idempotency-key"]) == ("pay", {"usd": 7, "to": "sam"}, "key")
    envelope = {key: value for key, value in meta.items() if key.startswith("io.modelcontextprotocol/")}
    assert envelope.keys() == (
        {f"io.modelcontextprotocol/{key}" for key in ("protocolVersion", "clientInfo", "clientCapabilities")}
        if words
        else set()
    )


async def test_a_hundred_calls_at_once_share_one_process_and_leave_no_task(place: Place) -> None:
    before = len(asyncio.all_tasks())
    calls = [place.call("echo", {"text": str(each)}, slots=100) for each in range(100)]
    came = await asyncio.gather(*calls)
    assert [each.result for each in came] == [str(each) for each in range(100)]
    assert len(place.started()) == 1
    assert len(asyncio.all_tasks()) == before


async def test_tenants_never_share_a_process_and_workflows_of_one_do(place: Place) -> None:
    await place.call("echo", {"text": "a"}, tenant="one")
    await place.call("echo", {"text": "a"}, tenant="one", workflow="other")
    await place.call("echo", {"text": "a"}, tenant="two")
    assert len(place.started()) == 2


async def test_a_server_that_a_contract_means_no_more_is_ended_once_nobody_has_called_it_for_long(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.call("echo", {"text": "a"})
    place.more = {"env": {"N": "1"}}
    await place.call("echo", {"text": "a"})
    first, second = place.started()
    monkeypatch.setattr(upstream, "MCP_IDLE_SECONDS", 0)
    place.more = {"env": {"N": "2"}}
    await place.call("echo", {"text": "a"}, tenant="other")
    assert lives(first), "another tenant ends none of them"
    await place.call("echo", {"text": "a"})
    await gone(first, second)
    place.more = {"env": {"N": "1"}}
    assert (await place.call("echo", {"text": "again"})).result == "again"


async def test_a_server_sees_nothing_of_our_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    place.more = {"env": {"REGION": "eu"}}
    came = (await place.call("env")).result
    assert isinstance(came, dict)
    seen = came["env"]
    assert isinstance(seen, dict)
    assert seen.keys() - {"LC_CTYPE"} == {"PATH", "HOME", "TMPDIR", "LANG", "REGION"}
    assert came["cwd"] == seen["HOME"] != str(place.folder)
    assert came["files"] == []


async def test_what_a_server_starts_ends_with_it(place: Place) -> None:
    child = int(str((await place.call("children")).result))
    assert lives(child)
    place.tools.close()
    await gone(child, *place.started())


async def test_a_crash_before_the_answer_is_silence_and_the_next_call_finds_a_new_server(place: Place) -> None:
    assert "ended before it answered" in await silent(place, "crash")
    assert await place.call("echo", {"text": "again"}) == Performed(result="again")
    assert len(place.effects()) == 1
    assert len(place.started()) == 2


async def test_a_server_that_cannot_live_is_not_started_again_and_again(place: Place) -> None:
    place.words = ("ends",)
    first = await failed(place, "echo", {"text": "a"})
    later = await failed(place, "echo", {"text": "a"})
    assert "no tool was called" in first
    assert "is down and is tried again in" in later


@pytest.mark.parametrize(
    ("command", "says"), [(("no-such-program",), "no tool was called"), (("false",), "no tool was called")]
)
async def test_what_is_no_server_has_surely_done_nothing(place: Place, command: tuple[str, ...], says: str) -> None:
    place.more = {"command": command}
    assert says in await failed(place, "echo", {"text": "a"})


@pytest.mark.parametrize(("effect", "kind"), [("read", UpstreamFailed), ("opaque", UpstreamSilent)])
async def test_that_a_tool_failed_does_not_prove_that_nothing_happened(
    place: Place, effect: str, kind: type[UpstreamError]
) -> None:
    error = await wrong(place, "fail", effect=effect)
    assert (type(error), error.said) == (kind, "no such account")


async def test_a_contract_may_say_that_the_errors_of_a_tool_mean_that_nothing_happened(place: Place) -> None:
    assert "says that it failed" in await failed(place, "fail", errors="no_effect")


@pytest.mark.parametrize(
    ("code", "sure"), [(-32601, True), (-32602, True), (-32603, False), (-32000, False), (-32020, True)]
)
async def test_an_error_of_the_protocol_says_whether_the_call_was_begun(place: Place, code: int, sure: bool) -> None:
    error = await wrong(place, "error", {"code": code})
    assert (type(error) is UpstreamFailed, error.said) == (sure, "went wrong")


async def test_an_answer_nobody_can_keep_loses_the_server_and_nothing_else(place: Place) -> None:
    for tenant, size in (("a", MCP_MESSAGE_BYTES_MAX + 1), ("b", 50_000_000)):
        assert "in one line" in await silent(place, "huge", {"bytes": size}, tenant=tenant)
    assert len(str((await place.call("huge", {"bytes": 900_000}, seconds=20)).result)) == 900_000


@pytest.mark.parametrize("kind", ["utf8", "cut"])
async def test_bytes_that_are_no_message_lose_the_server(place: Place, kind: str) -> None:
    assert "no message" in await silent(place, "garbage", {"kind": kind})
    assert (await place.call("echo", {"text": "again"})).result == "again"


async def test_words_without_end_lose_the_server(place: Place) -> None:
    assert "nobody asked for" in await silent(place, "flood")
    await gone(place.started()[0])


async def test_answers_to_what_nobody_asked_change_nothing(place: Place) -> None:
    assert (await place.call("strangers")).result == "yours"


async def test_a_server_may_ask_whether_we_are_there_and_nothing_else(place: Place) -> None:
    assert (await place.call("asks")).result == "asked"
    await place.call("echo", {"text": "after"})
    answers = {message["id"]: message for message in place.heard() if "method" not in message}
    assert answers.pop("s0") == {"jsonrpc": "2.0", "id": "s0", "result": {}}
    assert {each["error"]["code"] for each in answers.values()} == {-1}
    assert answers.keys() == {"s1", "s2", "s3"}


async def test_progress_on_the_way_is_passed_over(place: Place) -> None:
    assert (await place.call("progress")).result == "done"


async def test_a_lease_that_has_passed_sends_nothing(place: Place) -> None:
    def passed() -> None:
        raise UpstreamFailed("the lease passed before anything was sent", fix="call again")

    assert "the lease passed" in await failed(place, "pay", check_lease=passed)
    assert place.effects() == []


async def test_what_answers_after_the_waiting_was_given_up_is_handed_over_late(place: Place) -> None:
    late: list[Any] = []
    found = place.find("late", slots=1)
    with anyio.move_on_after(0.5):
        await found.perform(asked(late=late.append))
    assert not found.free()
    (place.folder / "go").touch()
    with anyio.fail_after(5):
        while not late:
            await anyio.sleep(0.005)
    assert late == [Performed(result="late")]
    assert found.free()


async def test_a_read_that_was_given_up_gives_its_slot_back(place: Place) -> None:
    found = place.find("hang", slots=1)
    with anyio.move_on_after(0.5):
        await found.perform(asked(effect="read"))
    with anyio.fail_after(1):
        while not found.free():
            await anyio.sleep(0)


async def test_who_was_given_up_while_the_server_started_sends_nothing(place: Place) -> None:
    late: list[Any] = []
    place.words = ("mute",)
    with anyio.move_on_after(0.3):
        await place.find("pay").perform(asked(late=late.append))
    with anyio.fail_after(10):
        while not late:
            await anyio.sleep(0.01)
    assert isinstance(late[0], UpstreamFailed)
    assert place.effects() == []


@pytest.mark.parametrize("words", [("endless",), ("version=1999-01-01",)])
async def test_a_server_that_cannot_be_understood_is_called_for_nothing(place: Place, words: tuple[str, ...]) -> None:
    place.words = words
    assert "nothing was sent" in await failed(place, "pay")


async def test_a_call_goes_on_where_its_server_says_so_and_not_for_ever(place: Place) -> None:
    place.words = ("new",)
    assert "for ever" in await silent(place, "continue")
    states = [message["params"].get("requestState") for message in place.heard() if message["method"] == "tools/call"]
    assert states == [None, *["half"] * 7]


async def test_what_a_server_wants_from_a_person_is_not_offered_it(place: Place) -> None:
    place.words = ("new",)
    assert "wants something" in await silent(place, "wants")
    assert "wants something" in await failed(place, "wants", effect="read")


class Kept:
    """Hands out what a test has set."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.asked: list[tuple[str, ...]] = []

    async def secret(self, tenant: str, workflow: str, environment: str, name: str) -> Secret:
        self.asked.append((tenant, workflow, environment, name))
        if name not in self.texts:
            raise SecretUnknown(f"there is no secret `{name}`", fix="set it: `interlock secret set`")
        return Secret(name, self.texts[name])

    def refused(self, tenant: str, workflow: str, environment: str, name: str) -> None:
        pass


@pytest.fixture
async def guarded(place: Place) -> AsyncGenerator[tuple[Place, Kept]]:
    kept = Kept(token="hunter2hunter2")
    place.tools = McpTools(kept)
    place.more = {"env": {"CRM_TOKEN": "secret:token"}}
    yield place, kept
    place.tools.close()


async def test_a_server_is_given_its_secret_and_nothing_of_it_comes_back(guarded: tuple[Place, Kept]) -> None:
    place, kept = guarded
    came = (await place.call("env")).result
    assert isinstance(came, dict)
    assert isinstance(came["env"], dict)
    assert came["env"]["CRM_TOKEN"] == "[secret token]"
    assert set(kept.asked) == {("t", "w", "dev", "token")}
    error = await wrong(place, "error", {"code": -32603})
    assert error.__cause__ is None


async def test_workflows_never_share_a_server_that_has_a_secret(guarded: tuple[Place, Kept]) -> None:
    place, kept = guarded
    await place.call("echo", {"text": "a"})
    await place.call("echo", {"text": "a"}, workflow="other")
    assert len(place.started()) == 2
    assert set(kept.asked) == {("t", "w", "dev", "token"), ("t", "other", "dev", "token")}


async def test_a_secret_that_was_changed_makes_the_server_anew_and_ends_no_call(guarded: tuple[Place, Kept]) -> None:
    place, kept = guarded
    found = place.find("late", slots=9)
    under_way = asyncio.create_task(found.perform(asked()))
    with anyio.fail_after(10):
        while not place.effects():
            await anyio.sleep(0.005)
    kept.texts["token"] = "hunter3hunter3"
    await place.call("echo", {"text": "a"})
    assert len(place.started()) == 2
    (place.folder / "go").touch()
    assert (await under_way).result == "late"
    await gone(place.started()[0])


async def test_without_its_secret_a_server_is_not_started(guarded: tuple[Place, Kept]) -> None:
    place, kept = guarded
    del kept.texts["token"]
    assert "there is no secret `token`, so nothing was sent" in await failed(place, "pay")
    assert place.started() == []
