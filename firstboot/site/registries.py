"""Addresses and AS numbers that registries set aside, and what for.

IANA's registries of special-purpose addresses (RFC 6890 and what updated it) and of special-purpose
AS numbers, multicast (RFC 5771, 4291), and what was given up since. The tables are spelled out
because `ipaddress` tells another story: for it multicast, 3fff::/20 and 4000::/3 are global,
100.64.0.0/10 is neither private nor global, and all of it differs by version.

Nobody's site can be numbered from any of it. Some of it is on the Internet all the same: AS112,
AMT and parts of 2001::/23 are services that many networks announce, and routes to them are as good
as others.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from firstboot.core.values import Network

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 that registries hand out (RFC 4291)."""


@dataclass(frozen=True)
class Special:
    """`purpose` completes "space for". `filtered`: whether no route and no packet may have it."""

    network: IPv4Network | IPv6Network
    purpose: str
    documentation: bool = False
    filtered: bool = True
    link: bool = False
    """Whether a port may have such an address, on a link that the whole Internet need not see."""

    def documents(self, network: Network) -> bool:
        """Whether all of `network` is for documentation."""
        ends = network.network_address, network.broadcast_address
        return self.documentation and all(end in self.network for end in ends)


@dataclass(frozen=True)
class SpecialNumbers:
    """AS numbers from `first` to `last`; `reason` completes "AS65535 ...". `filtered`: whether no
    path may have one."""

    first: int
    last: int
    reason: str
    documentation: bool = False
    filtered: bool = True

    def __contains__(self, asn: int) -> bool:
        return self.first <= asn <= self.last


def _special(network: str, purpose: str, **facts: bool) -> Special:
    return Special(ip_network(network), purpose, **facts)


ADDRESSES = (
    _special("0.0.0.0/8", "this network (RFC 791)"),
    _special("10.0.0.0/8", "private use (RFC 1918)", link=True),
    _special("100.64.0.0/10", "addresses that carriers share (RFC 6598)", link=True),
    _special("127.0.0.0/8", "loopback (RFC 1122)"),
    _special("169.254.0.0/16", "link-local addresses (RFC 3927)"),
    _special("172.16.0.0/12", "private use (RFC 1918)", link=True),
    _special("192.0.0.0/24", "protocol assignments (RFC 6890)"),
    _special("192.0.2.0/24", "documentation (RFC 5737)", documentation=True),
    _special("192.31.196.0/24", "AS112 (RFC 7535)", filtered=False),
    _special("192.52.193.0/24", "AMT (RFC 7450)", filtered=False),
    _special("192.88.99.0/24", "6to4 relays, given up (RFC 7526)"),
    _special("192.168.0.0/16", "private use (RFC 1918)", link=True),
    _special("192.175.48.0/24", "AS112 (RFC 7534)", filtered=False),
    _special("198.18.0.0/15", "benchmarks (RFC 2544)"),
    _special("198.51.100.0/24", "documentation (RFC 5737)", documentation=True),
    _special("203.0.113.0/24", "documentation (RFC 5737)", documentation=True),
    _special("224.0.0.0/4", "multicast (RFC 5771)"),
    _special("240.0.0.0/4", "the future, and broadcast (RFC 1112, RFC 919)"),
    _special("::/8", "loopback, and IPv4 in IPv6 (RFC 4291, RFC 6052)"),
    _special("100::/64", "what is to be discarded (RFC 6666)"),
    _special(
        "2001::/23", "protocol assignments (RFC 2928), Teredo and ORCHID among them", filtered=False
    ),
    _special("2001:2::/48", "benchmarks (RFC 5180)"),
    _special("2001:10::/28", "ORCHID, given up (RFC 4843)"),
    _special("2001:db8::/32", "documentation (RFC 3849)", documentation=True),
    _special("2002::/16", "6to4, given up (RFC 7526)"),
    _special("2620:4f:8000::/48", "AS112 (RFC 7534)", filtered=False),
    _special("3ffe::/16", "the 6bone, given up (RFC 3701)"),
    _special("3fff::/20", "documentation (RFC 9637)", documentation=True),
    _special("5f00::/16", "SRv6 segments (RFC 9602)"),
    _special("fc00::/7", "unique local addresses (RFC 4193)", link=True),
    _special("fe80::/10", "link-local addresses (RFC 4291)"),
    _special("fec0::/10", "site-local addresses, given up (RFC 3879)"),
    _special("ff00::/8", "multicast (RFC 4291)"),
)
"""By address. 192.0.0.9 and 192.0.0.10 are services too, but no route is that narrow."""

NUMBERS = (
    SpecialNumbers(0, 0, "is reserved (RFC 7607)", filtered=False),
    SpecialNumbers(
        112,
        112,
        "is the AS112 project's, for everybody's private reverse zones (RFC 7534)",
        filtered=False,
    ),
    SpecialNumbers(23456, 23456, "is AS_TRANS, a stand-in for numbers of 32 bits (RFC 6793)"),
    SpecialNumbers(64496, 64511, "is for documentation (RFC 5398)", documentation=True),
    SpecialNumbers(64512, 65534, "is for private use (RFC 6996)"),
    SpecialNumbers(65535, 65535, "is reserved (RFC 7300)"),
    SpecialNumbers(65536, 65551, "is for documentation (RFC 5398)", documentation=True),
    SpecialNumbers(65552, 131071, "is reserved by IANA"),
    SpecialNumbers(4200000000, 4294967294, "is for private use (RFC 6996)"),
    SpecialNumbers(4294967295, 4294967295, "is reserved (RFC 7300)"),
)
"""By number. No filter is needed for 0: bgpd takes no path with it (RFC 7607)."""


def is_private(asn: int) -> bool:
    """Whether an AS number is for private use (RFC 6996)."""
    return 64512 <= asn <= 65534 or 4200000000 <= asn <= 4294967294
