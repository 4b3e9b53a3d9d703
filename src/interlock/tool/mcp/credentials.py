"""The secrets that a server is given: fetched for its workflow as it is reached, and taken out of what it says."""

from collections.abc import Mapping

from interlock.core.errand import Performed
from interlock.core.errors import SecretError, SecretUnknown, UpstreamError, UpstreamFailed
from interlock.core.secret import Secret
from interlock.redact.scrub import scrubber
from interlock.tool.mcp.link import unsent
from interlock.tool.mcp.reach import Reach, Whose
from interlock.tool.with_secret import Broker, aside, said_without, unsent_for, without

Secrets = Mapping[str, Secret]


async def fetched(reach: Reach, broker: Broker | None, whose: Whose) -> Secrets:
    """Fetch the secrets that a server is given, as they are now.

    Raises:
        UpstreamFailed: one of them cannot be had; nothing was sent.
    """
    found: dict[str, Secret] = {}
    for name in reach.secrets:
        if broker is None:
            raise unsent(reach.server, f"needs the secret `{name}`, and nobody here hands out any")
        try:
            found[name] = await broker.secret(*whose, name)
        except SecretError as error:
            raise _unsent(reach, whose, name, error) from error
    return found


def _unsent(reach: Reach, whose: Whose, name: str, error: SecretError) -> UpstreamFailed:
    """Say that nothing was sent for want of a secret, and how a person may get one."""
    unsent = unsent_for(error)
    if not isinstance(error, SecretUnknown) or not reach.url or name != reach.secret:
        return unsent
    _, workflow, environment = whose
    how = f"`interlock secret login {name} --workflow {workflow} --env {environment} --url {reach.url}`"
    return UpstreamFailed(str(unsent), fix=f"{error.fix}; where it wants a login: {how}")


def revealed(reach: Reach, secrets: Secrets) -> dict[str, str]:
    """Return their texts, for the one moment in which they are sent to a server.

    Raises:
        UpstreamFailed: one of them was issued for another one.
    """
    return {name: secret.reveal(reach.url) for name, secret in secrets.items()}


async def answer_without(secrets: Secrets, answer: Performed) -> Performed:
    """Take the secrets of a server out of what it answered: beside the loop, if that takes long."""
    return await aside(answer.result, lambda: without_all(secrets, answer)) if secrets else answer


def without_all(secrets: Secrets, answer: Performed) -> Performed:
    """Take the secrets of a server out of what it answered."""
    for secret in secrets.values():
        answer = without(scrubber(secret.name, secret.hidden), answer)
    return answer


def error_without(secrets: Secrets, error: UpstreamError) -> UpstreamError:
    """Take the secrets of a server out of what was said of its failure."""
    for secret in secrets.values():
        error = said_without(scrubber(secret.name, secret.hidden), error)
    return error


def text_without(secrets: Secrets, text: str) -> str:
    """Take the secrets of a server out of a text that may be cut off."""
    for secret in secrets.values():
        text = scrubber(secret.name, secret.hidden).text(text, cut=True)
    return text
