"""Routes by the thousand, as anybody's table has them."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from firstboot.values import Network
from qemu.world.bird import Route

ORIGIN = 4100001000


def thousands(v4: int = 3000, v6: int = 1000) -> list[Route]:
    """So many of each family, of a thousand networks: from 11.0.0.0/8 and 2d00::/12."""
    prefixes: list[Network] = [
        *(IPv4Network((int(IPv4Address("11.0.0.0")) + (n << 8), 24)) for n in range(v4)),
        *(IPv6Network((int(IPv6Address("2d00::")) + (n << 80), 48)) for n in range(v6)),
    ]
    return [
        Route(prefix, (ORIGIN + n % 300, ORIGIN + 300 + n % 700))
        for n, prefix in enumerate(prefixes)
    ]
