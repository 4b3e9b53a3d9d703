"""A login with no browser on this machine (RFC 8628): a person types a code elsewhere, and this side asks until then.

Nothing comes back to this machine but the answer to its own question, so there is no redirect that could be misled.
"""

import asyncio

import msgspec

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import Instant
from interlock.core.limits import LOGIN_SECONDS_MAX
from interlock.core.value import replace
from interlock.secret.authority import Found, allowed
from interlock.secret.kept import OAuth, SecretId
from interlock.secret.login import DEVICE, Client, kept_of, value_for
from interlock.secret.oauth import address_of, asked, code_in, granted

_INTERVAL_SECONDS = (0.1, 60.0)
_SLOWER_SECONDS = 5.0
_CODE_CHARS_MAX = 64


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a person types where."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float = LOGIN_SECONDS_MAX
    interval: float = 5.0

    def __repr__(self) -> str:
        return f"<a login at {self.verification_uri}>"


async def begun(id: SecretId, at: Found, client: Client, scope: str = "") -> Begun:
    """Begin a login.

    Raises:
        UpstreamFailed: nobody can log in like that there.
        SecretUnreachable: it is refused, or not answered.
    """
    endpoint = at.authority.device_authorization_endpoint
    if not endpoint:
        what = f"`{at.authority.issuer}` knows no login by a code"
        raise UpstreamFailed(what, fix="log in with a browser: leave `--device` out")
    wanted = scope or at.scope
    value = replace(value_for(at, client), token_url=endpoint)
    answer = await asked(id, value, {"scope": wanted} if wanted else {})
    try:
        found = msgspec.json.decode(answer.body, type=Begun) if answer.status == 200 else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        found = None
    if found is None or not _is_shown(found.user_code):
        raise id.unreachable("gets no code for a login", "log in with a browser: leave `--device` out")
    allowed(found.verification_uri, here=address_of(at.url).stays_here)
    return found


async def issued(id: SecretId, at: Found, client: Client, login: Begun, now: Instant) -> OAuth:
    """Ask until the person has logged in, and return what is kept.

    Raises:
        UpstreamSilent: they did not in time.
        SecretUnreachable: they said no, or nothing that can be used was issued.
    """
    value, pause = value_for(at, client), login.interval
    try:
        async with asyncio.timeout(min(max(login.expires_in, 0.0), LOGIN_SECONDS_MAX)):
            while True:
                await asyncio.sleep(min(max(pause, _INTERVAL_SECONDS[0]), _INTERVAL_SECONDS[1]))
                answer = await asked(id, value, {"grant_type": DEVICE, "device_code": login.device_code})
                code = code_in(answer) if answer.status != 200 else ""
                if code not in ("authorization_pending", "slow_down"):
                    return kept_of(id, value, granted(id, value, answer), now)
                pause += _SLOWER_SECONDS if code == "slow_down" else 0.0
    except TimeoutError as error:
        raise UpstreamSilent("nobody has typed the code in time", fix="begin anew") from error


def _is_shown(code: str) -> bool:
    return 0 < len(code) <= _CODE_CHARS_MAX and code.isascii() and code.isprintable()
