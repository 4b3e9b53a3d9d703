"""What is kept under the name of a secret, and whose it is, wherever it is kept."""

from typing import Any, Literal, Protocol, cast

import msgspec

from interlock.core.errors import LoginNeeded, SecretUnknown, SecretUnreachable, UsageWrong
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.limits import SECRET_BYTES_MAX, SECRET_CHARS_MIN
from interlock.core.secret import is_within


class SecretId(msgspec.Struct, frozen=True, kw_only=True):
    """The whole name of a secret. There is no way to ask for one without saying whose it is."""

    tenant: TenantId
    workflow: WorkflowId
    environment: Environment
    name: str

    @property
    def place(self) -> str:
        return f"{self.workflow} in {self.environment}"

    def unknown(self, where: str, fix: str = "") -> SecretUnknown:
        """Say that there is none of this name."""
        how = f"set it: `interlock secret set {self.name} --workflow {self.workflow} --env {self.environment}`"
        return SecretUnknown(f"{self.place} has no secret `{self.name}` in {where}", fix=fix or how)

    def ended(self, why: str) -> LoginNeeded:
        """Say that a person has to log in for it again."""
        how = f"`interlock secret login {self.name} --workflow {self.workflow} --env {self.environment}`"
        return LoginNeeded(f"the secret `{self.name}` of {self.place} {why}", fix=f"log in again: {how}")

    def unreachable(self, why: str, fix: str) -> SecretUnreachable:
        """Say that it cannot be had now."""
        return SecretUnreachable(f"the secret `{self.name}` of {self.place} {why}", fix=fix)


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """A secret that is sent as it is kept."""

    text: str

    def __repr__(self) -> str:
        return "<a text>"


class OAuth(msgspec.Struct, frozen=True, kw_only=True, tag="oauth"):
    """What access tokens are fetched with (RFC 6749): a client's credentials, or a token to refresh them."""

    token_url: str
    client_id: str
    client_secret: str = ""
    refresh_token: str = ""
    scope: str = ""
    audience: str = ""
    client_auth: Literal["basic", "body"] = "basic"
    """Where the client's secret goes: into a header, or beside the other fields."""
    resource: str = ""
    """The address that tokens are for (RFC 8707). They are sent there and nowhere else."""
    issuer: str = ""
    """Who issues them, if somebody has logged in there."""
    url: str = ""
    """The address of the server at which somebody has logged in."""
    access_token: str = ""
    """The token itself, where there is nothing to renew it with."""
    access_until: int = 0
    """When that one ends, in microseconds since 1970; 0 is that nobody says."""

    def __repr__(self) -> str:
        return "<what access tokens are fetched with>"


BY_LOGIN = frozenset({"issuer", "url", "access_token", "access_until"})
"""What of it nobody writes: a login does."""

Value = Text | OAuth


class Source(Protocol):
    """Where secrets are kept. It may block."""

    name: str
    """As people know it."""

    def find(self, id: SecretId) -> Value:
        """Return what is kept now.

        Raises:
            SecretUnknown: nothing is.
            SecretUnreachable: it cannot be read.
        """
        ...


def text_of(text: str) -> Text:
    """Take a text as a secret, if it can be one.

    Raises:
        UsageWrong: it is too short to be kept out of what comes back, or too long, or no text.
    """
    if len(text) < SECRET_CHARS_MIN:
        raise UsageWrong(_SHORT, fix="have a longer one issued")
    if len(text.encode(errors="replace")) > SECRET_BYTES_MAX or "\0" in text:
        raise UsageWrong(f"a secret is a text of at most {SECRET_BYTES_MAX:,} bytes", fix="set the text itself")
    return Text(text=text)


def oauth_of(text: str | bytes) -> OAuth:
    """Read what access tokens are fetched with, as JSON.

    Raises:
        UsageWrong: a member is missing, unknown, or of another type. What it says is not repeated.
    """
    fix = (
        'write `{"token_url": "https://...", "client_id": "...", "client_secret": "..."}`; '
        "`refresh_token`, `scope`, `audience`, `resource` and `client_auth` may stand there too"
    )
    wrong = UsageWrong("this is not what access tokens are fetched with", fix=fix)
    try:
        read: object = msgspec.json.decode(text)
        members = cast("dict[str, Any]", read if isinstance(read, dict) else {})
        if not members.keys() <= set(OAuth.__struct_fields__) - BY_LOGIN:
            raise wrong
        value = msgspec.convert({**members, "type": "oauth"}, type=OAuth)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise wrong from None
    if not value.client_id or not hidden_of(value):
        raise wrong
    if any(len(each) < SECRET_CHARS_MIN for each in hidden_of(value)):
        raise UsageWrong(_SHORT, fix="have a longer one issued")
    if value.resource and not is_within(value.resource, value.resource):
        raise UsageWrong("`resource` is no address that a token can be for", fix="write `https://HOST/PATH`")
    return value


def hidden_of(value: Value) -> tuple[str, ...]:
    """Return all of a value that must not be shown."""
    match value:
        case Text():
            return (value.text,)
        case OAuth():
            return tuple(each for each in (value.client_secret, value.refresh_token, value.access_token) if each)


_SHORT = f"a secret has at least {SECRET_CHARS_MIN} characters: a shorter one cannot be told from other text"
