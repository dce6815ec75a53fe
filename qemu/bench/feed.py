"""A table of routes as a neighbour announces it, for measurements."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address

from firstboot.core.refusal import Refusal
from firstboot.core.values import Network
from qemu.world.bird import Route
from qemu.world.routes import ORIGIN

V6_SHARE = 0.23
"""IPv6 routes per IPv4 route in the Internet's tables: 230,000 to 1,000,000."""

FIRST_V4, FIRST_V6 = int(ip_address("12.0.0.0")), int(ip_address("2d04::"))
"""Where the table's prefixes begin. Nothing else in the simulated Internet uses what follows, and
it has no bogons."""

MOST = 2_000_000
"""IPv4 routes that bgpd.conf's `max-prefix` allows a transit."""

FULL_TABLE = 1_000_000
"""IPv4 routes of a neighbour that has the whole table."""


def possible(count: int) -> int:
    """Return `count`. Raises Refusal if a transit may not announce that many IPv4 routes."""
    if not 100 <= count <= MOST:
        raise Refusal(
            "--routes",
            f"{count} is not between 100 and {MOST}",
            "Give a number of IPv4 routes in between; a whole table has a million",
        )
    return count


def sizes(count: int) -> dict[int, int]:
    """Return how many routes of each version of IP a table with `count` IPv4 routes has."""
    return {4: count, 6: int(count * V6_SHARE)}


def table(count: int) -> list[Route]:
    """Return `count` IPv4 routes and V6_SHARE as many of IPv6, each with a path of three ASNs."""
    return [
        Route(prefix, (ORIGIN + n % 300, ORIGIN + 300 + n % 700, _origin(n)))
        for n, prefix in enumerate(_prefixes(count))
    ]


def validated(count: int) -> Iterator[tuple[Network, int]]:
    """Yield prefix and origin of every second route of the table: what RPKI says of it. About half
    of the Internet's routes have a ROA (https://rpki-monitor.antd.nist.gov/)."""
    for n, prefix in enumerate(_prefixes(count)):
        if n % 2 == 0:
            yield prefix, _origin(n)


def _prefixes(count: int) -> Iterator[Network]:
    number = sizes(count)
    yield from (IPv4Network((FIRST_V4 + (n << 8), 24)) for n in range(number[4]))
    yield from (IPv6Network((FIRST_V6 + (n << 80), 48)) for n in range(number[6]))


def _origin(n: int) -> int:
    return ORIGIN + 1000 + n % 70000
