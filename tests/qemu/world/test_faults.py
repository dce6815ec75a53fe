"""Each thing that can be made to go wrong does go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from firstboot.site.model import Peer, PeerRole
from qemu.world.bird import Router
from qemu.world.internet import Internet
from qemu.world.net import wait
from qemu.world.packets import ICMP, ICMP6, IPV4, IPV6
from qemu.world.routes import thousands, unwanted
from tests.live.appliance import Bgpd
from tests.qemu.world.box import SITE, Box

pytestmark = pytest.mark.xdist_group("world")

A, B = (peer for peer in SITE.peers if peer.role is PeerRole.TRANSIT)
SERVER = next(peer for peer in SITE.peers if peer.role is PeerRole.ROUTE_SERVER)
NEIGHBOUR = next(peer for peer in SITE.peers if peer.role is PeerRole.PEER)


@contextmanager
def undone(internet: Internet, bgpd: Bgpd) -> Iterator[None]:
    """Check that everything is as before in the end."""
    try:
        yield
    finally:
        for peer in internet.topology.peers:
            if not internet.routers[peer.name].established(*internet.of_site(peer.name)):
                for address in peer.addresses:
                    bgpd.clear(address)
        bgpd.daemon.wait("sessions with everybody", internet.established)


def ways_back(internet: Internet) -> set[str]:
    """Return the neighbours through which the backbone reaches the site."""
    site = SITE.scopes[0][1]
    said = internet.parties["backbone"].run("ip", "route", "get", str(site), check=False)
    links = internet.topology.links_of("backbone")
    return {link.below for link in links if f" dev {link.device} " in said}


@pytest.mark.parametrize("peer", [A, SERVER, NEIGHBOUR], ids=lambda peer: peer.role.value)
def test_unwanted_routes_come_and_are_refused(internet: Internet, bgpd: Bgpd, peer: Peer) -> None:
    router = internet.routers[peer.name]
    routes = [route for some in unwanted(SITE).values() for route in some]
    bad = {str(route.prefix) for route in routes}

    def told() -> set[str]:
        return {prefix for prefix, path in bgpd.told() if path}

    with undone(internet, bgpd):
        router.announce(routes)
        bgpd.daemon.wait("them", lambda: bad <= told())
        assert not bad & {prefix for prefix, _ in bgpd.accepted()}
        router.announce([])
        bgpd.daemon.wait("their end", lambda: not bad & told())


def test_more_routes_than_agreed_cost_the_session(internet: Internet, bgpd: Bgpd) -> None:
    assert NEIGHBOUR.max_prefix
    router = internet.routers[NEIGHBOUR.name]
    with undone(internet, bgpd):
        router.announce(thousands(NEIGHBOUR.max_prefix + 1, 0))
        wait("the end of it", lambda: not router.established(*internet.of_site(NEIGHBOUR.name)))
        router.announce([])


def test_a_wrong_secret_is_no_session(internet: Internet, bgpd: Bgpd) -> None:
    router = internet.routers[A.name]
    sessions = internet.of_site(A.name)
    with undone(internet, bgpd):
        for session in sessions:
            router.change(session, password="somebody else's")
        wait("the end of it", lambda: not any(router.established(one) for one in sessions))
        for session in sessions:
            router.change(session, password=A.md5)


def test_a_transit_without_a_wire_is_not_used(internet: Internet, bgpd: Bgpd, box: Box) -> None:
    """Without one transit the backbone reaches the site through the other."""
    cables = {A.name: internet.cables["transit-a"], B.name: internet.cables["transit-b"]}
    for down, other in ((A, B), (B, A)):
        with undone(internet, bgpd):
            cables[down.name].unplug()
            wait("the other way", lambda other=other: ways_back(internet) == {other.name})  # type: ignore[misc]
            cables[down.name].plug()


def test_a_way_that_is_about_to_go_is_the_last_choice(internet: Internet, bgpd: Bgpd) -> None:
    for peer, other in ((A, B), (B, A)):
        drained = (f"match to {one} set community GRACEFUL_SHUTDOWN" for one in peer.addresses)
        bgpd.reload(*drained)
        wait("the other way", lambda other=other: ways_back(internet) == {other.name})  # type: ignore[misc]
    bgpd.reload()


def test_sessions_flap(internet: Internet, bgpd: Bgpd) -> None:
    router: Router = internet.routers[B.name]
    before = bgpd.daemon.said().count("Cease")
    with undone(internet, bgpd):
        router.flap(2)
        assert bgpd.daemon.said().count("Cease") > before


@pytest.mark.parametrize("destination", ["11.250.3.10", "2d0f:3::a"])
def test_a_peer_sends_redirects(internet: Internet, destination: str) -> None:
    cable = internet.cables["exchange"]
    ethertype, protocol, kind = (IPV6, ICMP6, 137) if ":" in destination else (IPV4, ICMP, 5)
    internet.redirect(SERVER.name, ip_address(destination))
    wait(
        "a redirect",
        lambda: any(
            frame.ethertype == ethertype
            and (frame.packet.protocol, frame.packet.kind) == (protocol, kind)
            for frame in cable.frames()
            if not frame.inbound
        ),
    )


def test_a_peer_advertises_itself_as_a_router(internet: Internet) -> None:
    cable = internet.cables["exchange"]
    internet.advertise(SERVER.name)
    wait(
        "an advertisement",
        lambda: any(
            frame.packet.kind == 134
            for frame in cable.frames()
            if not frame.inbound and frame.ethertype == IPV6 and frame.packet.protocol == ICMP6
        ),
    )


SYN_ACK, RST_ACK = 0x12, 0x14


@pytest.mark.parametrize("version", [4, 6])
def test_answers_to_connections_with_others_sources_come_to_the_site(
    internet: Internet, bgpd: Bgpd, version: int
) -> None:
    scope = next(one for one in SITE.scopes if one.version == version)
    sources = [scope[200 + at] for at in range(5)]
    web = internet.topology.host("web")
    to = web.v4() if version == 4 else web.v6()
    for port in (80, 81):
        internet.spoof("client", 20, to, port, sources)

    at = 13 + (20 if version == 4 else 40)

    def came(flags: int) -> int:
        return sum(
            frame.packet.destination in sources and frame.payload[at] == flags
            for cable in internet.cables.values()
            for frame in cable.frames()
            if not frame.inbound and frame.ethertype in (IPV4, IPV6)
        )

    wait("the answers of both ports", lambda: came(SYN_ACK) >= 20 and came(RST_ACK) == 20)
