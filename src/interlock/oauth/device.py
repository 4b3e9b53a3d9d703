"""A login with no browser on this machine (RFC 8628): a person types a code elsewhere, and this side asks until then.

Nothing comes back to this machine but the answer to its own question, so there is no redirect that could be misled.
"""

import asyncio

import msgspec

from interlock.core.errors import UpstreamFailed, UpstreamSilent, UsageWrong
from interlock.core.limits import LOGIN_SECONDS_MAX
from interlock.core.value import replace
from interlock.oauth.authority import Authority, allowed
from interlock.oauth.code import DEVICE
from interlock.oauth.endpoint import Buyer, Endpoint, Granted, answered, asked, code_in, granted

_INTERVAL_SECONDS = (0.1, 60.0)
_SLOWER_SECONDS = 5.0
_CODE_CHARS_MAX = 64
_WITH_BROWSER = "log in with a browser: leave `--device` out"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a person types where."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    """The same place, where the code is typed already."""
    expires_in: float = LOGIN_SECONDS_MAX
    interval: float = 5.0

    def __repr__(self) -> str:
        return f"<a login at {self.verification_uri}>"


async def begun(
    buyer: Buyer, authority: Authority, endpoint: Endpoint, scope: str, *, here: bool, audience: str = ""
) -> Begun:
    """Begin a login.

    Args:
        buyer: who wants it.
        authority: where.
        endpoint: where the tokens will come from, and as which client.
        scope: what is asked for.
        here: whether a person may be sent to this machine.
        audience: whom tokens are for, where the provider wants that in a parameter of its own.

    Raises:
        UpstreamFailed: nobody can log in like that there.
        InterlockError: it is refused, or not answered; the buyer says so.
    """
    place = authority.device_authorization_endpoint
    if not place:
        raise UpstreamFailed(f"`{authority.issuer}` knows no login by a code", fix=_WITH_BROWSER)
    asks = {name: text for name, text in (("scope", scope), ("audience", audience)) if text}
    answer = await asked(buyer, replace(endpoint, url=place), asks)
    try:
        found = msgspec.json.decode(answer.body, type=Begun) if answer.status == 200 else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        found = None
    if found is None or not _is_shown(found.user_code):
        code = code_in(answer) if answer.status != 200 else ""
        raise buyer.failed(f"there is no code for a login{f' (`{code}`)' if code else ''}", _WITH_BROWSER)
    allowed(found.verification_uri, here=here)
    if found.verification_uri_complete:
        allowed(found.verification_uri_complete, here=here)
    return found


async def issued(buyer: Buyer, endpoint: Endpoint, login: Begun) -> Granted:
    """Ask until the person has logged in, and return what is granted.

    Raises:
        UpstreamSilent: they did not in time.
        InterlockError: they said no, or nothing that can be used was issued; the buyer says so.
    """
    pause, grant = login.interval, {"grant_type": DEVICE, "device_code": login.device_code}
    try:
        async with asyncio.timeout(min(max(login.expires_in, 0.0), LOGIN_SECONDS_MAX)):
            while True:
                await asyncio.sleep(min(max(pause, _INTERVAL_SECONDS[0]), _INTERVAL_SECONDS[1]))
                try:
                    answer = await answered(endpoint, grant)
                except UpstreamSilent:
                    pause *= 2  # a connection that was lost ends no login of a person who is typing
                    continue
                except (UpstreamFailed, UsageWrong) as error:
                    raise buyer.failed(str(error), error.fix) from None
                code = code_in(answer) if answer.status != 200 else ""
                if code not in ("authorization_pending", "slow_down"):
                    return granted(buyer, answer)
                pause += _SLOWER_SECONDS if code == "slow_down" else 0.0
    except TimeoutError as error:
        raise UpstreamSilent("nobody has typed the code in time", fix="begin anew") from error


def _is_shown(code: str) -> bool:
    return 0 < len(code) <= _CODE_CHARS_MAX and code.isascii() and code.isprintable()
