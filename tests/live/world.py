"""The world around the appliance, made from its site: an upstream behind the transit port, and an
exchange's switch with a route server, a peer and a member that is no neighbour of ours.

What a site calls a neighbour's address is where its party lives. Kernel routes are static, since
OpenBGPD does not touch Linux's: everything goes to the upstream but what the peer at the exchange
is nearest to.
"""

from ipaddress import ip_interface, ip_network
from pathlib import Path

from firstboot.core.values import Address, Network
from firstboot.site import model as sites
from firstboot.site.address_plan import allot
from firstboot.site.model import PeerRole, PortRole, Site
from qemu.world import bird
from qemu.world.bird import Route, Router
from qemu.world.egress_rule import Rule, rule
from qemu.world.net import Party, World
from qemu.world.recording import Capture

SITE_FILE = Path(__file__).parent / "site.yaml"
SITE = sites.load(SITE_FILE).value
PLAN = allot(SITE)

STRANGER = (ip_interface("203.0.113.66/24"), ip_interface("2001:db8:200::66/64"))
"""A member of the exchange without a session with the site."""

NEAR_PEER = (ip_network("192.0.2.64/26"), ip_network("2001:db8:53::/64"))
"""Networks behind the peer at the exchange. The rest is behind the upstream."""

RFC_9234 = {
    PeerRole.TRANSIT: "provider",
    PeerRole.PEER: "peer",
    PeerRole.ROUTE_SERVER: "rs_server",
}
"""Return the role of a neighbour in BIRD's spelling."""


def outside(role: PortRole) -> Rule:
    """Return the rule for what may leave the site's port of this role."""
    return next(rule(SITE, port) for port in SITE.ports if port.role is role)


class Surroundings:
    """The parties and their wires. Every wire to the outside is captured from its first frame."""

    def __init__(self, world: World, site: Site = SITE) -> None:
        self.world = world
        self.site = site
        self.plan = allot(site)
        self.appliance = world.party("appliance", forwarding=True)
        self.peers = {peer.role: world.party(peer.name, forwarding=True) for peer in site.peers}
        self.upstream = self.peers[PeerRole.TRANSIT]
        self.neighbour = self.peers[PeerRole.PEER]
        self.stranger = world.party("stranger")
        self.rack = world.party("rack")
        self.ports = {port.role: self.appliance.port(port.device) for port in site.ports}
        self.upstream_port = self.upstream.port("eth0")
        world.wire(self.ports[PortRole.TRANSIT], self.upstream_port)
        members = [party for role, party in self.peers.items() if role is not PeerRole.TRANSIT]
        (switched, *_) = world.switch(
            "switch",
            [
                self.ports[PortRole.EXCHANGE],
                *(member.port("eth0") for member in (*members, self.stranger)),
            ],
        )
        world.wire(self.ports[PortRole.LAN], self.rack.port("eth0"))
        self.captures = {
            PortRole.TRANSIT: Capture(self.upstream_port),
            PortRole.EXCHANGE: Capture(switched),
        }
        for session in self.plan.sessions:
            network = next(i.network for i in session.port.addresses if session.remote in i.network)
            self.peers[session.peer.role].port("eth0").up(f"{session.remote}/{network.prefixlen}")
        self.stranger.port("eth0").up(*STRANGER)
        self._inside()

    def raise_ports(self) -> None:
        """Raise the outside ports, as the appliance does once its preflight holds."""
        for port in self.site.ports:
            if port.role.outside:
                self.ports[port.role].up(*port.addresses)
        for session in self.plan.sessions:
            family = session.local.version
            for scope in self.site.scopes:
                if scope.version == family:
                    self._route(self.peers[session.peer.role], scope, session.local)
            if session.peer.role is PeerRole.TRANSIT:
                self._route(self.appliance, "default", session.remote)
            elif session.peer.role is PeerRole.PEER:
                near = next(prefix for prefix in NEAR_PEER if prefix.version == family)
                self._route(self.appliance, near, session.remote)

    def router(
        self, role: PeerRole, routes: list[Route], roles: bool = True, next_hops: bool = False
    ) -> Router:
        """Start a neighbour's BIRD with a session over each of its addresses in the site. With
        `roles` it knows RFC 9234, by which it refuses leaks itself. With `next_hops` it announces
        those of its routes."""
        sessions = [
            bird.Session(
                f"appliance{session.remote.version}",
                session.remote,
                session.local,
                session.peer.asn,
                self.site.as_number,
                RFC_9234[role] if roles else None,
                role is PeerRole.ROUTE_SERVER,
                session.peer.md5,
                session.peer.gtsm and session.remote.version == 4,
                keeps_next_hops=next_hops,
            )
            for session in self.plan.sessions
            if session.peer.role is role
        ]
        return Router(self.peers[role], sessions, routes)

    def _route(self, party: Party, to: Network | str, via: Address) -> None:
        party.run("ip", f"-{via.version}", "route", "add", str(to), "via", str(via))

    def _inside(self) -> None:
        """Give the box the plan's addresses on its loopback and the exchange port its own Ethernet
        address, and make a machine on the LAN."""
        self.appliance.port("lo").up(
            *(f"{address}/{address.max_prefixlen}" for address in self.plan.addresses)
        )
        for port in self.site.ports:
            if port.mac is not None:
                self.appliance.run("ip", "link", "set", port.device, "address", port.mac)
            if port.role is PortRole.LAN:
                self.ports[port.role].up(*port.addresses)
                self.rack.port("eth0").up(
                    *(f"{i.ip + 1}/{i.network.prefixlen}" for i in port.addresses)
                )
