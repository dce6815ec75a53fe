"""The address plan: which address of the scopes is whose.

In the first IPv4 scope: .1 the router, .2 the resolver's questions, then for every eight relays
two addresses, .11 and .12, .13 and .14, ...: what other relays connect to, and what the exit
traffic of the first of the eight comes from. That of the other seven comes from .75 to .81, .82 to
.88, ... Where there is no more room in the scope, and a LAN of the site leaves none, it comes from
the address of the first.

In the first IPv6 scope, each kind in a /64 of its own: ::1 the router, :53::1 the resolver,
:443::N what others connect to and :80::N where the exit traffic of relay N comes from.

Tor counts at most eight relays on an IPv4 address. Exits have an address each because connections
from one address to one destination share its 65,535 ports. They are apart from others because they
end up on block lists, and the resolver's because authorities drop questions from exits, or from the
whole /64 around one. More relays move no address of those that are there. The site may override
each: `router`, `dns.addresses`, `relays.or_addresses`, `relays.exit_addresses`.

Where two boxes share the scopes, each has its own parts of them, and the plan begins with those
(`firstboot.site.parts`).

Of a provider's addresses there are few: `firstboot.site.provided_addresses` plans those.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from firstboot.core.values import Address, Interface, Network, within
from firstboot.site.model import MOST_RELAYS, Peer, PeerRole, Port, PortRole, Routes, Site
from firstboot.site.parts import first_part, parts
from firstboot.site.provided_addresses import RELAYS_AN_ADDRESS, Named, Shares, links, share

FIRST_RELAY_HOST = 11
FIRST_OTHER_HOST = FIRST_RELAY_HOST + 2 * (MOST_RELAYS // RELAYS_AN_ADDRESS)
"""Exit addresses of the others of each eight are from here on."""

RESOLVER_NET, LISTEN_NET, EXIT_NET = 0x53, 0x443, 0x80
"""Numbers of the /64s in the IPv6 scope."""

LOOPBACK = "lo1"
"""The interface with the own addresses that no port has."""

OR_PORTS = (443, 9001, 9002, 9003, 9004, 9005, 9006, 9007)
"""Of the relays that share an address, in their order."""


@dataclass(frozen=True)
class Pair:
    """An address of each family, where there is one."""

    v4: IPv4Address | None = None
    v6: IPv6Address | None = None

    def __iter__(self) -> Iterator[IPv4Address | IPv6Address]:
        return (address for address in (self.v4, self.v6) if address is not None)


@dataclass(frozen=True)
class Relay:
    """One relay: its number from 1 on, its name, where it listens and what it sends from."""

    number: int
    nickname: str
    listen: Pair
    port: int
    source: Pair
    notice: Pair
    """The exit addresses on whose port 80 it has the exit notice: one relay an address does."""


@dataclass(frozen=True)
class Session:
    """A BGP session: a peer's address, and the port and the address of ours that share the network
    of the first router on the way there, which is mostly the peer's itself."""

    peer: Peer
    remote: IPv4Address | IPv6Address
    port: Port
    local: IPv4Address | IPv6Address

    @property
    def first_hop(self) -> IPv4Address | IPv6Address:
        """The router on the link of the port that packets to the neighbour go to."""
        return self.peer.first_hop(self.remote)

    @property
    def multihop(self) -> bool:
        """Whether the neighbour is several hops away, so that it takes a route to reach it."""
        return self.first_hop != self.remote


@dataclass(frozen=True)
class Gateway:
    """A router, on the link of a port, that a static default route leads to."""

    port: Port
    address: IPv4Address | IPv6Address

    def __str__(self) -> str:
        """As route(8) takes it and netstat(1) prints it: with the interface if it is link-local."""
        link = f"%{self.port.interface}" if self.address.is_link_local else ""
        return f"{self.address}{link}"


@dataclass(frozen=True)
class Alias:
    """An own address in the network of a port, which answers for it there."""

    port: Port
    address: IPv4Address | IPv6Address


