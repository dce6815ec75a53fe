"""Reverse zones: which zones of in-addr.arpa and ip6.arpa hold the names of a prefix.

Zones begin at whole octets of IPv4 (RFC 1035, section 3.5) and at hexadecimal digits of IPv6 (RFC
3596, section 2.5). A prefix that ends in between has several zones.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from firstboot.core.values import Network

OCTET, DIGIT = 8, 4


def zones(scopes: Iterable[Network]) -> list[IPv4Network | IPv6Network]:
    """The prefixes of the reverse zones of `scopes`, each once, in order."""
    found: dict[IPv4Network | IPv6Network, None] = {}
    for scope in scopes:
        step = OCTET if isinstance(scope, IPv4Network) else DIGIT
        length = -(-scope.prefixlen // step) * step
        found.update(dict.fromkeys(scope.subnets(new_prefix=length)))
    return list(found)


def zone_name(prefix: Network) -> str:
    """The name of the zone of `prefix`, without a dot at the end. Its length is that of a zone."""
    name = prefix.network_address.reverse_pointer
    step = OCTET if isinstance(prefix, IPv4Network) else DIGIT
    left_out = (prefix.max_prefixlen - prefix.prefixlen) // step
    return name.split(".", left_out)[left_out]
