"""No packet leaves a transit or exchange port from an address outside the scopes.

Each test has some of the layers that see to this: the daemons' configuration, and the rules of
pf.conf in their Linux form. Where all that would catch a leak is removed, the capture has to see
it, or these tests would prove nothing.
"""

import sys
from dataclasses import dataclass

import pytest

from firstboot.site.model import PortRole
from qemu.world.bird import Router
from qemu.world.net import wait
from qemu.world.packets import IPV4, IPV6, TCP, UDP, Frame
from tests.live import nameservers, routes
from tests.live.appliance import BGPD, UNBOUND, Bgpd, Unbound, changed, for_linux
from tests.live.conftest import Worlds
from tests.live.standin import StandIn, hush
from tests.live.world import PLAN, Surroundings, outside

OUTSIDE = (PortRole.TRANSIT, PortRole.EXCHANGE)
ZONES = ("signed", "unsigned")

BOUND_TO_EVERYTHING = (
    (r"(?m)^  outgoing-interface: .*\n", ""),
    (r"(?m)^  interface: .*\n", ""),
    (r"server:\n", "server:\n  interface: 0.0.0.0\n  interface: ::0\n"),
)
"""The resolver as many had it in 2018: the kernel chooses the source address of questions."""

FETCHED_ZONE = (
    r"\Z",
    'auth-zone:\n  name: "."\n  for-downstream: no\n  fallback-enabled: yes\n'
    + "".join(f"  primary: {address}\n" for address in nameservers.ROOT),
)
"""A copy of the root zone (RFC 8806), as many resolvers have one."""

PROBE = """\
import socket, sys
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for ttl in (1, 64):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            if family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
            sock.sendto(b"?", (address, 33434))
"""
"""Sends a traceroute's datagrams: one whose TTL ends here, and one whose TTL does not."""


@dataclass(frozen=True)
class Lab:
    surroundings: Surroundings
    unbound: Unbound
    routers: list[Router]
    filter: StandIn | None

    @classmethod
    def start(
        cls,
        worlds: Worlds,
        *without: tuple[str, str],
        filtered: bool = False,
    ) -> "Lab":
        """Start the appliance with its daemons, and raise its ports last. `without` is what is
        replaced in Unbound's configuration, `filtered` whether pf's stand-in is loaded."""
        surroundings = worlds.make()
        appliance, folder = surroundings.appliance, surroundings.world.folder
        if filtered:
            standin = StandIn.load(appliance)
        else:
            hush(appliance)
        zones = nameservers.serve(surroundings)
        routers = [surroundings.router(role, routes.ORDINARY[role][:10]) for role in routes.ROLES]
        surroundings.raise_ports()
        text = for_linux(UNBOUND, zones)
        for pattern, replacement in without:
            text = changed(text, pattern, replacement)
        unbound = Unbound.among(surroundings, text)
        (folder / "roas").write_text(routes.ROAS)
        bgpd = Bgpd(appliance, for_linux(BGPD, folder), folder)
        for router in routers:
            bgpd.daemon.wait("sessions", router.established)
        return cls(surroundings, unbound, routers, standin if filtered else None)

    def left(self, role: PortRole) -> list[Frame]:
        """Return all frames that have left a port so far."""
        return self.surroundings.captures[role].settle(self.surroundings.ports[role])

    def strays(self) -> dict[PortRole, list[str]]:
        """Return by port what left it and should not have."""
        return {role: outside(role).strays(self.left(role)) for role in OUTSIDE}

    def ask(self) -> None:
        """Ask the resolver for names whose zones are behind both ports and in both address
        families, without waiting for answers."""
        for zone in ZONES:
            name = f"www.{zone}.example"
            self.surroundings.rack.start(f"drill.{zone}", *self.unbound.question(name))

    def probe(self) -> None:
        """Send traceroutes from a neighbour, a stranger at the exchange and the Internet, to the
        ports' own addresses and to unused addresses of the scopes."""
        nobody = [str(scope[-2]) for scope in self.surroundings.site.scopes]
        for session in PLAN.sessions:
            party = self.surroundings.peers[session.peer.role]
            party.run(sys.executable, "-c", PROBE, str(session.local), *nobody)
            if session.port.role is PortRole.EXCHANGE:
                self.surroundings.stranger.run(sys.executable, "-c", PROBE, str(session.local))

    def caught(self) -> dict[str, int]:
        assert self.filter is not None
        return self.filter.caught()


