"""Runs the simulated Internet around a site.

    with Internet(site, folder, trust.make(keys, site)) as internet:
        nics = [Nic(mac, plug) for plug in internet.plugs.values()]
        internet.tor.wait()

`plugs` has a plug for each network card of the site's ports, for that of a virtual machine; the
machine itself is in no namespace. The Tor network needs a while to agree on a consensus, during
which the machine can boot. `folder` keeps logs and captures.

Several boxes can be in one world: `internet.joined(site, name)` is the same Internet around another
one, and is entered after the first.
"""

import sys
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from firstboot.core.values import Address
from firstboot.site.address_plan import Session
from firstboot.site.alarms import destinations
from firstboot.site.model import Peer, PeerRole, PortRole, Routes, Site
from firstboot.site.model import Port as SitePort
from qemu.wire import Plug, Wire
from qemu.world import bird
from qemu.world.bird import Heard, Route, Router
from qemu.world.bundle import Switch
from qemu.world.nameservers import Nameservers
from qemu.world.net import Party, Port, World
from qemu.world.post import HOST, Post
from qemu.world.recording import Cable
from qemu.world.routes import thousands
from qemu.world.rpki.servers import Repository
from qemu.world.time_servers import TimeServers
from qemu.world.topology import (
    BACKBONE,
    BACKBONE_ASN,
    CABLES,
    Exchange,
    Link,
    Topology,
    lay_out,
)
from qemu.world.tor import Network
from qemu.world.trust import Trust
from qemu.world.web import Web

ROLES = {
    PeerRole.TRANSIT: "provider",
    PeerRole.PEER: "peer",
    PeerRole.ROUTE_SERVER: "rs_server",
}
"""The RFC 9234 role of each kind of peer, in BIRD's spelling."""

ROGUE_NEIGHBOUR = Path(__file__).parent / "rogue_neighbour.py"

SPOOFER = Path(__file__).parent / "spoofer.py"

REAL = f"{bird.OWN} && dest != RTD_BLACKHOLE"
"""BIRD's filter for own routes that are not blackholes."""

DEFAULTS = (Route.to("0.0.0.0/0"), Route.to("::/0"))
"""What a transit announces in place of its table, where the site takes a default route."""

AT_EXCHANGES = (20, 10)
"""IPv4 and IPv6 routes that the member of an exchange announces."""


