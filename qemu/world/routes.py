"""Routes for the simulated Internet: thousands of plausible ones, and those that must be
refused."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from firstboot.core.values import Network
from firstboot.site.model import PortRole, Site
from qemu.world.bird import Route

ORIGIN = 4100001000

VALIDATED = (ip_network("11.200.0.0/16"), ip_network("2d0f:200::/32"))
"""Networks that by RPKI only ORIGIN may announce, with this length. ORIGIN does not announce
them."""

BOGONS = (
    *("10.0.0.0/8", "10.1.2.0/24", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.168.7.0/24", "198.18.0.0/15", "240.0.0.0/8"),
    *("2001:10::/28", "2002::/16", "4000:1::/32", "fd00:1::/32"),
)


def thousands(v4: int = 3000, v6: int = 1000) -> list[Route]:
    """Return `v4` and `v6` routes from 11.0.0.0/8 and 2d00::/12, with a thousand origins."""
    prefixes: list[Network] = [
        *(IPv4Network((int(IPv4Address("11.0.0.0")) + (n << 8), 24)) for n in range(v4)),
        *(IPv6Network((int(IPv6Address("2d00::")) + (n << 80), 48)) for n in range(v6)),
    ]
    return [
        Route(prefix, (ORIGIN + n % 300, ORIGIN + 300 + n % 700))
        for n, prefix in enumerate(prefixes)
    ]


def unwanted(site: Site) -> dict[str, list[Route]]:
    """Return routes that `site` has to refuse from any neighbour, by what is wrong with them."""
    exchanges = (port for port in site.ports if port.role is PortRole.EXCHANGE)
    halves = (half for scope in site.scopes for half in scope.subnets())
    return {
        "hijacks of the own scopes": _routes([*site.scopes, *halves]),
        "default routes": _routes(map(ip_network, ("0.0.0.0/0", "::/0"))),
        "bogons": _routes(map(ip_network, BOGONS)),
        "networks of exchanges": _routes(i.network for port in exchanges for i in port.addresses),
        "prefixes that are too long": _routes(map(ip_network, ("12.3.0.0/25", "2d03::/49"))),
        "paths with an ASN that is nobody's": [
            Route.to("12.5.0.0/24", ORIGIN, 23456, ORIGIN),
            Route.to("2d05::/32", ORIGIN, 4200000000, ORIGIN),
        ],
        "origins that RPKI calls invalid": [
            *(Route(prefix, (ORIGIN + 7,)) for prefix in VALIDATED),
            *(Route(part, (ORIGIN,)) for prefix in VALIDATED for part in prefix.subnets()),
        ],
    }


def _routes(prefixes: Iterable[Network]) -> list[Route]:
    return [Route(prefix, (ORIGIN,)) for prefix in prefixes]
