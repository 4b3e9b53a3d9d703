"""Secrets in AWS Secrets Manager. Who this process is there, the machine says: by profile, role or variables."""

import logging
from importlib import import_module
from threading import Lock
from typing import Any

from interlock.core.errors import UsageWrong
from interlock.core.limits import SECRET_SECONDS_MAX
from interlock.secret.environment import value_of
from interlock.secret.kept import SecretId, Value
from interlock.secret.settings import AwsSettings
from interlock.secret.template import check_template, path_of

_FIX = "look at the region, the role of this process, and whether AWS can be reached from here"
_CODES = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "ExpiredTokenException",
        "InternalServiceError",
        "InvalidParameterException",
        "InvalidRequestException",
        "ThrottlingException",
        "UnrecognizedClientException",
    }
)


def _keep_to_itself(log: logging.Logger) -> None:
    """Let a library write no more into logs than that something went wrong: below that it writes whole answers."""
    log.setLevel(max(log.level, logging.INFO))


class FromAws:
    """Finds a secret under its name."""

    name = "AWS Secrets Manager"

    def __init__(self, settings: AwsSettings) -> None:
        """Prepare to ask.

        Raises:
            UsageWrong: the settings cannot be meant, or the extra is not installed.
        """
        check_template(settings.path)
        try:
            self._boto3: Any = import_module("boto3")
            self._config: Any = import_module("botocore.config")
            self._wrong: Any = import_module("botocore.exceptions")
        except ImportError as error:
            fix = "install it with its extra: `pip install 'interlock[aws]'`"
            raise UsageWrong("this installation cannot speak to AWS", fix=fix) from error
        _keep_to_itself(logging.getLogger("botocore"))
        self._settings = settings
        self._client: Any = None
        self._turn = Lock()

    def find(self, id: SecretId) -> Value:
        """Return what is kept now.

        Raises:
            SecretUnknown: nothing is.
            SecretUnreachable: AWS does not answer, refuses, or answers with what is no secret.
        """
        path = path_of(self._settings.path, id, self.name)
        try:
            read: object = self._opened().get_secret_value(SecretId=path).get("SecretString")
        except self._wrong.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "ResourceNotFoundException":
                raise id.unknown(self.name, f"create it there: `{path}`") from None
            known = f" ({code})" if code in _CODES else ""
            raise id.unreachable(f"cannot be fetched: AWS refuses{known}", _FIX) from None
        except Exception as error:  # noqa: BLE001  botocore lets what it stands on through; none of its words are told
            why = f"cannot be fetched: AWS does not answer as it should ({type(error).__name__})"
            raise id.unreachable(why, _FIX) from None
        if not isinstance(read, str):
            raise id.unreachable("cannot be used: it is no text", f"keep it as text: `{path}`")
        return value_of(id, read, f"what AWS keeps under `{path}`")

    def _opened(self) -> Any:  # noqa: ANN401  boto3 makes its clients as it runs
        with self._turn:
            if self._client is None:
                settings = self._settings
                session = self._boto3.session.Session(profile_name=settings.profile or None)
                half = SECRET_SECONDS_MAX / 2
                config = self._config.Config(
                    connect_timeout=half, read_timeout=half, retries={"total_max_attempts": 2, "mode": "standard"}
                )
                self._client = session.client(
                    "secretsmanager",
                    region_name=settings.region or None,
                    endpoint_url=settings.endpoint or None,
                    config=config,
                )
            return self._client
