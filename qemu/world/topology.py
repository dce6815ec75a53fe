"""Which parties the simulated Internet around a site has, and how they are connected. Pure data.

                      backbone ---- distant hosts
                     /    |    \\
            transit A  transit B  peer, member     behind each: more hosts
                 |        |          |
                 +--- the appliance -+ (the exchange, with its route servers)

Every peer of the site is a router with the ASN and the addresses that the site file gives it. One
that is several hops away has these on its loopback, and that of its gateway on the link. All
peers but route servers are customers of one backbone, so networks behind an exchange can be reached
without the exchange too. Each exchange has a member, who has sessions with its route servers alone,
and a stranger, who has no session. Hosts are networks of their own, each behind one router.

Two boxes of one operator share a world: whoever is beside each of them is a party of its own, whose
name begins with that of the box. Backbone and hosts are there once. The twin of a box is no party.

A site with a provider's addresses has no peer. Beside each of its outside ports is the provider's
router, a customer of the backbone as well, to whom the scopes are routed.

Besides the root servers' addresses, the simulated Internet uses 11.0.0.0/8, 2d0f::/16 and ASNs from
4100000000 on. A site's policy does not treat them as reserved.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

from firstboot.core.refusal import Refusal
from firstboot.core.values import Address, Interface, Network
from firstboot.site.address_plan import Session, allot
from firstboot.site.model import Peer, PeerRole, Port, PortRole, Site

BACKBONE = "backbone"
BACKBONE_ASN, MEMBER_ASN = 4100000000, 4100000001
PROVIDER_ASN, HOST_ASN = 4100000070, 4100000200

CABLES = "cables"
"""The party with the ends of the site's cables."""

ROOT_SERVERS = {
    "a": ("198.41.0.4", "2001:503:ba3e::2:30"),
    "b": ("170.247.170.2", "2801:1b8:10::b"),
    "c": ("192.33.4.12", "2001:500:2::c"),
    "d": ("199.7.91.13", "2001:500:2d::d"),
    "e": ("192.203.230.10", "2001:500:a8::e"),
    "f": ("192.5.5.241", "2001:500:2f::f"),
    "g": ("192.112.36.4", "2001:500:12::d0d"),
    "h": ("198.97.190.53", "2001:500:1::53"),
    "i": ("192.36.148.17", "2001:7fe::53"),
    "j": ("192.58.128.30", "2001:503:c27::2:30"),
    "k": ("193.0.14.129", "2001:7fd::1"),
    "l": ("199.7.83.42", "2001:500:9f::42"),
    "m": ("202.12.27.33", "2001:dc3::35"),
}
"""The letters of root-servers.net, as IANA lists them
(https://www.iana.org/domains/root/servers)."""

OLD_ROOT_SERVERS = ("199.9.14.201", "2001:500:200::b")
"""Addresses of b until 2023, which resolvers of that time still ask first."""

MEMBER_ROUTES = 20
"""Routes of each family that the member of an exchange announces at most."""


@dataclass(frozen=True)
class Host:
    """A party with a network of its own, behind the router called `home`."""

    name: str
    asn: int
    home: str
    prefixes: tuple[Network, ...]
    addresses: tuple[Address, ...]

    def v4(self, at: int = 0) -> IPv4Address:
        return [one for one in self.addresses if isinstance(one, IPv4Address)][at]

    def v6(self, at: int = 0) -> IPv6Address:
        return [one for one in self.addresses if isinstance(one, IPv6Address)][at]


@dataclass(frozen=True)
class Link:
    """A wire between a router (`above`) and a customer (`below`). `number` selects its networks."""

    number: int
    above: str
    below: str

    @property
    def above_ends(self) -> tuple[Interface, ...]:
        return tuple(ip_interface(f"{net[1]}/{net.prefixlen}") for net in self._networks)

    @property
    def below_ends(self) -> tuple[Interface, ...]:
        return tuple(ip_interface(f"{net[2]}/{net.prefixlen}") for net in self._networks)

    @property
    def device(self) -> str:
        return f"link{self.number}"

    @property
    def _networks(self) -> tuple[Network, Network]:
        n = self.number
        return ip_network(f"11.255.{n}.0/30"), ip_network(f"2d0f:ffff:{n:x}::/64")


