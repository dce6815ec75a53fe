"""The simulated Internet around a site, running.

    with Internet(site, folder, trust.make(keys, site)) as internet:
        nics = [Nic(mac, plug) for plug in internet.plugs.values()]
        internet.tor.wait()

Every port of the site has a plug for the card of a virtual machine; the machine itself is in no
namespace. Its Tor network takes a while to agree on a consensus, which a machine can boot in.
`folder` keeps logs and what went over the cables.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from firstboot.core.values import Address
from firstboot.site.address_plan import Session
from firstboot.site.model import Peer, PeerRole, PortRole, Site
from firstboot.site.model import Port as SitePort
from qemu.wire import Plug, Wire
from qemu.world import bird
from qemu.world.bird import Heard, Route, Router
from qemu.world.nameservers import Nameservers
from qemu.world.net import Party, Port, World
from qemu.world.recording import Cable
from qemu.world.routes import thousands
from qemu.world.topology import BACKBONE, BACKBONE_ASN, Exchange, Link, lay_out
from qemu.world.tor import Network
from qemu.world.trust import Trust
from qemu.world.web import Web

ROLES = {
    PeerRole.TRANSIT: "provider",
    PeerRole.PEER: "peer",
    PeerRole.ROUTE_SERVER: "rs_server",
}
"""The role of a peer of the site, as BIRD spells those of RFC 9234."""

ROGUE_NEIGHBOUR = Path(__file__).parent / "rogue_neighbour.py"

REAL = f"{bird.OWN} && dest != RTD_BLACKHOLE"
"""Of a router's own routes, those that lead somewhere."""