@dataclass(frozen=True)
class Plan:
    router: Pair
    resolver: Pair
    relays: tuple[Relay, ...]
    sessions: tuple[Session, ...]
    """With every address of a peer that is in the network of a port that leads to it, or that a
    router in one leads to."""

    gateways: tuple[Gateway, ...]
    """Of the static default routes in the first routing table; they are there while the outside
    ports are up."""

    aliases: tuple[Alias, ...]
    """Own addresses in the networks of outside ports: those of a provider that are on its link. A
    port's first address is none of them."""

    routed: tuple[Network, ...]
    """The scopes that others have a route to this box for: all but those on a provider's link."""

    homes: Mapping[Address, Port]
    """The outside ports that have own addresses. All others are on a loopback."""

    mine: tuple[Network, ...] = ()
    """The parts of the scopes that this box tells its twin of; nothing without a twin."""

    twins: tuple[Network, ...] = ()
    """The parts of the scopes that the twin has; what comes for them is passed on to it."""

    @property
    def ways_out(self) -> frozenset[str]:
        """All that default routes of the first routing table may lead to, static or of BGP."""
        by_bgp = (
            one
            for one in self.sessions
            if one.peer.routes is Routes.DEFAULT or one.peer.role is PeerRole.TWIN
        )
        return frozenset([*map(str, self.gateways), *(str(one.first_hop) for one in by_bgp)])

    @property
    def far(self) -> tuple[Session, ...]:
        """The sessions with neighbours several hops away. A static route to each neighbour, by its
        first hop, is there while the outside ports are up."""
        return tuple(one for one in self.sessions if one.multihop)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses of the box inside the scopes, each once, in order."""
        found = [*self.router, *self.resolver]
        for relay in self.relays:
            found += [*relay.listen, *relay.source]
        return tuple(dict.fromkeys(found))

    @property
    def own(self) -> tuple[Network, ...]:
        """What may leave the box as its source: routed scopes, and on a provider's link the box's
        addresses alone."""
        return (*self.routed, *map(ip_network, self.homes))

    def home(self, address: Address) -> str:
        """The interface that has an own address."""
        port = self.homes.get(address)
        return port.interface if port else LOOPBACK

    @property
    def on_loopback(self) -> tuple[Address, ...]:
        """Those that are nobody's port."""
        return tuple(one for one in self.addresses if one not in self.homes)

    @property
    def unshared_resolver(self) -> tuple[Address, ...]:
        """Addresses that the resolver alone has."""
        relays = {one for relay in self.relays for one in (*relay.listen, *relay.source)}
        return tuple(one for one in self.resolver if one not in {*self.router, *relays})


def allot(site: Site) -> Plan:
    """The plan of `site`. Every address is inside the scopes unless the site overrides it; a
    family without a scope has no addresses. Raises ValueError if a scope, or this box's part of it,
    is too small."""
    if site.provided:
        return _of_provider(site)
    first4, first6 = first_part(site, 4), first_part(site, 6)
    v4 = first4 if isinstance(first4, IPv4Network) else None
    v6 = first6 if isinstance(first6, IPv6Network) else None
    mine, twins = parts(site)
    sessions = tuple(
        Session(peer, remote, port, interface.ip)
        for peer in site.peers
        for remote in peer.addresses
        for port, interface in _beside(
            site, peer.first_hop(remote), twin=peer.role is PeerRole.TWIN
        )
    )
    return Plan(
        router=_override(site.router, Pair(_host4(v4, 1), _host6(v6, 0, 1))),
        resolver=_override(site.dns.addresses, Pair(_host4(v4, 2), _host6(v6, RESOLVER_NET, 1))),
        relays=tuple(_named(site, _relays(site, v4, v6))),
        sessions=sessions,
        gateways=tuple(
            Gateway(session.port, session.first_hop)
            for session in sessions
            if session.peer.routes is Routes.STATIC
        ),
        aliases=(),
        routed=site.scopes,
        homes={},
        mine=mine,
        twins=twins,
    )


def _of_provider(site: Site) -> Plan:
    found = (share(site, version, _names(site, version)) for version in (4, 6))
    shares = [one for one in found if one]
    relays = tuple(_named(site, _shared(site.relays.count, shares)))
    router = _override(site.router, _override((one.router for one in shares), Pair()))
    resolver = _override(site.dns.addresses, _override((one.resolver for one in shares), Pair()))
    addresses = [*router, *resolver]
    addresses += [one for relay in relays for one in (*relay.listen, *relay.source)]
    homes: dict[Address, Port] = {}
    for address in dict.fromkeys(addresses):
        for port, _ in _beside(site, address):
            homes[address] = port
    near = links(site)
    routed = tuple(
        scope for scope in site.scopes if not any(within(scope, network) for network in near)
    )
    return Plan(
        router=router,
        resolver=resolver,
        relays=relays,
        sessions=(),
        gateways=tuple(
            Gateway(port, one) for port in site.ports if port.role.outside for one in port.gateway
        ),
        aliases=tuple(
            Alias(port, address)
            for address, port in homes.items()
            if all(face.ip != address for face in port.addresses)
        ),
        routed=routed,
        homes=homes,
    )


