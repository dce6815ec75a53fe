"""What the neighbours announce: thousands of ordinary routes, and every kind that must be refused.

The policy refuses documentation's prefixes and ASNs, so ordinary routes cannot have them: they are
from 11.0.0.0/8, 2d00::/12 and 4100000000 onwards, and never leave the namespaces.
"""

from ipaddress import ip_address, ip_network

from firstboot.site.model import PeerRole
from qemu.world.bird import Route
from qemu.world.routes import ORIGIN, thousands

ROLES: tuple[PeerRole, ...] = tuple(role for role in PeerRole if role is not PeerRole.TWIN)
"""Those of the site's neighbours."""

TIER_1 = 3356

ROAS = f"""\
roa-set {{
  11.200.0.0/16 maxlen 24 source-as {ORIGIN}
  2d0f:200::/32 maxlen 48 source-as {ORIGIN}
}}
"""
"""The output of rpki-client(8) for two prefixes with one origin."""


UPSTREAM = 4100000001
"""The site's own transit."""


def _over(prefix: str, next_hop: str, *path: int) -> Route:
    """A route whose next hop is not the router that announces it."""
    return Route(ip_network(prefix), path, next_hop=ip_address(next_hop))


ORDINARY: dict[PeerRole, list[Route]] = {
    PeerRole.TRANSIT: [
        *thousands(),
        Route.to("12.0.0.0/8", ORIGIN),
        Route.to("12.1.0.0/24", *(ORIGIN + n for n in range(62))),
        Route.to("12.2.0.0/24", ORIGIN, TIER_1),
        Route.to("11.200.0.0/24", ORIGIN),
        Route.to("2d0f:200::/48", ORIGIN),
    ],
    PeerRole.ROUTE_SERVER: [
        Route.to("13.0.0.0/24", ORIGIN + 1),
        Route.to("2d01::/32", ORIGIN + 1),
        _over("13.1.0.0/24", "203.0.113.66", ORIGIN + 1),
        _over("2d01:1::/32", "2001:db8:200::66", ORIGIN + 1),
    ],
    PeerRole.PEER: [Route.to("14.0.0.0/24"), Route.to("2d02::/32", ORIGIN + 2)],
}

FAULTY: dict[str, dict[PeerRole, list[Route]]] = {
    "hijacks of the own scopes": {
        role: [
            Route.to("198.51.100.0/24", ORIGIN),
            Route.to("198.51.100.128/25", ORIGIN),
            Route.to("2001:db8:ee::/48", ORIGIN),
            Route.to("2001:db8:ee:8000::/49", ORIGIN),
        ]
        for role in ROLES
    },
    "a default route": {
        role: [Route.to("0.0.0.0/0", ORIGIN), Route.to("::/0", ORIGIN)] for role in ROLES
    },
    "bogons": {
        PeerRole.TRANSIT: [
            Route.to(prefix, ORIGIN)
            for prefix in (
                *("10.0.0.0/8", "10.1.2.0/24", "100.64.0.0/10", "169.254.0.0/16"),
                *("172.16.0.0/12", "192.0.2.0/24", "192.168.7.0/24", "198.18.0.0/15"),
                *("240.0.0.0/8", "2001:10::/28", "2002::/16", "3fff::/20", "4000:1::/32"),
                "fd00:1::/32",
            )
        ],
    },
    "the exchange's own network": {
        role: [Route.to("203.0.113.0/24", ORIGIN), Route.to("2001:db8:200::/64", ORIGIN)]
        for role in ROLES
    },
    "prefixes that are too long": {
        PeerRole.TRANSIT: [Route.to("12.3.0.0/25", ORIGIN), Route.to("2d03::/49", ORIGIN)],
        PeerRole.PEER: [Route.to("12.3.0.1/32"), Route.to("2d03::1/128")],
    },
    "prefixes that are too short": {
        PeerRole.TRANSIT: [Route.to("16.0.0.0/7", ORIGIN), Route.to("2c00::/12", ORIGIN)],
    },
    "paths that are too long": {
        PeerRole.TRANSIT: [
            Route.to("12.4.0.0/24", *(ORIGIN + n for n in range(80))),
            Route.to("2d04::/32", *([ORIGIN] * 80)),
        ],
    },
    "ASNs that are nobody's": {
        PeerRole.TRANSIT: [
            Route.to(f"12.5.{n}.0/24", ORIGIN, asn, ORIGIN + 1)
            for n, asn in enumerate((23456, 64496, 64512, 65535, 65552, 4200000000))
        ],
        PeerRole.PEER: [Route.to("12.6.0.0/24", 65000)],
    },
    "a tier-1 behind a peer or a route server": {
        PeerRole.PEER: [Route.to("12.7.0.0/24", TIER_1), Route.to("2d07::/32", ORIGIN, TIER_1)],
        PeerRole.ROUTE_SERVER: [Route.to("12.8.0.0/24", ORIGIN, TIER_1, ORIGIN + 3)],
    },
    "the site's own transit behind a peer or a route server": {
        PeerRole.PEER: [
            Route.to("12.9.0.0/24", UPSTREAM),
            Route.to("2d09::/32", ORIGIN, UPSTREAM, ORIGIN + 1),
        ],
        PeerRole.ROUTE_SERVER: [Route.to("12.10.0.0/24", ORIGIN, UPSTREAM)],
    },
    "a next hop other than the neighbour": {
        PeerRole.TRANSIT: [
            _over("12.11.0.0/24", "203.0.113.20", ORIGIN),
            _over("2d0b::/32", "2001:db8:200::20", ORIGIN),
            _over("2d0b:1::/32", "2001:db8:100::9", ORIGIN),
        ],
        PeerRole.PEER: [
            _over("12.12.0.0/24", "203.0.113.1"),
            _over("12.12.1.0/24", "203.0.113.66"),
            _over("2d0c::/32", "2001:db8:200::66"),
        ],
    },
    "a route server's next hop that is not at the exchange": {
        PeerRole.ROUTE_SERVER: [
            _over("12.13.0.0/24", "192.0.2.1", ORIGIN),
            _over("12.13.1.0/24", "198.51.100.1", ORIGIN),
            _over("12.13.2.0/24", "198.51.100.129", ORIGIN),
            _over("2d0d::/32", "2001:db8:100::1", ORIGIN),
            _over("2d0d:1::/32", "2001:db8:ee:53::1", ORIGIN),
        ],
    },
    "what RPKI calls invalid": {
        PeerRole.TRANSIT: [
            Route.to("11.200.1.0/24", ORIGIN, ORIGIN + 7),
            Route.to("2d0f:200:1::/48", ORIGIN + 7),
        ],
        PeerRole.PEER: [Route.to("11.200.2.0/24", ORIGIN + 7)],
    },
}


def announced(role: PeerRole) -> list[Route]:
    """Return all routes that a neighbour of this role announces. Equal prefixes have different
    paths."""
    faulty = [route for kinds in FAULTY.values() for route in kinds.get(role, [])]
    return [*ORDINARY[role], *faulty]
