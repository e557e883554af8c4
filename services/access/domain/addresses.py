"""Where a webhook may be sent to: public addresses only, whatever a buyer, or a name server, says; no I/O."""

import ipaddress
from typing import Final

from yarl import URL

from contracts.errors import Malformed

_LONGEST: Final = 2_000
_HTTPS: Final = 443
_PORTS: Final = range(1024, 65_536)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_REFUSED: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        "64:ff9b::/96",  # NAT64: leads to IPv4 addresses of any kind, private ones included
        "64:ff9b:1::/48",
        "2002::/16",  # 6to4, likewise
        "2001::/32",  # Teredo, likewise
        "::/96",  # IPv4-compatible
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # public by number only: a hypervisor's own services
        "192.0.0.0/24",  # for protocols between neighbours; here too a hypervisor has its services (192.0.0.192)
        "fec0::/10",  # site-local, once the private addresses of IPv6
        "3fff::/20",  # for documentation
    )
)


class AddressNotAllowed(Malformed):
    """A webhook is never sent to such an address."""

    code = "webhook_address"


def checked_url(text: str, *, allows_loopback: bool) -> str:
    """The canonical spelling of an address for webhooks; raises ``AddressNotAllowed``.

    It is ``https`` on port 443 or above 1023, where no service of an operating system listens, with neither user nor
    fragment. ``allows_loopback`` lets ``http`` to this computer pass as well.
    """
    try:
        url = URL(text)
        host, port = url.host or "", url.port
    except ValueError:
        raise AddressNotAllowed("That is no address.") from None
    if len(text) > _LONGEST or not host or url.user is not None or url.password is not None or url.fragment:
        raise AddressNotAllowed("An address is at most 2000 characters long and has neither user nor fragment.")
    if allows_loopback and host in _LOOPBACK and url.scheme in {"http", "https"}:
        return str(url)
    if url.scheme != "https" or not (port == _HTTPS or port in _PORTS):
        raise AddressNotAllowed("An address begins with https:// and its port is 443 or above 1023.")
    if is_number(host) and not is_allowed(host):
        raise AddressNotAllowed("That is no public address.")
    return str(url)


def is_allowed(address: str, *, allows_loopback: bool = False) -> bool:
    """Whether something may be sent to this IP address; ``False`` for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if allows_loopback and found.is_loopback:
        return True
    is_special = found.is_multicast or found.is_reserved or found.is_unspecified
    is_translated = any(found in network for network in _REFUSED if network.version == found.version)
    return found.is_global and not is_special and not is_translated


def is_number(host: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