class Internet:
    """Parties, wires and daemons, all of which are gone with the `with` block, or with this
    process. Raises Unable if this machine does not allow it."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        trust: Trust,
        routes: tuple[int, int] = (3000, 1000),
        hold: int = 90,
    ) -> None:
        """`trust` is of the same site (`qemu.world.trust.make`). `routes` is how many a transit
        makes up of each family; `hold` the seconds of silence after which a peer of the site takes
        it for gone, and it the peer."""
        self.site = site
        self._feed = thousands(*routes)
        self._hold = hold
        self.trust = trust
        self.topology = lay_out(site)
        self.world = World(folder)
        self.parties: dict[str, Party] = {}
        self.routers: dict[str, Router] = {}
        """By the name of the peer; the backbone's and the members' too."""

        self.plugs: dict[str, Plug] = {}
        self.cables: dict[str, Cable] = {}
        """By the name of the site's port, both of them."""

        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.world)
            self._connect(stack)
            self._route()
            self.tor = Network(self.topology, self.parties, self.trust)
            self.nameservers = Nameservers(self.topology, self.parties, self.trust.root_keys)
            self.web = Web(self.parties["web"])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def heard(self, peer: str) -> set[Heard]:
        """What a peer of the site hears from it."""
        heard = self.routers[peer].heard()
        return {route for session in self.of_site(peer) for route in heard[session]}

    def of_site(self, peer: str) -> list[str]:
        """The names of the sessions that a peer has with the site."""
        return [_name(session) for session in self.topology.sessions if session.peer.name == peer]

    def established(self) -> bool:
        """Whether every session with the site is up."""
        return all(
            router.established(*self.of_site(peer.name))
            for peer in self.topology.peers
            for router in [self.routers[peer.name]]
        )

    def advertise(self, peer: str) -> None:
        """Have a peer say to everybody on its link that it is the router for all of IPv6, once
        (RFC 4861, 4.2)."""
        for session in self._beside_site(peer, 6):
            self._mislead(session, "advertise")

    def redirect(self, peer: str, destination: Address) -> None:
        """Have a peer tell the site to send to it what is for `destination`, once (RFC 792; RFC
        4861, 4.5)."""
        for session in self._beside_site(peer, destination.version):
            self._mislead(session, "redirect", destination)

    def _beside_site(self, peer: str, version: int) -> list[Session]:
        sessions = (one for one in self.topology.sessions if one.peer.name == peer)
        return [session for session in sessions if session.remote.version == version]

    def _mislead(self, session: Session, what: str, *destination: Address) -> None:
        told = map(str, (session.remote, session.local, *destination))
        self.parties[session.peer.name].run(
            sys.executable, ROGUE_NEIGHBOUR, what, self._device(session.port), *told
        )

    def _device(self, port: SitePort) -> str:
        """Of every party that is beside a port of the site."""
        return f"port{self.site.ports.index(port)}"

    def _connect(self, stack: ExitStack) -> None:
        topology = self.topology
        routing = [BACKBONE, *(link.below for link in topology.links_of(BACKBONE))]
        strangers = [exchange.stranger for exchange in topology.exchanges]
        names = [peer.name for peer in topology.peers] + [link.below for link in topology.links]
        for name in dict.fromkeys([BACKBONE, *names, *strangers]):
            self.parties[name] = self.world.party(name, forwarding=name in routing)
        for link in topology.links:
            above = self.parties[link.above].port(link.device)
            below = self.parties[link.below].port("uplink")
            self.world.wire(above, below)
            above.up(*link.above_ends)
            below.up(*link.below_ends)
        for host in topology.hosts:
            self.parties[host.name].port("lo").up(
                *(f"{address}/{address.max_prefixlen}" for address in host.addresses)
            )
            self._default(host.name, host.v4(), host.v6(), topology.link_to(host.name))
        ends = self.world.party("cables", silent=True)
        for port in self.site.ports:
            end = ends.port(self._device(port))
            far = self._beside(port, end)
            wire = stack.enter_context(Wire())
            self.plugs[port.name] = wire.a
            self.cables[port.name] = Cable(port.name, end, far, wire.b, port.vlan)

    def _default(self, name: str, v4: object, v6: object, link: Link) -> None:
        """Everything goes up the link, and comes from the host's own addresses."""
        up4, up6 = (end.ip for end in link.above_ends)
        self.parties[name].run(
            *("ip", "-batch", "-"),
            given=f"route add default via {up4} src {v4}\nroute add default via {up6} src {v6}\n",
        )

    def _beside(self, port: SitePort, end: Port) -> Port:
        """Wire up what is at a port of the site, which ends in `end`; the other end of that."""
        there: dict[str, list[object]] = {}
        for session in self.topology.sessions:
            if session.port is port:
                net = next(i.network for i in port.addresses if session.remote in i.network)
                there.setdefault(session.peer.name, []).append(f"{session.remote}/{net.prefixlen}")
        for exchange in self.topology.exchanges:
            if exchange.port is port:
                there[exchange.stranger] = list(exchange.stranger_ends)
                if exchange.member_ends:
                    there[exchange.member] = list(exchange.member_ends)
        if not port.role.outside:
            there[f"inside-{port.name}"] = self._inside(port)
        members = [self.parties[name].port(end.device) for name in there]
        if len(members) == 1:
            (far,) = members
            self.world.wire(end, far)
        else:
            far = self.world.switch(f"switch-{port.name}", [end, *members])[0]
        for member in members:
            member.up(*there[member.party.name])
        return far

    def _inside(self, port: SitePort) -> list[object]:
        """Somebody on a LAN, or an administrator, who is the gateway if there is one."""
        self.parties[f"inside-{port.name}"] = self.world.party(f"inside-{port.name}")
        if port.role is PortRole.LAN:
            return [f"{i.ip + 1}/{i.network.prefixlen}" for i in port.addresses]
        return [
            f"{gateway}/{i.network.prefixlen}"
            for gateway in port.gateway
            for i in port.addresses
            if gateway in i.network
        ]

    def _route(self) -> None:
        for peer in self.topology.peers:
            feed = self._feed if peer.role is PeerRole.TRANSIT else []
            self._start(peer.name, self._sessions(peer), feed)
        for exchange in self.topology.exchanges:
            if exchange.member_ends:
                self._start(exchange.member, self._member(exchange), thousands(20, 10))
        links = self.topology.links_of(BACKBONE)
        customers = [link for link in links if link.below in self.routers]
        sessions = [session for link in customers for session in self._down(link)]
        self._start(BACKBONE, sessions, [])

    def _start(self, name: str, sessions: list[bird.Session], feed: list[Route]) -> None:
        """The router of `name`, with the hosts behind it."""
        hosts = [
            Route(prefix, (host.asn,), link.below_ends[prefix.version == 6].ip)
            for host in self.topology.hosts
            for link in [self.topology.link_to(host.name)]
            if host.home == name
            for prefix in host.prefixes
        ]
        server = any(session.transparent for session in sessions)
        self.routers[name] = Router(self.parties[name], sessions, [*feed, *hosts], not server)

    def _sessions(self, peer: Peer) -> list[bird.Session]:
        """Those with the site, with the backbone, and a route server's with its member."""
        server = peer.role is PeerRole.ROUTE_SERVER
        found = [
            bird.Session(
                _name(session),
                session.remote,
                session.local,
                peer.asn,
                self.site.asn,
                ROLES[peer.role],
                transparent=server,
                password=peer.md5,
                gtsm=peer.gtsm and session.remote.version == 4,
                exports=_to_site(peer.role, session.remote.version),
                hold=self._hold,
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
        link = self.topology.link_to(name)
        return [
            bird.Session(f"up{one.version}", one.ip, other.ip, asn, BACKBONE_ASN, exports=exports)
            for one, other in zip(link.below_ends, link.above_ends, strict=True)
        ]

    def _down(self, link: Link) -> list[bird.Session]:
        """The backbone's with a customer, who is told everything."""
        asn = self.routers[link.below].asn
        return [
            bird.Session(
                f"{link.device}_{one.version}", one.ip, other.ip, BACKBONE_ASN, asn, exports="true"
            )
            for one, other in zip(link.above_ends, link.below_ends, strict=True)
        ]


def _name(session: Session) -> str:
    """As BIRD may have it."""
    return "site_" + "".join(c if c.isalnum() else "_" for c in str(session.remote))


def _end(exchange: Exchange, session: Session) -> Address:
    """The member's address in the family of a session."""
    return next(i.ip for i in exchange.member_ends if i.version == session.remote.version)


def _to_site(role: PeerRole, version: int) -> str:
    """A transit has routes to everything; a peer to what is behind it; a route server all that its
    members tell it."""
    match role:
        case PeerRole.TRANSIT:
            return f'{bird.OWN} || proto = "up{version}"'
        case PeerRole.PEER:
            return bird.OWN
        case PeerRole.ROUTE_SERVER:
            return "true"
