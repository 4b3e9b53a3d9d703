"""Which addresses are outside. It is asked of the address that is really connected to, whatever a name stood for."""

import errno
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

PRIVATE_REFUSED = "this address is not outside"
"""What the error says that `only_public` raises."""

_CARRIES_IPV4 = IPv6Network("64:ff9b::/96")
_GIVEN_OUT = IPv6Network("2000::/3")
"""All of IPv6 that is routed in the world; what lies beside it is of this machine, this network or this site."""
_NOT_OUTSIDE = (
    IPv4Network("168.63.129.16/32"),  # what a cloud tells the machines that run in it
    IPv4Network("192.0.0.0/24"),  # the same in another cloud, and what protocols keep for themselves
    IPv4Network("192.88.99.0/24"),  # a relay that nobody is to use any more
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


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
    if inner is not None and not is_public(str(inner)):
        return False
    if any(known in network for network in _NOT_OUTSIDE if network.version == known.version):
        return False
    if isinstance(known, IPv6Address) and known not in _GIVEN_OUT:
        return inner is not None and (known in _CARRIES_IPV4 or known.ipv4_mapped is not None)
    return known.is_global and not known.is_multicast


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _CARRIES_IPV4 or int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