@dataclass(frozen=True)
class Exchange:
    """The network of an exchange, and who is there besides the site's peers."""

    port: Port
    route_servers: tuple[Session, ...]
    asn: int
    """The member's ASN."""

    member_ends: tuple[Interface, ...]
    """The member's addresses. Without a route server there is no member, and the tuple is empty."""

    stranger_ends: tuple[Interface, ...]

    @property
    def member(self) -> str:
        return f"member-{self.port.name}"

    @property
    def stranger(self) -> str:
        return f"stranger-{self.port.name}"


@dataclass(frozen=True)
class Routed:
    """A network that a provider routes to the site, by the address of the site's port."""

    prefix: Network
    via: Address


@dataclass(frozen=True)
class Provider:
    """The router at the other end of a port whose addresses are a provider's."""

    port: Port
    asn: int
    ends: tuple[Interface, ...]
    """Its addresses on the link: the site's gateways, and one of each other network there."""

    routed: tuple[Routed, ...]

    @property
    def name(self) -> str:
        return f"provider-{self.port.name}"

    @property
    def links(self) -> tuple[Network, ...]:
        """The networks of the link, which it announces to the backbone along with `routed`."""
        return tuple(dict.fromkeys(face.network for face in self.port.addresses))


@dataclass(frozen=True)
class Topology:
    site: Site
    sessions: tuple[Session, ...]
    hosts: tuple[Host, ...]
    links: tuple[Link, ...]
    exchanges: tuple[Exchange, ...]
    providers: tuple[Provider, ...] = ()
    name: str = ""
    """What the box is called, if there are several."""

    def party(self, name: str) -> str:
        """What somebody beside the box is called in the whole world."""
        return f"{self.name}-{name}" if self.name else name

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The site's peers that have an address on the network of one of its ports."""
        return _peers(self.sessions)

    @property
    def routes(self) -> tuple[int, int]:
        """How many IPv4 and IPv6 routes a transit announces at least: those of all hosts, of a
        member of each exchange, and of everybody's scopes."""
        others = len(self.site.scopes) + MEMBER_ROUTES * len(self.exchanges)
        four, six = (
            sum(prefix.version == version for host in self.hosts for prefix in host.prefixes)
            for version in (4, 6)
        )
        return four + others, six + others

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def links_of(self, above: str) -> tuple[Link, ...]:
        return tuple(link for link in self.links if link.above == above)

    def link_to(self, below: str) -> Link:
        return next(link for link in self.links if link.below == below)


def lay_out(site: Site, name: str = "", beside: Topology | None = None) -> Topology:
    """Return the Internet around `site`, whose box is called `name`; the backbone and the hosts are
    those of the topology `beside`, if there is one. Raises Refusal if the site uses an address of
    the simulated Internet, or the name of one of its parties."""
    sessions = tuple(one for one in allot(site).sessions if one.port.role.outside)
    bare = Topology(site, sessions, (), (), (), name=name)
    ports = (port for port in site.ports if port.role is PortRole.EXCHANGE)
    first = MEMBER_ASN + (len(beside.exchanges) if beside else 0)
    exchanges = tuple(_exchange(site, port, first + n) for n, port in enumerate(ports))
    peers = bare.peers
    members = [exchange.member for exchange in exchanges if exchange.member_ends]
    providers = tuple(_providers(site))
    customers = [peer.name for peer in peers if peer.role is not PeerRole.ROUTE_SERVER]
    customers += [provider.name for provider in providers]
    near = [p.name for p in peers if p.role is PeerRole.PEER and _families(sessions, p) == {4, 6}]
    near, members = (list(map(bare.party, names)) for names in (near, members))
    pairs = [(BACKBONE, name) for name in (*map(bare.party, customers), *members)]
    if beside:
        hosts, number = beside.hosts, beside.links[-1].number + 1
    else:
        hosts = tuple(_hosts(near=[*near, BACKBONE][0], across=[*members, BACKBONE][0]))
        pairs += [(host.home, host.name) for host in hosts]
        number = 1
    links = tuple(Link(n, above, below) for n, (above, below) in enumerate(pairs, number))
    _check(site, hosts, links)
    return replace(bare, hosts=hosts, links=links, exchanges=exchanges, providers=providers)


