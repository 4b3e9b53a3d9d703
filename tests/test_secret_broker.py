"""The broker: where each environment keeps its secrets, one fetch at a time, and none of it on the loop."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from inline_snapshot import snapshot

from interlock.core.errors import SecretUnknown, SecretUnreachable, UsageWrong
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.limits import SECRET_FETCHES_MAX, SECRET_KEPT_SECONDS
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.secret.broker import SecretBroker
from interlock.secret.environment import FromEnvironment, variable_of
from interlock.secret.installed import broker_of, sealed_file
from interlock.secret.kept import SecretId, Text, Value
from interlock.secret.settings import read_settings
from world import NOON, HandClock

pytestmark = pytest.mark.anyio

CANARY = "sk_live_C4narY/51+x="
PAY = SecretId(tenant=TenantId("acme"), workflow=WorkflowId("support"), environment=Environment("prod"), name="pay")


class Elsewhere:
    """A source that is not here: it blocks until it is let go, and counts who asks."""

    name = "elsewhere"

    def is_local(self, environment: str) -> bool:
        return False

    def of(self, environment: str) -> "Elsewhere":
        return self

    def __init__(self, answer: Callable[[], Value] = lambda: Text(text=CANARY)) -> None:
        self.answer = answer
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[SecretId] = []
        self.threads: set[str] = set()

    def find(self, id: SecretId) -> Value:
        self.asked.append(id)
        self.threads.add(threading.current_thread().name)
        self.may_answer.wait(10)
        return self.answer()


def before(source: Elsewhere, clock: HandClock) -> SecretBroker:
    return SecretBroker(source, clock)


async def ask(broker: SecretBroker, id: SecretId = PAY) -> Secret:
    with anyio.fail_after(20):
        return await broker.secret(id.tenant, id.workflow, id.environment, id.name)


async def test_a_secret_from_the_file_is_the_one_of_now(tmp_path: Path) -> None:
    broker = broker_of(tmp_path, HandClock())
    sealed_file(tmp_path).put(PAY, Text(text=CANARY), NOON)
    assert (await ask(broker)).reveal() == CANARY
    sealed_file(tmp_path).put(PAY, Text(text="another-secret"), NOON)
    assert (await ask(broker)).reveal() == "another-secret"
    with pytest.raises(SecretUnknown):
        await ask(broker, replace(PAY, environment=Environment("staging")))


async def test_each_environment_keeps_its_secrets_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.yaml").write_text("environments: { dev: environment }\n", "utf-8")
    monkeypatch.setenv("INTERLOCK_SECRET__ACME__SUPPORT__DEV__PAY", "from-the-environment")
    monkeypatch.setenv("INTERLOCK_SECRET__ACME__SUPPORT__PROD__PAY", "never-looked-at")
    broker = broker_of(tmp_path, HandClock())
    assert (await ask(broker, replace(PAY, environment=Environment("dev")))).reveal() == "from-the-environment"
    with pytest.raises(SecretUnknown):
        await ask(broker)  # one source each: nobody puts a secret in front of another one


@pytest.mark.parametrize(
    "text",
    ["source: nowhere", "sauce: file", "[1]", "environments: 7", "a: [", "\xff", "vault: { path: x }"],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageWrong) as error:
        read_settings(tmp_path)
    assert error.value.fix.startswith("correct ")


@pytest.mark.parametrize(
    ("named", "variable"),
    [
        ({}, "INTERLOCK_SECRET__ACME__SUPPORT__PROD__PAY"),
        ({"workflow": "a-b", "name": "pay-write"}, "INTERLOCK_SECRET__ACME__A_B__PROD__PAY_WRITE"),
        ({"name": "pay_it"}, ""),
        ({"name": "pay--it"}, ""),
        ({"name": "Pay"}, ""),
        ({"name": "pay.it"}, ""),
        ({"name": "-pay"}, ""),
        ({"tenant": "a_b"}, ""),
    ],
)
def test_no_two_secrets_have_the_same_variable(named: dict[str, str], variable: str) -> None:
    id = replace(PAY, **named)
    if variable == "":
        with pytest.raises(SecretUnknown, match="in the environment"):
            variable_of(id)
    else:
        assert variable_of(id) == variable


@pytest.mark.parametrize("text", ["", "tiny!", '{"token_url": 7}', '{"token_url": "https://x", "client_id": "c"}'])
async def test_a_variable_that_holds_no_secret_is_an_error_that_repeats_nothing(text: str) -> None:
    source = FromEnvironment({variable_of(PAY): text})
    with pytest.raises(SecretUnreachable) as error:
        source.find(PAY)
    assert text == "" or text not in f"{error.value} {error.value.fix}"


async def test_those_who_ask_at_once_wait_for_one_fetch_which_is_not_on_the_loop() -> None:
    source, clock = Elsewhere(), HandClock()
    broker = before(source, clock)
    source.may_answer.clear()
    asking = [asyncio.create_task(ask(broker)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # who leaves takes it from nobody
    source.may_answer.set()
    told = await asyncio.gather(*asking[1:])
    assert {each.reveal() for each in told} == {CANARY}
    assert (len(source.asked), source.threads) == (1, {"interlock-secret"})


async def test_one_from_elsewhere_is_remembered_for_seconds() -> None:
    texts = iter([CANARY, "another-secret"])
    source, clock = Elsewhere(lambda: Text(text=next(texts))), HandClock()
    broker = before(source, clock)
    assert [(await ask(broker)).reveal() for _ in range(3)] == [CANARY] * 3
    clock.forward(seconds=SECRET_KEPT_SECONDS)
    assert (await ask(broker)).reveal() == "another-secret"


async def test_a_source_that_hangs_is_an_error_and_takes_a_bounded_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interlock.secret.broker.SECRET_SECONDS_MAX", 0.05)
    source = Elsewhere()
    broker = before(source, HandClock())
    source.may_answer.clear()
    hanging = [replace(PAY, name=f"s{number}") for number in range(SECRET_FETCHES_MAX)]
    told = await asyncio.gather(*(ask(broker, each) for each in hanging), return_exceptions=True)
    assert {type(each) for each in told} == {SecretUnreachable}
    with pytest.raises(SecretUnreachable) as error:
        await ask(broker)
    assert str(error.value) == snapshot(
        "the secret `pay` of support in prod cannot be fetched: too many are being waited for"
    )
    source.may_answer.set()


async def test_a_library_that_breaks_is_an_error_that_repeats_nothing_of_it() -> None:
    def breaks() -> Value:
        raise RuntimeError(f"403 for {CANARY}")

    with pytest.raises(SecretUnreachable) as error:
        await ask(before(Elsewhere(breaks), HandClock()))
    assert str(error.value) == snapshot(
        "the secret `pay` of support in prod cannot be fetched: its source broke (RuntimeError)"
    )
    assert error.value.__cause__ is None