def _names(site: Site, version: int) -> Named:
    def of(addresses: tuple[Address, ...]) -> list[Address]:
        return [one for one in addresses if one.version == version]

    relays = site.relays
    return Named(
        of(site.router),
        of(site.dns.addresses),
        of(relays.or_addresses),
        of(relays.exit_addresses),
    )


def _beside(site: Site, remote: Address, *, twin: bool = False) -> list[tuple[Port, Interface]]:
    """The first outside port, or port to the twin, and its address, in whose network `remote` is,
    if there is one."""
    found = (
        (port, interface)
        for port in site.ports
        if (port.role is PortRole.TWIN if twin else port.role.outside)
        for interface in port.addresses
        if remote in interface.network
    )
    return list(itertools.islice(found, 1))


Planned = tuple[Pair, Pair]
"""Where a relay listens, and what it sends from."""


def _named(site: Site, planned: Iterable[Planned]) -> Iterator[Relay]:
    """The relays of `site`, with the addresses that the plan or the site itself gives them."""
    relays = site.relays
    with_notice: set[Address] = set()
    for number, (listen, sends) in enumerate(planned, 1):
        source = _override(_chosen(relays.exit_addresses, number, relays.count), sends)
        yield Relay(
            number,
            relays.nickname.replace("{n}", str(number)),
            _override(_chosen(relays.or_addresses, number, relays.count), listen),
            OR_PORTS[(number - 1) % RELAYS_AN_ADDRESS],
            source,
            Pair(
                None if source.v4 in with_notice else source.v4,
                None if source.v6 in with_notice else source.v6,
            ),
        )
        with_notice |= {*source}


def _relays(site: Site, v4: IPv4Network | None, v6: IPv6Network | None) -> Iterator[Planned]:
    others = _others(site, v4)
    for number in range(1, site.relays.count + 1):
        group, place = divmod(number - 1, RELAYS_AN_ADDRESS)
        host = FIRST_RELAY_HOST + 2 * group
        its = next(others, host + 1) if place else host + 1
        yield (
            Pair(_host4(v4, host), _host6(v6, LISTEN_NET, number)),
            Pair(_host4(v4, its), _host6(v6, EXIT_NET, number)),
        )


def _shared(count: int, shares: Sequence[Shares]) -> Iterator[Planned]:
    for at in range(count):
        yield (
            _override((one.listen[at] for one in shares), Pair()),
            _override((one.source[at] for one in shares), Pair()),
        )


def _others(site: Site, scope: IPv4Network | None) -> Iterator[int]:
    """Numbers of exit addresses for others than the first of each eight, in order, without those
    that are in a LAN."""
    if scope is None:
        return
    lans = [
        interface.network
        for port in site.ports
        if port.role is PortRole.LAN
        for interface in port.addresses
    ]
    host = FIRST_OTHER_HOST
    while host < scope.num_addresses - 1:
        address = scope.network_address + host
        around = next((lan for lan in lans if address in lan), None)
        if around is None:
            yield host
            host += 1
        else:
            host = int(around.broadcast_address) - int(scope.network_address) + 1


def _chosen(addresses: Iterable[Address], number: int, count: int) -> tuple[Address, ...]:
    """The address of each family that the site names for relay `number`: there is one for each of
    the `count` relays, or else one for every eight."""
    found = list(addresses)
    families = ([a for a in found if a.version == version] for version in (4, 6))
    places = (
        (family, number - 1 if len(family) >= count else (number - 1) // RELAYS_AN_ADDRESS)
        for family in families
    )
    return tuple(family[at] for family, at in places if at < len(family))


def _override(addresses: Iterable[Address], planned: Pair) -> Pair:
    v4, v6 = planned.v4, planned.v6
    for address in addresses:
        if isinstance(address, IPv4Address):
            v4 = address
        else:
            v6 = address
    return Pair(v4, v6)


def _host4(scope: IPv4Network | None, host: int) -> IPv4Address | None:
    if scope is None:
        return None
    if host >= scope.num_addresses - 1:
        raise ValueError(f"{scope} has no address number {host}")
    return scope.network_address + host


def _host6(scope: IPv6Network | None, net: int, host: int) -> IPv6Address | None:
    """Address `host` of the /64 number `net`."""
    if scope is None:
        return None
    number = (net << 64) + host
    if number >= scope.num_addresses:
        raise ValueError(f"{scope} has no /64 number {net:x}")
    return scope.network_address + number
