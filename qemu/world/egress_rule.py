"""The rule for what may leave a transit or exchange port, applied to captures."""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from firstboot.core.values import Address, Network
from firstboot.site.address_plan import allot
from firstboot.site.model import Port, PortRole, Site
from qemu.world.packets import (
    ADVERTISEMENT,
    ARP,
    ICMP6,
    IPV4,
    IPV6,
    SOLICITATION,
    TCP,
    Frame,
)

BGP = 179
LINK_LOCAL = ip_network("fe80::/10")
NOBODY = ip_address("::")
"""The source of duplicate address detection (RFC 4862)."""


@dataclass(frozen=True)
class Rule:
    """Packets may leave a port from the own networks: the scopes, or on a provider's link the box's
    addresses alone. From the port's addresses there may be only BGP with neighbours, and ARP and
    neighbour discovery: questions for neighbours and next hops, and answers about the port
    itself.

    To the other box of two, packets may leave from this box's part of the scopes, and what
    strangers sent to the other one's part."""

    scopes: tuple[Network, ...]
    own: frozenset[Address]
    neighbours: frozenset[Address]
    vlan: int | None
    hops: frozenset[Address] = frozenset()
    """Routers on the link that packets may go to besides neighbours: members of an exchange that
    its route servers announce as next hops, and those that lead to neighbours several hops away."""

    strangers_to: tuple[Network, ...] = ()
    """The other box's part of the scopes."""

    def strays(self, frames: Collection[Frame]) -> list[str]:
        """Return the frames that break the rule, as text without duplicates."""
        return sorted(
            {
                str(frame.packet if frame.ethertype in (IPV4, IPV6) else frame)
                for frame in frames
                if not self.allows(frame)
            }
        )

    def allows(self, frame: Frame) -> bool:
        if frame.vlan != self.vlan:
            return False
        if frame.ethertype == ARP:
            speaker, sought, answers = frame.arp
            return speaker in self.own and (answers or self._known(sought))
        if frame.ethertype not in (IPV4, IPV6):
            return False
        packet = frame.packet
        if any(packet.source in scope for scope in self.scopes):
            return True
        if packet.protocol == ICMP6 and packet.kind in (SOLICITATION, ADVERTISEMENT):
            linked = packet.source in self.own or packet.source in LINK_LOCAL
            return (linked or packet.source == NOBODY) and self._known(packet.target)
        its = (*self.scopes, *self.strangers_to)
        if any(packet.destination in part for part in self.strangers_to):
            ours = packet.source in self.own or packet.source in LINK_LOCAL
            return not ours and not any(packet.source in part for part in its)
        bgp = packet.protocol == TCP and BGP in packet.ports
        return bgp and packet.source in self.own and packet.destination in self.neighbours

    def _known(self, target: Address) -> bool:
        """Whether ARP or neighbour discovery may be about `target`. The port announces its own
        address when it comes up (RFC 5227)."""
        return target in (self.neighbours | self.own | self.hops) or target in LINK_LOCAL


def rule(site: Site, port: Port) -> Rule:
    """Return the rule for `port` of `site`, an outside port or the one to the twin."""
    plan = allot(site)
    sessions = [session for session in plan.sessions if session.port is port]
    aliases = {alias.address for alias in plan.aliases if alias.port is port}
    routers = port.gateway if site.provided else ()
    return Rule(
        plan.mine if port.role is PortRole.TWIN else plan.own,
        frozenset(face.ip for face in port.addresses) | aliases,
        frozenset(session.remote for session in sessions) | {*routers},
        port.vlan,
        frozenset(session.first_hop for session in sessions),
        strangers_to=plan.twins if port.role is PortRole.TWIN else (),
    )
