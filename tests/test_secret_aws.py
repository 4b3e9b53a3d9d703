"""Secrets in AWS Secrets Manager, tried on a server that speaks as it does."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from inline_snapshot import snapshot

from interlock.core.errors import SecretError, SecretUnknown, SecretUnreachable
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.secret.aws import FromAws
from interlock.secret.installed import broker_of
from interlock.secret.kept import OAuth, SecretId, Text
from interlock.secret.settings import AwsSettings
from loopback import answering, http
from world import HandClock

boto3: Any = pytest.importorskip("boto3", reason="boto3 comes with the extra `aws`")
moto_server: Any = pytest.importorskip("moto.server", reason="moto comes with the extra `dev`")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(botocore|moto|flask|werkzeug|responses).*"),
]

CANARY = "sk_live_C4narY/51+x="
PAY = SecretId(tenant=TenantId("acme"), workflow=WorkflowId("support"), environment=Environment("prod"), name="pay")
NAME = "interlock/acme/support/prod/pay"


@pytest.fixture(autouse=True)
def known_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be somebody there, and nobody that this machine knows."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def aws() -> Iterator[Any]:
    server: Any = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    urlopen(Request(f"{there(port)}/moto-api/reset", method="POST"), timeout=10).close()
    client: Any = boto3.session.Session().client("secretsmanager", region_name="eu-west-1", endpoint_url=there(port))
    client.create_secret(Name=NAME, SecretString=CANARY)
    client.port = port
    yield client
    client.close()
    server.stop()


def there(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def source(port: int, **fields: Any) -> FromAws:
    return FromAws(AwsSettings(region="eu-west-1", endpoint=there(port), **fields))


@pytest.mark.promise("secret")
def test_a_secret_is_found_under_its_name_and_that_of_another_is_not(aws: Any) -> None:
    assert source(aws.port).find(PAY) == Text(text=CANARY)
    for other in ({"tenant": "evil"}, {"workflow": "x"}, {"environment": "dev"}, {"name": "y"}):
        with pytest.raises(SecretUnknown) as error:
            source(aws.port).find(replace(PAY, **other))
    assert error.value.fix == "create it there: `interlock/acme/support/prod/y`"


def test_what_buys_access_tokens_is_kept_as_json(aws: Any) -> None:
    text = '{"token_url": "https://bank.example/token", "client_id": "shop", "client_secret": "long enough"}'
    aws.put_secret_value(SecretId=NAME, SecretString=text)
    assert isinstance(source(aws.port).find(PAY), OAuth)


def test_bytes_and_what_is_to_be_deleted_are_no_secrets(aws: Any) -> None:
    aws.create_secret(Name="interlock/acme/support/prod/raw", SecretBinary=b"\xff\x00 some bytes")
    with pytest.raises(SecretUnreachable, match="it is no text"):
        source(aws.port).find(replace(PAY, name="raw"))
    aws.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    with pytest.raises(SecretUnreachable) as error:
        source(aws.port).find(PAY)
    assert str(error.value) == snapshot(
        "the secret `pay` of support in prod cannot be fetched: AWS refuses (InvalidRequestException)"
    )


async def test_the_broker_asks_it_for_the_environment_that_keeps_its_secrets_there(aws: Any, tmp_path: Path) -> None:
    text = f"environments: {{ prod: aws }}\naws: {{ region: eu-west-1, endpoint: '{there(aws.port)}' }}\n"
    (tmp_path / "secrets.yaml").write_text(text, "utf-8")
    broker = broker_of(tmp_path, HandClock())
    assert (await broker.secret(PAY.tenant, PAY.workflow, PAY.environment, PAY.name)).reveal() == CANARY
    with pytest.raises(SecretUnknown, match="in the encrypted file"):
        await broker.secret(PAY.tenant, PAY.workflow, Environment("dev"), PAY.name)


KIND = "application/x-amz-json-1.1"


@pytest.mark.promise("secret")
@pytest.mark.parametrize(
    "says",
    [
        http("400 Bad Request", b'{"__type":"AccessDeniedException","Message":"' + CANARY.encode() + b'"}', KIND),
        http("400 Bad Request", b'{"__type":"' + CANARY.encode() + b'"}', KIND),
        http("500 Internal Server Error", CANARY.encode(), "text/plain"),
        http("200 OK", CANARY.encode(), KIND),
        http("200 OK", b'{"SecretString":7}', KIND),
        http("200 OK", b'{"SecretString":"tiny"}', KIND),
        http("200 OK", b"{}", KIND),
        http("302 Found", b"", "text/plain", f"Location: http://127.0.0.1:1/{CANARY}"),
    ],
    ids=str,
)
def test_what_is_no_answer_is_an_error_that_quotes_nothing(says: bytes) -> None:
    def answer(question: bytes) -> bytes | None:
        return says

    with answering(answer) as port, pytest.raises(SecretError) as error:
        source(port).find(PAY)
    assert "C4narY" not in f"{error.value} {error.value.fix}"
    assert error.value.__context__ is None or error.value.__suppress_context__
    assert error.value.fix


def test_one_that_is_not_there_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SecretUnreachable, match="EndpointConnectionError"):
        source(port).find(PAY)