def _check(site: Site, hosts: tuple[Host, ...], links: tuple[Link, ...]) -> None:
    taken = [prefix for host in hosts for prefix in host.prefixes]
    taken += [end.network for link in links for end in link.above_ends]
    hers = [*site.scopes, *(i.network for port in site.ports for i in port.addresses)]
    for one, other in itertools.product(hers, taken):
        if one.overlaps(other):
            raise Refusal(
                one,
                f"this network of the site overlaps {other}, which the simulated Internet uses",
                "Use another network in the lab",
            )
    names = {BACKBONE, CABLES, *(host.name for host in hosts)}
    beside = ("switch", "inside", "member", "stranger", "provider", "twin")
    names |= {f"{kind}-{port.name}" for kind in beside for port in site.ports}
    for peer in site.peers:
        if peer.name in names:
            raise Refusal(
                peer.name,
                "a peer of the site has the name of a party of the simulated Internet",
                "Give the peer another name",
            )


def _peers(sessions: Iterable[Session]) -> tuple[Peer, ...]:
    return tuple(dict.fromkeys(session.peer for session in sessions))


def _families(sessions: tuple[Session, ...], peer: Peer) -> set[int]:
    return {session.remote.version for session in sessions if session.peer is peer}


def _exchange(site: Site, port: Port, asn: int) -> Exchange:
    """Give member and stranger the last addresses of the network that the site does not use."""
    sessions = [session for session in allot(site).sessions if session.port is port]
    servers = tuple(s for s in sessions if s.peer.role is PeerRole.ROUTE_SERVER)
    known = {address for peer in site.peers for address in peer.addresses}
    member: list[Interface] = []
    stranger: list[Interface] = []
    for interface in port.addresses:
        for ends in (member, stranger):
            found = _free(interface, known)
            known.add(found.ip)
            ends.append(found)
    return Exchange(port, servers, asn, tuple(member) if servers else (), tuple(stranger))


def _free(ours: Interface, known: Collection[Address]) -> Interface:
    """The last address of the network of `ours` that is neither `ours` nor one of `known`. Raises
    Refusal if there is none."""
    net = ours.network
    few = net.prefixlen >= net.max_prefixlen - 1
    first, last = (0, net.num_addresses - 1) if few else (1, net.num_addresses - 2)
    for at in range(last, max(first, last - len(known) - 2) - 1, -1):
        if net[at] != ours.ip and net[at] not in known:
            return ip_interface(f"{net[at]}/{net.prefixlen}")
    raise Refusal(
        net,
        "the site uses every address of this network, and the simulated Internet needs another one",
        "Use a larger network in the lab",
    )


def _providers(site: Site) -> Iterator[Provider]:
    """The provider's routers, one for each outside port of a site with a provider's addresses."""
    if not site.provided:
        return
    plan = allot(site)
    known = {*plan.addresses, *(one for port in site.ports for one in port.gateway)}
    ports = [port for port in site.ports if port.role.outside]
    for at, port in enumerate(ports):
        ends = [ip_interface(f"{one}/64") for one in port.gateway if one.is_link_local]
        for face in port.addresses:
            gates = [one for one in port.gateway if one in face.network]
            ends += [ip_interface(f"{one}/{face.network.prefixlen}") for one in gates]
            if not gates:
                ends.append(_free(face, known))
        vias = {face.version: face.ip for face in port.addresses}
        routed = [
            Routed(scope, vias[scope.version]) for scope in plan.routed if scope.version in vias
        ]
        yield Provider(port, PROVIDER_ASN + at, tuple(ends), tuple(routed) if at == 0 else ())


def _hosts(near: str, across: str) -> Iterator[Host]:
    """Yield the hosts. `near` is the router of a peer of the site, `across` that of a member; each
    is the backbone if there is none."""
    roots = [
        ip_address(text) for pair in (*ROOT_SERVERS.values(), OLD_ROOT_SERVERS) for text in pair
    ]
    lengths = {4: 24, 6: 48}
    nets = (ip_network(f"{one}/{lengths[one.version]}", strict=False) for one in roots)
    yield Host("roots", HOST_ASN, BACKBONE, tuple(dict.fromkeys(nets)), tuple(roots))
    for n, (name, home, size) in enumerate(
        (
            ("registry", BACKBONE, 1),
            ("zones", near, 2),
            ("web", BACKBONE, 1),
            ("authorities", BACKBONE, 3),
            ("relays", across, 5),
            ("client", BACKBONE, 1),
            ("time", BACKBONE, 3),
            ("rpki", BACKBONE, 1),
            ("post", BACKBONE, 1),
        ),
        1,
    ):
        v4, v6 = ip_network(f"11.250.{n}.0/24"), ip_network(f"2d0f:{n:x}::/48")
        addresses = (net[10 + at] for net in (v4, v6) for at in range(size))
        yield Host(name, HOST_ASN + n, home, (v4, v6), tuple(addresses))