def assert_nothing_strays(lab: Lab) -> None:
    strays = lab.strays()
    assert not any(strays.values()), strays


def assert_alive(lab: Lab, role: PortRole) -> None:
    """Whether BGP and the resolver's questions left by this port."""
    packets = [frame.packet for frame in lab.left(role) if frame.ethertype in (IPV4, IPV6)]
    assert any(packet.protocol == TCP and 179 in packet.ports for packet in packets)
    questions = {packet.source for packet in packets if packet.protocol == UDP}
    assert questions & set(PLAN.resolver)


@pytest.mark.xdist_group("live-leak")
class TestWithoutFilter:
    def test_the_rendered_daemons_leak_nothing(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds)
        for zone in ZONES:
            assert lab.unbound.ask(f"www.{zone}.example").rcode == "NOERROR"
        for role in OUTSIDE:
            assert_alive(lab, role)
        assert_nothing_strays(lab)

    def test_a_resolver_bound_to_everything_is_seen(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, *BOUND_TO_EVERYTHING)
        for zone in ZONES:
            assert lab.unbound.ask(f"www.{zone}.example").rcode == "NOERROR"
        strays = lab.strays()
        assert all(strays[role] for role in OUTSIDE)
        ports = {session.local for session in PLAN.sessions}
        sources = {
            frame.packet.source
            for role in OUTSIDE
            for frame in lab.left(role)
            if frame.ethertype in (IPV4, IPV6) and frame.packet.ports[1] == 53
        }
        assert {address.version for address in sources & ports} == {4, 6}

    def test_the_kernels_answers_to_traceroutes_are_seen(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds)
        lab.probe()
        wait("answers from the ports' addresses", lambda: all(lab.strays().values()))

    def test_the_fetching_of_a_zone_is_seen(self, worlds: Worlds) -> None:
        """Unbound's outgoing-interface is not for transfers (NLnetLabs/unbound#307), which is why
        the rendered configuration has none."""
        lab = Lab.start(worlds, FETCHED_ZONE)
        lab.unbound.daemon.wait("a copy of the root zone", lab.unbound.has_root_zone)
        assert any(lab.strays().values())


@pytest.mark.xdist_group("live-leak")
class TestFilter:
    """The same leaks with the rules of pf.conf."""

    def test_lets_the_rendered_daemons_work(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, filtered=True)
        for zone in ZONES:
            assert lab.unbound.ask(f"www.{zone}.example").rcode == "NOERROR"
        for role in OUTSIDE:
            assert_alive(lab, role)
        assert_nothing_strays(lab)

    def test_catches_a_resolver_bound_to_everything(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, *BOUND_TO_EVERYTHING, filtered=True)
        before = lab.caught()
        lab.ask()
        wait("catches", lambda: all(lab.caught()[rule] > before[rule] for rule in before))
        assert_nothing_strays(lab)

    def test_catches_the_kernels_answers_to_traceroutes(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, filtered=True)
        before = lab.caught()
        lab.probe()
        wait("catches", lambda: all(lab.caught()[rule] > before[rule] for rule in before))
        assert_nothing_strays(lab)

    def test_catches_the_fetching_of_a_zone(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, FETCHED_ZONE, filtered=True)
        lab.unbound.daemon.wait("a catch", lambda: lab.caught()["LEAK6"] > 0)
        assert_nothing_strays(lab)
