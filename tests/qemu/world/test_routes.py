"""The neighbours of a site: what they announce, what they hear, and what goes over the wires."""

import pytest

from firstboot.site.model import PeerRole
from qemu.world.bird import Heard
from qemu.world.egress_rule import rule
from qemu.world.internet import Internet
from qemu.world.packets import ARP, IPV4, IPV6
from qemu.world.routes import thousands
from tests.live.appliance import Bgpd
from tests.qemu.world.box import PLAN, SITE

pytestmark = pytest.mark.xdist_group("world")


def test_every_peer_hears_the_own_scopes_of_its_families(internet: Internet, bgpd: Bgpd) -> None:
    for peer in internet.topology.peers:
        families = {session.remote.version for session in PLAN.sessions if session.peer is peer}
        expected = {scope for scope in SITE.scopes if scope.version in families}
        bgpd.daemon.wait(
            f"the scopes at {peer.name}",
            lambda name=peer.name, expected=expected: (  # type: ignore[misc]
                {route.prefix for route in internet.heard(name)} == expected
            ),
        )
        assert {route.path for route in internet.heard(peer.name)} == {(SITE.asn,)}


def test_each_transit_announces_thousands_of_routes(bgpd: Bgpd) -> None:
    transits = [peer.asn for peer in SITE.peers if peer.role is PeerRole.TRANSIT]
    count = len(thousands())
    assert count >= 4000
    told = bgpd.told()
    for asn in transits:
        assert sum(path.startswith(f"{asn} ") for _, path in told) >= count


def test_a_host_is_reached_by_way_of_whom_it_is_behind(internet: Internet, bgpd: Bgpd) -> None:
    """This includes the exchange, both transits and the backbone."""
    accepted = bgpd.accepted()
    (zones, _), (relays, _) = (internet.topology.host(n).prefixes for n in ("zones", "relays"))
    firsts = {
        prefix: {path.split()[0] for to, path in accepted if to == str(prefix)}
        for prefix in (zones, relays)
    }
    (content, *_) = (peer for peer in SITE.peers if peer.role is PeerRole.PEER)
    transits = {str(peer.asn) for peer in SITE.peers if peer.role is PeerRole.TRANSIT}
    (exchange,) = internet.topology.exchanges
    assert firsts[zones] == {*transits, str(content.asn)}
    assert firsts[relays] == {*transits, str(exchange.asn)}


def test_the_backbone_has_the_scopes_from_the_transits_alone(
    internet: Internet, bgpd: Bgpd
) -> None:
    """A peer does not announce to its provider what it hears at an exchange (RFC 7908)."""
    transits = {peer.asn for peer in SITE.peers if peer.role is PeerRole.TRANSIT}

    def heard() -> set[Heard]:
        sessions = internet.routers["backbone"].heard().values()
        return {one for some in sessions for one in some if one.prefix in SITE.scopes}

    bgpd.daemon.wait("the scopes", lambda: {one.prefix for one in heard()} == set(SITE.scopes))
    assert {one.path for one in heard()} <= {(asn, SITE.asn) for asn in transits}


def test_the_wires_have_what_the_site_sends_and_nothing_stray(
    internet: Internet, bgpd: Bgpd
) -> None:
    for port in SITE.ports:
        if port.role.outside:
            sent = internet.cables[port.name].settle()
            assert {frame.ethertype for frame in sent} == {ARP, IPV4, IPV6}
            assert {frame.vlan for frame in sent} == {port.vlan}
            assert rule(SITE, port).strays(sent) == []


def test_a_recording_begins_with_the_first_frame(internet: Internet, bgpd: Bgpd) -> None:
    """Over IPv4, ARP comes before anything else."""
    for port in SITE.ports:
        if port.role.outside:
            frames = internet.cables[port.name].frames()
            v4 = [frame for frame in frames if frame.ethertype in (ARP, IPV4)]
            assert v4[0].ethertype == ARP
