"""Address space that is not for everybody's use on the Internet, and why.

What the registries set aside, and, for IPv6, everything outside of what they hand out at all.
"""

from ipaddress import IPv6Network, ip_network

from firstboot.core.values import Address, Network
from firstboot.site.registries import ADDRESSES, GLOBAL_UNICAST, Special


def purpose_of(network: Network) -> Special | None:
    """What `network`, or a part of it, is set aside for; None for what registries hand out."""
    for special in ADDRESSES:
        if special.network.version == network.version and special.network.overlaps(network):
            return special
    if isinstance(network, IPv6Network) and not network.subnet_of(GLOBAL_UNICAST):
        return Special(network, "nobody yet: registries hand out 2000::/3 alone (RFC 4291)")
    return None


def purpose_of_address(address: Address) -> Special | None:
    return purpose_of(ip_network(address))
