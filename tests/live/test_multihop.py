"""A session with a loopback two hops away: a real router in between, and GTSM by hops."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from firstboot.site import model as sites
from firstboot.site.address_plan import allot
from qemu.world import bird
from qemu.world.bird import Route, Router
from qemu.world.net import Party, World
from qemu.world.packets import IPV4, IPV6, TCP
from qemu.world.recording import Capture
from tests.live.appliance import BGPD, Bgpd, for_linux
from tests.live.conftest import Worlds
from tests.live.test_bgp import own
from tests.live.world import SITE_FILE

pytestmark = pytest.mark.xdist_group("live-multihop")

LOOPBACKS = ("203.0.112.1", "2001:db8:fff::1")
GATEWAYS = ("192.0.2.1", "2001:db8:100::1")
TAKEN = ("12.9.0.0/24", "2d09::/32")


def site_file(folder: Path, hops: int = 2, gtsm: str = "yes") -> Path:
    """The live tests' site with its upstream alone, whose sessions are with its loopback."""
    text = SITE_FILE.read_text()
    before, _, rest = text.partition("\npeers:\n")
    after = rest.partition("\nrelays:\n")[2]
    path = folder / "site.yaml"
    path.write_text(
        f"{before}\npeers:\n"
        "  - name: upstream\n"
        "    asn: 4100000001\n"
        "    role: transit\n"
        f"    addresses: {quoted(LOOPBACKS)}\n"
        f"    gateway: {quoted(GATEWAYS)}\n"
        f"    hops: {hops}\n"
        f"    gtsm: {gtsm}\n"
        "    md5: PCmxV4ElPLGCfHQWBPsW2t9q\n"
        f"\nrelays:\n{after}"
    )
    return path


def quoted(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(repr(one) for one in texts)}]"


class Way:
    """The box, the routers between it and its upstream, none of which speaks BGP, and the upstream,
    with sessions from its loopback."""

    def __init__(self, world: World, path: Path, between: int = 1) -> None:
        self.path, self.folder = path, world.folder
        self.site = sites.load(path).value
        self.sessions = allot(self.site).far
        self.box, self.upstream = world.party("box"), world.party("upstream")
        routers = [world.party(f"router{n}", forwarding=True) for n in range(between)]
        chain = [*routers, self.upstream]
        (port,) = {one.port.device: one.port for one in self.sessions}.values()
        self.port, beside = self.box.port(port.device), routers[0].port("beside")
        world.wire(self.port, beside)
        self._wire = Capture(beside)
        self.box.port("lo").up(
            *(f"{one}/{one.max_prefixlen}" for one in allot(self.site).addresses)
        )
        self.port.up(*port.addresses)
        nets = [face.network for face in port.addresses]
        beside.up(*(f"{one}/{net.prefixlen}" for one, net in zip(GATEWAYS, nets, strict=True)))
        self.upstream.port("lo").up(f"{LOOPBACKS[0]}/32", f"{LOOPBACKS[1]}/128")
        for at, (near, far) in enumerate(itertools.pairwise(chain)):
            one, other = near.port("behind"), far.port("before")
            world.wire(one, other)
            one.up(f"11.7.{at}.1/30", f"2d0f:7:{at}::1/64")
            other.up(f"11.7.{at}.2/30", f"2d0f:7:{at}::2/64")
            _route(near, LOOPBACKS, (f"11.7.{at}.2", f"2d0f:7:{at}::2"))
            _route(far, [str(net) for net in nets], (f"11.7.{at}.1", f"2d0f:7:{at}::1"))

    def raise_routes(self) -> None:
        """Add the routes to the neighbours, as rc.d/exitisp_ports does when the ports go up."""
        for one in self.sessions:
            _route(self.box, [str(one.remote)], [str(one.first_hop)])

    def bird(self) -> Router:
        """The upstream's BIRD, which itself takes sessions from everywhere."""
        found = [
            bird.Session(
                f"appliance{one.remote.version}",
                one.remote,
                one.local,
                one.peer.asn,
                self.site.as_number,
                "provider",
                password=one.peer.md5,
                hops=255,
            )
            for one in self.sessions
        ]
        return Router(self.upstream, found, [Route.to(prefix) for prefix in TAKEN])

    def bgpd(self) -> Bgpd:
        (self.folder / "roas").write_text("")
        return Bgpd(self.box, for_linux(BGPD, self.folder, self.path), self.folder)

    def packets(self, source: str) -> list[str]:
        """Where the packets of TCP on the box's wire go that have this source."""
        frames = [one for one in self._wire.frames() if one.ethertype in (IPV4, IPV6)]
        found = [one.packet for one in frames]
        tcp = (one for one in found if one.protocol == TCP)
        return [str(one.destination) for one in tcp if str(one.source) == source]


def _route(party: Party, to: list[str] | tuple[str, ...], via: list[str] | tuple[str, ...]) -> None:
    for one, router in itertools.product(to, via):
        if (":" in one) == (":" in router):
            party.run("ip", "route", "add", one, "via", router)


Make = Callable[..., Way]


@pytest.fixture
def make(worlds: Worlds) -> Make:
    return lambda path, between=1: Way(worlds.empty(), path, between)


def test_a_session_with_a_loopback_behind_a_router_comes_up_and_carries_routes(
    make: Make, tmp_path: Path
) -> None:
    way = make(site_file(tmp_path))
    way.raise_routes()
    router, bgpd = way.bird(), way.bgpd()
    bgpd.daemon.wait("the sessions", router.established)
    bgpd.daemon.wait("the routes", lambda: {prefix for prefix, _ in bgpd.accepted()} == {*TAKEN})
    bgpd.daemon.wait("the own scopes", lambda: router.heard() == own(router))
    assert {one["exit_nexthop"] for one in bgpd.routes() if one["aspath"]} == {*LOOPBACKS}
    for local, loopback in zip(("192.0.2.2", "2001:db8:100::2"), LOOPBACKS, strict=True):
        assert {*way.packets(local)} == {loopback}


def test_without_its_routes_no_session_comes_up_and_nothing_leaves_for_it(
    make: Make, tmp_path: Path
) -> None:
    way = make(site_file(tmp_path))
    router, bgpd = way.bird(), way.bgpd()
    bgpd.daemon.wait("attempts", lambda: bgpd.daemon.said().count("unreachable") >= 2)
    assert not any(router.established(name) for name in router.heard())
    assert way.packets("192.0.2.2") == []


def test_what_comes_from_one_hop_further_is_ignored_with_gtsm(make: Make, tmp_path: Path) -> None:
    """The box's first packet (SYN) gets there, and the upstream's answer comes by the wire; but its
    TTL is too small for the box."""
    way = make(site_file(tmp_path), 2)
    way.raise_routes()
    router, bgpd = way.bird(), way.bgpd()
    bgpd.daemon.wait("answers", lambda: way.packets(LOOPBACKS[0]).count("192.0.2.2") >= 4)
    assert not router.established("appliance4")
    assert bgpd.received() == 0


def test_the_same_session_comes_up_without_gtsm(make: Make, tmp_path: Path) -> None:
    way = make(site_file(tmp_path, hops=3, gtsm="no"), 2)
    way.raise_routes()
    router, bgpd = way.bird(), way.bgpd()
    bgpd.daemon.wait("the sessions", router.established)
