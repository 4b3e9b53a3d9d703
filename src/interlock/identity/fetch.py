"""One document from an issuer: from where an issuer may be, whole, and within bounds."""

from interlock.core.errors import UpstreamFailed, UsageWrong
from interlock.core.limits import ISSUER_BYTES_MAX, ISSUER_SECONDS_MAX
from interlock.post import Address, get


def may_be_asked(url: str, *, by: str = "") -> bool:
    """Whether a URL is one that an issuer may have: HTTPS, or plain HTTP on this machine.

    Args:
        url: where.
        by: the issuer that has named it, which leads nobody from outside to this machine.
    """
    try:
        address, issuer = Address.parse(url), Address.parse(by or url)
    except UsageWrong:
        return False
    return "#" not in url and (issuer.stays_here if address.stays_here else address.secure)


async def fetched(url: str) -> bytes:
    """Fetch a document.

    Raises:
        UpstreamSilent: it did not come in time.
        UpstreamFailed: it cannot be had.
    """
    if not may_be_asked(url):
        raise UpstreamFailed("the address of the issuer is not one that is asked", fix="use `https://`")
    kind = {"Accept": "application/json"}
    found = await get(Address.parse(url), headers=kind, seconds=ISSUER_SECONDS_MAX, bytes_max=ISSUER_BYTES_MAX)
    if found.status != 200:
        fix = "look whether the issuer runs and can be reached from here"
        raise UpstreamFailed(f"the issuer answers with {found.status}", fix=fix)
    return found.body
