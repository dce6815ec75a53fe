"""What no route and no packet from outside may have: addresses and ASNs that are nobody's.

From IANA's registries of special-purpose addresses (RFC 6890) and ASNs, as RFC 7454 sections 6.1
and 6.6 want them filtered. Documentation has its own lists, because a site with the waiver
`documentation` is made of such addresses and ASNs, and they must work there.
"""

from dataclasses import dataclass
from ipaddress import ip_network

from firstboot.site import Site
from firstboot.values import Network

PREFIXES = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local (RFC 3927)
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved (RFC 1112)
        "::/8",  # loopback, unspecified, mapped, translated
        "100::/64",  # discard (RFC 6666)
        "2001:2::/48",  # benchmarks (RFC 5180)
        "2001:10::/28",  # ORCHID, deprecated (RFC 4843)
        "2002::/16",  # 6to4, deprecated (RFC 7526)
        "3ffe::/16",  # 6bone, given back (RFC 3701)
        "5f00::/16",  # SRv6 segments (RFC 9602)
        "fc00::/7",  # unique local (RFC 4193)
        "fe80::/10",  # link-local (RFC 4291)
        "fec0::/10",  # site-local, deprecated (RFC 3879)
        "ff00::/8",  # multicast (RFC 4291)
    )
)
DOCUMENTATION_PREFIXES = tuple(
    ip_network(text)
    for text in (
        "192.0.2.0/24",  # RFC 5737
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",  # RFC 3849
        "3fff::/20",  # RFC 9637
    )
)

Range = tuple[int, int]

ASNS: tuple[Range, ...] = (
    (23456, 23456),  # AS_TRANS (RFC 6793)
    (64512, 65535),  # private (RFC 6996), the last one reserved (RFC 7300)
    (65552, 131071),  # reserved by IANA
    (4200000000, 4294967295),  # private (RFC 6996), the last one reserved (RFC 7300)
)
DOCUMENTATION_ASNS: tuple[Range, ...] = ((64496, 64511), (65536, 65551))  # RFC 5398


@dataclass(frozen=True)
class Bogons:
    prefixes: tuple[Network, ...]
    asns: tuple[Range, ...]
    """First and last of each range."""


def of(site: Site) -> Bogons:
    """What is nobody's as `site` sees it. A prefix that has some of the own scopes in it is left
    out, for what claims the own scopes is refused by other rules."""
    prefixes, asns = PREFIXES, ASNS
    if "documentation" not in site.waivers:
        prefixes, asns = prefixes + DOCUMENTATION_PREFIXES, asns + DOCUMENTATION_ASNS
    foreign = (prefix for prefix in prefixes if not any(map(prefix.overlaps, site.scopes)))
    return Bogons(tuple(foreign), tuple(sorted(asns)))
