"""Which address is whose: the port beside it, the scopes around it, hosts that cannot be."""

from ipaddress import ip_network

from firstboot.core.values import Address, Network
from firstboot.site.model import Port, Site


def no_host(address: Address, network: Network) -> str | None:
    """Why `address` cannot be a host's in `network`, or None if it can.

    Networks of two addresses have neither a network nor a broadcast address (RFC 3021, 6164).
    """
    if network.prefixlen >= network.max_prefixlen - 1:
        return None
    if address == network.network_address:
        kind = "network's own" if address.version == 4 else "subnet routers' anycast"
        return f"is the {kind} address"
    if address.version == 4 and address == network.broadcast_address:
        return "is the broadcast address"
    return None


def inside(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


class Neighbourhood:
    """The ports of a site, to be asked by addresses in their networks; outside ports first."""

    def __init__(self, site: Site) -> None:
        self.own = {own.ip for port in site.ports for own in port.addresses}
        self._ports: dict[Network, Port] = {}
        for port in sorted(site.ports, key=lambda port: not port.role.outside):
            for own in port.addresses:
                self._ports.setdefault(ip_network(own.network), port)
        lengths = {(network.version, network.prefixlen) for network in self._ports}
        self._lengths = sorted(lengths, reverse=True)

    def beside(self, address: Address) -> tuple[Port, Network] | None:
        """The port, and its network, that `address` is in; the smallest network of several."""
        for version, length in self._lengths:
            if version == address.version:
                network = ip_network((address, length), strict=False)
                if network in self._ports:
                    return self._ports[network], network
        return None