class Internet:
    """Parties, wires and daemons. A context manager: they end with the `with` block, or with this
    process. Raises Unable if this host does not allow them."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        trust: Trust,
        routes: tuple[int, int] = (3000, 1000),
        hold: int = 90,
        name: str = "",
        first: "Internet | None" = None,
    ) -> None:
        """`trust` was made for the same site (`qemu.world.trust.make`). `routes` is how many IPv4
        and IPv6 routes each transit announces besides the real ones. `hold` is the hold time of
        the site's peers, in seconds (RFC 4271). `name` is what the box is called if there are
        several; `first` is the Internet that this one joins, see joined()."""
        self.site = site
        self._feed = thousands(*routes)
        self.hold = hold
        self.trust = trust
        self.topology: Topology = lay_out(site, name, first.topology if first else None)
        self.world: World = first.world if first else World(folder)
        self._first = first
        self.parties: dict[str, Party] = first.parties if first else {}
        """Of the whole world, by `Topology.party`."""

        self.routers: dict[str, Router] = {}
        """By name: peers of the site, members of its exchanges, and the backbone."""

        self.plugs: dict[str, Plug] = {}
        """By the names of the cards, in the order of the site."""

        self.cables: dict[str, Cable] = {}
        """By the name of the site's port."""

        self.switches: dict[str, Switch] = {}
        """By the name of the device, where there is one."""

        self.twin: tuple[Port, Port] | None = None
        """The ends of the wire to the other box of two: the site's, and the other one."""

        self.post: Post = first.post if first else Post()
        """Who takes alarms, if a site has some."""

        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._first is None:
                stack.enter_context(self.world)
            self._connect(stack)
            self._route()
            if self._first is None:
                self.tor = Network(self.topology, self.parties, self.trust)
                self.nameservers = Nameservers(self.topology, self.parties, self.trust.root_keys)
                self.web = Web(self.parties["web"])
                self.time = TimeServers(self.parties["time"])
                self.rpki = Repository(self.parties["rpki"], self.trust.rpki)
            else:
                self.tor, self.nameservers = self._first.tor, self._first.nameservers
                self.web, self.time = self._first.web, self._first.time
                self.rpki = self._first.rpki
            self._take_alarms()
            self._stack = stack.pop_all()
        return self

    def joined(self, site: Site, routes: tuple[int, int], name: str) -> "Internet":
        """This Internet around another box as well, which is called `name` and has the same scopes.
        It has peers, exchanges and cables of its own; everybody else is there once."""
        return Internet(site, self.world.folder, self.trust, routes, self.hold, name, self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def heard(self, peer: str) -> set[Heard]:
        """Return the routes that a peer of the site hears from it."""
        heard = self.routers[peer].heard()
        return {route for session in self.of_site(peer) for route in heard[session]}

    def of_site(self, peer: str) -> list[str]:
        """Return the names of the sessions that a peer has with the site."""
        return [_name(session) for session in self.topology.sessions if session.peer.name == peer]

    def established(self) -> bool:
        """Return whether every session with the site is up."""
        return not self.down()

    def down(self) -> list[str]:
        """The peers of which a session with the site is down."""
        return [
            peer.name
            for peer in self.topology.peers
            if not self.routers[peer.name].established(*self.of_site(peer.name))
        ]

    def advertise(self, peer: str) -> None:
        """Have a peer send one router advertisement on the link to the site (RFC 4861, 4.2)."""
        for session in self._beside_site(peer, 6):
            self._mislead(session, "advertise")

    def redirect(self, peer: str, destination: Address) -> None:
        """Have a peer send one redirect, by which the site should send packets for `destination` to
        that peer (RFC 792; RFC 4861, 4.5)."""
        for session in self._beside_site(peer, destination.version):
            self._mislead(session, "redirect", destination)

    def spoof(
        self, host: str, count: int, to: Address, port: int, sources: Collection[Address]
    ) -> None:
        """Have a host open `count` connections to a port, with others' addresses as its own."""
        told = map(str, (count, to, port, *sources))
        self.parties[host].run(sys.executable, SPOOFER, *told)

    def _beside_site(self, peer: str, version: int) -> list[Session]:
        sessions = (one for one in self.topology.sessions if one.peer.name == peer)
        return [session for session in sessions if session.remote.version == version]

    def _mislead(self, session: Session, what: str, *destination: Address) -> None:
        told = map(str, (session.first_hop, session.local, *destination))
        self._party(session.peer.name).run(
            sys.executable, ROGUE_NEIGHBOUR, what, self._device(session.port), *told
        )

    def _party(self, name: str) -> Party:
        """Somebody beside the site."""
        return self.parties[self.topology.party(name)]

    def _device(self, port: SitePort) -> str:
        """The device name that every party beside this port of the site uses."""
        return f"port{self.site.ports.index(port)}"

    def _connect(self, stack: ExitStack) -> None:
        topology = self.topology
        routing = [BACKBONE, *(link.below for link in topology.links_of(BACKBONE))]
        peers = [peer.name for peer in topology.peers]
        strangers = [exchange.stranger for exchange in topology.exchanges]
        beside = [topology.party(name) for name in (*peers, *strangers)]
        for name in dict.fromkeys([BACKBONE, *beside, *(link.below for link in topology.links)]):
            if name not in self.parties:
                self.parties[name] = self.world.party(name, forwarding=name in routing)
        for link in topology.links:
            above = self.parties[link.above].port(link.device)
            below = self.parties[link.below].port("uplink")
            self.world.wire(above, below)
            above.up(*link.above_ends)
            below.up(*link.below_ends)
        for host in () if self._first else topology.hosts:
            self.parties[host.name].port("lo").up(
                *(f"{address}/{address.max_prefixlen}" for address in host.addresses)
            )
            self._default(host.name, host.v4(), host.v6(), topology.link_to(host.name))
        ends = self.world.party(topology.party(CABLES), silent=True)
        for device in dict.fromkeys(port.device for port in self.site.ports):
            ports = [port for port in self.site.ports if port.device == device]
            plugs, entries = self._plugged(ends, ports, stack)
            for port, plug in zip(ports, plugs, strict=True):
                end = ends.port(self._device(port))
                if port.role is PortRole.TWIN:
                    end, far = self.twin = self._between(port, end)
                else:
                    far = self._beside(port, end)
                name = topology.party(port.name)
                self.cables[port.name] = Cable(name, end, far, plug, port.vlan, entries)

    def _plugged(
        self, ends: Party, ports: Sequence[SitePort], stack: ExitStack
    ) -> tuple[Sequence[Plug], Sequence[Path]]:
        """Lay the wires to the device of these ports. Return their ends towards who is beside the
        ports, and where the machine's frames come in, if that is at a switch."""
        first = ports[0]
        if len(ports) == 1 and not first.members:
            wire = stack.enter_context(Wire())
            self.plugs[first.device] = wire.a
            return [wire.b], ()
        switch = Switch(self.topology.party(first.device), ends, ports, stack)
        self.switches[first.device] = switch
        self.plugs |= switch.cards
        return switch.ends, switch.entries

    def _default(self, name: str, v4: object, v6: object, link: Link) -> None:
        """Give a host default routes up its link, with its own addresses as sources."""
        up4, up6 = (end.ip for end in link.above_ends)
        self.parties[name].run(
            *("ip", "-batch", "-"),
            given=f"route add default via {up4} src {v4}\nroute add default via {up6} src {v6}\n",
        )

    def _beside(self, port: SitePort, end: Port) -> Port:
        """Wire up the parties beside a port of the site, whose device is `end`. Return the device
        at the other end of its wire."""
        there: dict[str, list[object]] = {}
        for session in self.topology.sessions:
            if session.port is port:
                hop = session.first_hop
                net = next(i.network for i in port.addresses if hop in i.network)
                there.setdefault(session.peer.name, []).append(f"{hop}/{net.prefixlen}")
                if session.multihop:
                    loopback = self._party(session.peer.name).port("lo")
                    loopback.up(f"{session.remote}/{session.remote.max_prefixlen}")
        for exchange in self.topology.exchanges:
            if exchange.port is port:
                there[exchange.stranger] = list(exchange.stranger_ends)
                if exchange.member_ends:
                    there[exchange.member] = list(exchange.member_ends)
        for provider in self.topology.providers:
            if provider.port is port:
                there[provider.name] = list(provider.ends)
        if not port.role.outside:
            there[f"inside-{port.name}"] = self._inside(port)
        members = {name: self._party(name).port(end.device) for name in there}
        if len(members) == 1:
            (far,) = members.values()
            self.world.wire(end, far)
        else:
            switch = self.topology.party(f"switch-{port.name}")
            far = self.world.switch(switch, [end, *members.values()])[0]
        for name, member in members.items():
            member.up(*there[name])
        return far

    def _between(self, port: SitePort, end: Port) -> tuple[Port, Port]:
        """The wire between two boxes, as its end of this box and the other end. The first box lays
        it, from `end` to a place where nobody is until the second one takes that end."""
        if self._first is not None and self._first.twin is not None:
            far, end = self._first.twin
            return end, far
        nobody = self.world.party(self.topology.party(f"twin-{port.name}"), silent=True)
        far = nobody.port(end.device)
        self.world.wire(end, far)
        return end, far

    def _inside(self, port: SitePort) -> list[object]:
        """Make the party on a LAN, or the administrator, who is the gateway if there is one. Return
        its addresses with prefix lengths."""
        name = self.topology.party(f"inside-{port.name}")
        self.parties[name] = self.world.party(name)
        if port.role is PortRole.MANAGEMENT and destinations(self.site):
            # What the box does not get rid of by other ports is taken here, at the same addresses.
            post = self.topology.host(HOST).addresses
            self.parties[name].port("lo").up(*(f"{one}/{one.max_prefixlen}" for one in post))
        if port.role is PortRole.LAN:
            return [f"{i.ip + 1}/{i.network.prefixlen}" for i in port.addresses]
        return [
            f"{gateway}/{i.network.prefixlen}"
            for gateway in port.gateway
            for i in port.addresses
            if gateway in i.network
        ]

    def _take_alarms(self) -> None:
        """Start who takes the site's alarms: one behind each management port, and the host for
        them."""
        managing = (port for port in self.site.ports if port.role is PortRole.MANAGEMENT)
        parties = [self.parties[HOST], *(self._party(f"inside-{port.name}") for port in managing)]
        for to in destinations(self.site):
            for party in parties:
                self.post.serve(party, to.channel, to.port)

    def _route(self) -> None:
        for peer in self.topology.peers:
            self._start(peer.name, self._sessions(peer), self._announced(peer))
        for provider in self.topology.providers:
            routes = [Route(net) for net in provider.links]
            routes += [Route(one.prefix, via=one.via) for one in provider.routed]
            self._start(provider.name, self._up(provider.name, provider.asn, bird.OWN), routes)
        for exchange in self.topology.exchanges:
            if exchange.member_ends:
                routes = thousands(*AT_EXCHANGES)
                self._start(exchange.member, self._member(exchange), routes)
        links = {link.below: link for link in self.topology.links_of(BACKBONE)}
        sessions = [
            session
            for router in self.routers.values()
            if (link := links.get(router.party.name))
            for session in self._down(link, router.asn)
        ]
        if self._first is None:
            self.routers[BACKBONE] = self._router(self.parties[BACKBONE], sessions, [])
        else:
            self.routers[BACKBONE] = self._first.routers[BACKBONE]
            self.routers[BACKBONE].join(sessions)

    def _announced(self, peer: Peer) -> list[Route]:
        """The routes of a peer besides those that it has from others."""
        match peer.role, peer.routes:
            case PeerRole.TRANSIT, Routes.FULL:
                return self._feed
            case PeerRole.TRANSIT, Routes.DEFAULT:
                return list(DEFAULTS)
            case _:
                return []

    def _start(self, name: str, sessions: list[bird.Session], feed: list[Route]) -> None:
        """Start the router of somebody beside the site."""
        self.routers[name] = self._router(self._party(name), sessions, feed)

    def _router(self, party: Party, sessions: list[bird.Session], feed: list[Route]) -> Router:
        """Start a router, which also announces the hosts behind it."""
        hosts = [
            Route(prefix, (host.asn,), link.below_ends[prefix.version == 6].ip)
            for host in self.topology.hosts
            if host.home == party.name
            for link in [self.topology.link_to(host.name)]
            for prefix in host.prefixes
        ]
        server = any(session.transparent for session in sessions)
        return Router(party, sessions, [*feed, *hosts], not server)

    def _sessions(self, peer: Peer) -> list[bird.Session]:
        """A peer's sessions: with the site, with the backbone, and a route server's with its
        member."""
        server = peer.role is PeerRole.ROUTE_SERVER
        found = [
            bird.Session(
                _name(session),
                session.remote,
                session.local,
                peer.asn,
                self.site.as_number,
                ROLES[peer.role],
                transparent=server,
                password=peer.md5,
                gtsm=peer.gtsm and session.remote.version == 4,
                exports=_to_site(peer, session.remote.version),
                hold=self.hold,
                hops=peer.hops if session.multihop else 1,
            )
            for session in self.topology.sessions
            if session.peer is peer
        ]
        if not server:
            hers = 'proto ~ "site_*"' if peer.role is PeerRole.TRANSIT else REAL
            return [*found, *self._up(peer.name, peer.asn, hers)]
        for exchange in self.topology.exchanges:
            for session in exchange.route_servers:
                if session.peer is peer:
                    found.append(
                        bird.Session(
                            f"member{session.remote.version}",
                            session.remote,
                            _end(exchange, session),
                            peer.asn,
                            exchange.asn,
                            ROLES[peer.role],
                            transparent=True,
                            exports="true",
                        )
                    )
        return found

    def _member(self, exchange: Exchange) -> list[bird.Session]:
        servers = [
            bird.Session(
                f"server{n}",
                _end(exchange, session),
                session.remote,
                exchange.asn,
                session.peer.asn,
                "rs_client",
            )
            for n, session in enumerate(exchange.route_servers)
        ]
        return [*servers, *self._up(exchange.member, exchange.asn, REAL)]

    def _up(self, name: str, asn: int, exports: str) -> list[bird.Session]:
        """A customer's sessions with the backbone."""
        link = self.topology.link_to(self.topology.party(name))
        return [
            bird.Session(f"up{one.version}", one.ip, other.ip, asn, BACKBONE_ASN, exports=exports)
            for one, other in zip(link.below_ends, link.above_ends, strict=True)
        ]

    def _down(self, link: Link, asn: int) -> list[bird.Session]:
        """The backbone's sessions with a customer of that ASN, who hears all routes."""
        return [
            bird.Session(
                f"{link.device}_{one.version}", one.ip, other.ip, BACKBONE_ASN, asn, exports="true"
            )
            for one, other in zip(link.above_ends, link.below_ends, strict=True)
        ]


def _name(session: Session) -> str:
    """Return the name of a session, with the characters that BIRD allows."""
    return "site_" + "".join(c if c.isalnum() else "_" for c in str(session.remote))


def _end(exchange: Exchange, session: Session) -> Address:
    """Return the member's address in the family of a session."""
    return next(i.ip for i in exchange.member_ends if i.version == session.remote.version)


def _to_site(peer: Peer, version: int) -> str:
    """Return the filter for what is announced to the site: a transit announces everything, unless
    the site takes less of it; a peer what is behind it; a route server all that its members
    announce."""
    match peer.role, peer.routes:
        case PeerRole.TRANSIT, Routes.FULL:
            return f'{bird.OWN} || proto = "up{version}"'
        case PeerRole.ROUTE_SERVER, _:
            return "true"
        case _:
            return bird.OWN
