"""Reverse zones: which zones of in-addr.arpa and ip6.arpa hold the names of a prefix.

Zones begin at whole octets of IPv4 (RFC 1035, section 3.5) and at hexadecimal digits of IPv6 (RFC
3596, section 2.5). A prefix that ends in between has several zones.

Some addresses of a provider may be less than a zone. Of a part of a /24 the provider delegates a
zone whose name has the first and the last address, and leads there from the names of the addresses
(RFC 2317). Single addresses, and IPv6 prefixes smaller than a /64, have no zone.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from firstboot.core.values import Address, Network

OCTET, DIGIT = 8, 4

SMALLEST = {4: 31, 6: 64}
"""Lengths of the smallest prefixes with a zone, by the version."""

WHOLE = 24
"""Length of the smallest IPv4 prefix with a zone that a registry delegates."""


def zones(scopes: Iterable[Network]) -> list[IPv4Network | IPv6Network]:
    """The prefixes of the reverse zones of `scopes`, each once, in order."""
    found: dict[IPv4Network | IPv6Network, None] = {}
    for scope in scopes:
        if scope.prefixlen > SMALLEST[scope.version]:
            continue
        if in_part(scope):
            found[scope] = None
            continue
        step = OCTET if isinstance(scope, IPv4Network) else DIGIT
        length = -(-scope.prefixlen // step) * step
        found.update(dict.fromkeys(scope.subnets(new_prefix=length)))
    return list(found)


def in_part(prefix: Network) -> bool:
    """Whether the zone of `prefix` is one of RFC 2317."""
    return isinstance(prefix, IPv4Network) and prefix.prefixlen > WHOLE


def zone_name(prefix: Network) -> str:
    """The name of the zone of `prefix`, without a dot at the end. Its length is that of a zone."""
    if in_part(prefix):
        first, last = (int(prefix[at]) & 0xFF for at in (0, -1))
        return f"{first}-{last}.{zone_name(prefix.supernet(new_prefix=WHOLE))}"
    name = prefix.network_address.reverse_pointer
    step = OCTET if isinstance(prefix, IPv4Network) else DIGIT
    left_out = (prefix.max_prefixlen - prefix.prefixlen) // step
    return name.split(".", left_out)[left_out]


def label(address: Address, prefix: Network) -> str:
    """The name of `address` inside of the zone of `prefix`."""
    if in_part(prefix):
        return str(int(address) & 0xFF)
    return address.reverse_pointer.removesuffix(f".{zone_name(prefix)}")
