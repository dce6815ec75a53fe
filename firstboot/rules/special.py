"""Address space that is not for everybody's use on the Internet, and why.

IANA's special-purpose address registries (RFC 6890 and what updated it), multicast (RFC 5771,
4291), and, for IPv6, everything outside 2000::/3, the only part that registries hand out.
The table is spelled out because `ipaddress` tells another story: for it multicast, 3fff::/20 and
4000::/3 are global, 100.64.0.0/10 is neither private nor global, and all of it differs by version.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from firstboot.values import Address, Network


@dataclass(frozen=True)
class Special:
    network: IPv4Network | IPv6Network
    purpose: str
    documentation: bool = False
    link: bool = False
    """Whether a port may have such an address, on a link that the whole Internet need not see."""

    def documents(self, network: Network) -> bool:
        """Whether all of `network` is for documentation."""
        ends = network.network_address, network.broadcast_address
        return self.documentation and all(end in self.network for end in ends)


def _special(
    network: str, purpose: str, documentation: bool = False, link: bool = False
) -> Special:
    return Special(ip_network(network), purpose, documentation, link)


SPECIAL = (
    _special("0.0.0.0/8", "this network (RFC 791)"),
    _special("10.0.0.0/8", "private use (RFC 1918)", link=True),
    _special("100.64.0.0/10", "addresses that carriers share (RFC 6598)", link=True),
    _special("127.0.0.0/8", "loopback (RFC 1122)"),
    _special("169.254.0.0/16", "link-local addresses (RFC 3927)"),
    _special("172.16.0.0/12", "private use (RFC 1918)", link=True),
    _special("192.0.0.0/24", "protocol assignments (RFC 6890)"),
    _special("192.0.2.0/24", "documentation (RFC 5737)", documentation=True),
    _special("192.31.196.0/24", "AS112 (RFC 7535)"),
    _special("192.52.193.0/24", "AMT (RFC 7450)"),
    _special("192.88.99.0/24", "6to4 relays, given up (RFC 7526)"),
    _special("192.168.0.0/16", "private use (RFC 1918)", link=True),
    _special("192.175.48.0/24", "AS112 (RFC 7534)"),
    _special("198.18.0.0/15", "benchmarks (RFC 2544)"),
    _special("198.51.100.0/24", "documentation (RFC 5737)", documentation=True),
    _special("203.0.113.0/24", "documentation (RFC 5737)", documentation=True),
    _special("224.0.0.0/4", "multicast (RFC 5771)"),
    _special("240.0.0.0/4", "the future, and broadcast (RFC 1112, RFC 919)"),
    _special("2001::/23", "protocol assignments (RFC 2928), Teredo and ORCHID among them"),
    _special("2001:db8::/32", "documentation (RFC 3849)", documentation=True),
    _special("2002::/16", "6to4 (RFC 3056)"),
    _special("2620:4f:8000::/48", "AS112 (RFC 7534)"),
    _special("3ffe::/16", "the 6bone, given up (RFC 3701)"),
    _special("3fff::/20", "documentation (RFC 9637)", documentation=True),
    _special("fc00::/7", "unique local addresses (RFC 4193)", link=True),
    _special("fe80::/10", "link-local addresses (RFC 4291)"),
    _special("ff00::/8", "multicast (RFC 4291)"),
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")


def purpose_of(network: Network) -> Special | None:
    """What `network`, or a part of it, is set aside for; None for what registries hand out."""
    for special in SPECIAL:
        if special.network.version == network.version and special.network.overlaps(network):
            return special
    if isinstance(network, IPv6Network) and not network.subnet_of(_GLOBAL_UNICAST):
        return Special(network, "nobody yet: registries hand out 2000::/3 alone (RFC 4291)")
    return None


def purpose_of_address(address: Address) -> Special | None:
    return purpose_of(ip_network(address))
