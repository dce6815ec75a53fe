"""Networks at the operator's exchanges that are no peers yet, by how much they shorten.

First come those with DNS root servers, then the named networks, then all others. Among these, those
that a route server of the site brings already come last, because a session of one's own shortens
nothing there. The rest is by the traffic that a network says it has, and by how many prefixes come
one network nearer. Nobody measured paths: these are the networks' own figures. Who says nothing
comes after those who say something, and is shown as unknown.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from firstboot.core.values import Address
from firstboot.site.model import PeerRole, PortRole, Site
from firstboot.site.peering.networks import ROOTS
from firstboot.site.published.peeringdb import Net, PeeringDb, Presence

UNITS = {"M": 1, "G": 1000, "T": 1_000_000}


@dataclass(frozen=True)
class Candidate:
    """A network that could be a peer. `served`: a route server of the site brings its routes
    already (None: unknown). `traffic` is the least in Mbit/s that it says."""

    asn: int
    name: str
    exchanges: tuple[str, ...]
    addresses: tuple[Address, ...]
    roots: str
    named: bool
    served: bool | None
    net: Net | None = field(default=None, compare=False)

    @property
    def traffic(self) -> int | None:
        return least_traffic(self.net.traffic if self.net else None)

    @property
    def prefixes(self) -> int | None:
        """Those of both families; 0 at PeeringDB is nobody's figure."""
        if self.net is None or not (self.net.prefixes4 or self.net.prefixes6):
            return None
        return (self.net.prefixes4 or 0) + (self.net.prefixes6 or 0)

    @property
    def order(self) -> tuple[object, ...]:
        kind = 0 if self.roots else 1 if self.named else 2
        traffic, prefixes = self.traffic, self.prefixes
        return (
            kind,
            self.served is True,
            traffic is None,
            -(traffic or 0),
            prefixes is None,
            -(prefixes or 0),
            self.asn,
        )


def suggest(site: Site, found: PeeringDb, named: Mapping[int, str]) -> list[Candidate]:
    """The candidates, the best first; none if no exchange of `found` is one of the site's."""
    here = exchanges_of(site, found)
    names = {one.number: one.name for one in found.exchanges}
    taken = {site.asn, *(peer.asn for peer in site.peers)}
    served = _with_route_server(site, found)
    ports: dict[int, list[Presence]] = defaultdict(list)
    for port in found.presences:
        if port.exchange in here and port.asn not in taken:
            ports[port.asn].append(port)
    nets = {net.asn: net for net in found.nets}
    candidates = [
        Candidate(
            asn,
            nets[asn].name if asn in nets else named.get(asn, f"AS{asn}"),
            tuple(dict.fromkeys(names.get(one.exchange, str(one.exchange)) for one in mine)),
            tuple(dict.fromkeys(address for one in mine for address in one.addresses)),
            ROOTS.get(asn, ""),
            asn in named,
            _served(mine, served),
            nets.get(asn),
        )
        for asn, mine in ports.items()
    ]
    return sorted(candidates, key=lambda one: one.order)


def exchanges_of(site: Site, found: PeeringDb) -> set[int]:
    """The numbers of the exchanges that the site has a port at: somebody has an address there that
    is in the port's network."""
    networks = [
        address.network
        for port in site.ports
        if port.role is PortRole.EXCHANGE
        for address in port.addresses
        if not address.is_link_local
    ]
    return {
        port.exchange
        for port in found.presences
        if any(
            address.version == network.version and address in network
            for address in port.addresses
            for network in networks
        )
    }


def _with_route_server(site: Site, found: PeeringDb) -> set[int]:
    """The exchanges at which the site has a session with a route server."""
    networks = [
        address.network
        for port in site.ports
        for address in port.addresses
        if any(
            peer.role is PeerRole.ROUTE_SERVER
            and any(one.version == address.version and one in address.network for one in remote)
            for peer in site.peers
            if (remote := peer.addresses)
        )
    ]
    return {
        port.exchange
        for port in found.presences
        if any(
            one.version == network.version and one in network
            for one in port.addresses
            for network in networks
        )
    }


def _served(ports: list[Presence], served: set[int]) -> bool | None:
    said = [port.route_server if port.exchange in served else False for port in ports]
    if any(said):
        return True
    return None if None in said else False


def least_traffic(text: str | None) -> int | None:
    """The lower end of PeeringDB's ``info_traffic`` in Mbit/s: 1000000 for ``1-5Tbps``."""
    found = re.match(r"([0-9]{1,5})(?:-[0-9]{1,5})?\+?\s*([MGT])bps", text or "")
    return int(found[1]) * UNITS[found[2]] if found else None
