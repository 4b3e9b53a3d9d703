"""Which addresses are outside. It is asked of the address that is really connected to, whatever a name stood for."""

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

PRIVATE_REFUSED = "this address is not outside"
"""What the error says that `only_public` raises."""

_CARRIES_IPV4 = IPv6Network("64:ff9b::/96")


def only_public(found: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """Make the socket for an address that a name stood for, if that is outside.

    Raises:
        OSError: it is of this machine or of a private network.
    """
    family, kind, protocol, _, address = found
    if not is_public(str(address[0])):
        raise OSError(errno.EACCES, PRIVATE_REFUSED)
    return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """Whether anybody in the world would reach the same host by it."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _inside(known)
    return known.is_global and not known.is_multicast and (inner is None or is_public(str(inner)))


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _CARRIES_IPV4:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
