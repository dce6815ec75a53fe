"""Two boxes of one operator, each behind its own upstream, with a cable between them: the files of
the rehearsal, two OpenBGPD, BIRD as the upstreams and the Internet behind them.

OpenBGPD does not touch Linux's routes, so `Edge.follow` gives the kernel what it has chosen.
"""

import json
import re
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PeerRole, PortRole, Site
from firstboot.site.render import render
from image.rehearsal.build import program
from qemu.world import bird
from qemu.world.bird import Route, Router
from qemu.world.net import World, need, wait
from tests.image.rehearsal.sites import on_linux
from tests.live.appliance import BGPD, BOX, changed
from tests.live.connect import listen, misses, reaches

FAR = {4: "9.9.9.9", 6: "2620:fe::9"}
"""Somewhere on the Internet."""

CORE = 64505
"""The AS number of the network behind both upstreams."""

BETWEEN = {"a": ("11.0.1", "2d00:1"), "b": ("11.0.2", "2d00:2")}
"""Links of the upstreams to it: the network begins with this."""

NOBODYS = {"a": "198.51.100.120", "b": "198.51.100.250"}
"""An address of each part that nobody has."""

LEARNT = "source = RTS_BGP"
"""BIRD's filter for what others have sent."""

SESSIONS = {4: "edge4", 6: "edge6"}


class Edge:
    """One of the two boxes, with the rehearsal's rules, its BGP and listeners for its relays."""

    def __init__(self, world: World, name: str, folder: Path) -> None:
        self.name = name
        self.site: Site = on_linux(f"two-edges-{name}")
        self.plan: Plan = allot(self.site)
        self.box = world.party(f"edge-{name}")
        self._socket = f"/run/openbgpd/{name}.sock"
        self._texts = {one.path: one.text for one in render(self.site, BOX, folder / "overlays")}
        self._routes: dict[str, str] = {}

    def device(self, role: PortRole) -> str:
        return next(port.device for port in self.site.ports if port.role is role)

    def other(self, role: PeerRole) -> dict[int, Address]:
        """A neighbour's addresses, by family."""
        peer = next(peer for peer in self.site.peers if peer.role is role)
        return {address.version: address for address in peer.addresses}

    def start(self, folder: Path) -> None:
        wired = {self.device(PortRole.TRANSIT), self.device(PortRole.TWIN)}
        loose = [port.device for port in self.site.ports if port.device not in wired]
        settings = re.findall(
            r"^([a-z0-9._]+)=(\d+)$", self._texts["etc/rehearsal/sysctl.conf"], re.MULTILINE
        )
        lines = [f"echo {value} >/proc/sys/{name.replace('.', '/')}" for name, value in settings]
        lines += [f"ip link add {device} type bridge" for device in loose]
        lines += [
            # Not every kernel has dummies.
            self._texts["etc/rehearsal/network"].replace("type dummy", "type bridge"),
            *(f'echo "${part}" | ip -batch -' for part in ("links", "inside", "outside")),
            f"nft -f - <<'END'\n{self._texts['etc/rehearsal/nftables.conf']}END",
            'for port in $outside_ports; do ip link set "$port" up; done',
        ]
        self.box.run("sh", "-ec", "\n".join(lines))
        text = changed(self._texts[BGPD], r'"/var/db/rpki-client/openbgpd"', f'"{folder}/roas"')
        text = changed(text, r'"/var/db/exitisp/drained"', f'"{folder}/drained-{self.name}"')
        (folder / f"drained-{self.name}").write_text("")
        config = folder / f"bgpd-{self.name}.conf"
        config.touch(mode=0o600)
        config.write_text(f'socket "{self._socket}"\n{text}')
        self.box.run("mkdir", "-p", "/run/openbgpd")
        self.bgpd = self.box.start("bgpd", "bgpd", "-d", "-v", "-f", config)
        served = {f"{one}/{relay.port}" for relay in self.plan.relays for one in relay.listen}
        served |= {f"{one.ip}/22" for port in self.site.ports for one in port.addresses}
        listen(self.box, "relays", *sorted(served))

    def show(self, *what: str) -> dict[str, Any]:
        said = self.box.run("bgpctl", "-s", self._socket, "-j", "show", *what, check=False)
        return dict(json.loads(said)) if said.startswith("{") else {}

    def established(self, role: PeerRole) -> bool:
        return all(state == "Established" for state in self._states(role).values())

    def joined(self) -> bool:
        """Whether the session with the twin is up. Two bgpd that call each other at one moment both
        hang up, and call again after two minutes: so one of them calls before."""
        states = self._states(PeerRole.TWIN)
        if self.name == "a" and "Active" in states.values():
            for neighbour in states:
                self.control("neighbor", neighbour, "clear")
            time.sleep(1)
        return all(state == "Established" for state in states.values())

    def _states(self, role: PeerRole) -> dict[str, str]:
        wanted = {str(one) for one in self.other(role).values()}
        found = self.show("neighbor").get("neighbors", [])
        states = {one["remote_addr"]: one["state"] for one in found}
        return {one: states.get(one, "") for one in wanted}

    def control(self, *words: str) -> None:
        self.box.run("bgpctl", "-s", self._socket, *words)

    def chosen(self) -> dict[str, str]:
        """Prefix and next hop of every route that bgpd has chosen, but its own."""
        return {
            one["prefix"]: one["exit_nexthop"]
            for one in self.show("rib", "selected").get("rib", [])
            if one["exit_nexthop"] not in ("0.0.0.0", "::")
        }

    def follow(self) -> dict[str, str]:
        """The kernel has the routes that bgpd has chosen, and only those."""
        found = self.chosen()
        lines = [f"route delete {one}" for one in self._routes.keys() - found.keys()]
        for prefix, hop in found.items():
            source = self.plan.router.v6 if ":" in prefix else self.plan.router.v4
            lines.append(f"route replace {prefix} via {hop} src {source}")
        self.box.run("ip", "-force", "-batch", "-", given="\n".join([*lines, ""]), check=False)
        self._routes = found
        return found

    def knows_no_part(self) -> bool:
        chosen = self.follow()
        return not any(str(part) in chosen for part in self.plan.twins if part.version == 4)

    def counted(self, name: str) -> int:
        rules = self.box.run("nft", "list", "table", "netdev", "exitisp")
        found = re.search(rf"counter {name} {{\s+packets (\d+)", rules)
        assert found, rules
        return int(found[1])

    def drain(self, folder: Path, text: str) -> None:
        (folder / f"drained-{self.name}").write_text(text)
        self.control("reload")


class Pair:
    """Both boxes, their upstreams, and the Internet behind those."""

    def __init__(self, world: World, folder: Path) -> None:
        for name, package in (("nft", "nftables"), ("bgpd", "openbgpd"), ("bgpctl", "openbgpd")):
            need(name, package)
        self.world, self.folder = world, folder
        program().write(folder)
        (folder / "roas").write_text(
            "roa-set {\n198.51.100.0/24 source-as 64511\n2001:db8:ee::/48 source-as 64511\n}\n"
        )
        self.core = world.party("core", forwarding=True)
        self.core.port("lo").up(f"{FAR[4]}/32", f"{FAR[6]}/128")
        self.edges = {name: Edge(world, name, folder) for name in "ab"}
        one, other = self.edges.values()
        world.wire(
            one.box.port(one.device(PortRole.TWIN)), other.box.port(other.device(PortRole.TWIN))
        )
        self.upstreams = {name: self._upstream(edge) for name, edge in self.edges.items()}
        sessions = [
            bird.Session(f"{name}{version}", hop, there, CORE, asn)
            for name, (four, six) in BETWEEN.items()
            for asn in (self.upstreams[name].asn,)
            for version, hop, there in (
                (4, ip_address(f"{four}.1"), ip_address(f"{four}.2")),
                (6, ip_address(f"{six}::1"), ip_address(f"{six}::2")),
            )
        ]
        far = [Route.to("9.9.9.0/24"), Route.to("2620:fe::/48")]
        self.internet = Router(self.core, sessions, far, routing=True)
        for edge in self.edges.values():
            edge.start(folder)

    def _upstream(self, edge: Edge) -> Router:
        party = self.world.party(f"upstream-{edge.name}", forwarding=True)
        toward, beyond = party.port("toward"), party.port("beyond")
        self.world.wire(toward, edge.box.port(edge.device(PortRole.TRANSIT)))
        self.world.wire(beyond, self.core.port(f"to-{edge.name}"))
        here = edge.other(PeerRole.TRANSIT)
        toward.up(f"{here[4]}/30", f"{here[6]}/64")
        four, six = BETWEEN[edge.name]
        beyond.up(f"{four}.2/30", f"{six}::2/64")
        self.core.port(f"to-{edge.name}").up(f"{four}.1/30", f"{six}::1/64")
        peer = next(peer for peer in edge.site.peers if peer.role is PeerRole.TRANSIT)
        sessions = [
            bird.Session(
                SESSIONS[session.remote.version], session.remote, session.local, peer.asn,
                edge.site.as_number, password=peer.md5, exports=LEARNT,
            )
            for session in edge.plan.sessions
            if session.peer.role is PeerRole.TRANSIT
        ]  # fmt: skip
        sessions += [
            bird.Session(f"core{version}", hop, there, peer.asn, CORE, exports=LEARNT)
            for version, hop, there in (
                (4, ip_address(f"{four}.2"), ip_address(f"{four}.1")),
                (6, ip_address(f"{six}::2"), ip_address(f"{six}::1")),
            )
        ]
        return Router(party, sessions, [], routing=True)

    def settle(self, *without: str) -> None:
        """Wait until every edge but those in `without` has its upstream, and all have each other's
        parts and a way to the Internet, which their kernels know."""
        for name, edge in self.edges.items():
            edge.bgpd.wait("the twin", edge.joined)
            role = PeerRole.TWIN if name in without else PeerRole.TRANSIT
            hops = {str(one) for one in edge.other(role).values()}

            def there(edge: Edge = edge, hops: set[str] = hops) -> bool:
                chosen = edge.follow()
                far = {chosen.get("9.9.9.0/24"), chosen.get("2620:fe::/48")}
                return far == hops and {str(one) for one in edge.plan.twins} <= chosen.keys()

            edge.bgpd.wait("the routes", there)
        alive = {name for name in self.edges if name not in without}
        wait(
            "the scopes at the Internet's",
            lambda: len(self.ways()) == 2 and {*self.ways()} <= alive,
        )

    def ways(self) -> list[str]:
        """The edges to which the Internet sends what is for the scopes, of IPv4 and of IPv6."""
        routes = [
            self.core.run("ip", f"-{version}", "route", "get", address, check=False)
            for version, address in ((4, "198.51.100.1"), (6, "2001:db8:ee::1"))
        ]
        return [found for text in routes for found in re.findall(r"dev to-(\w)", text)]

    def wrong_edge(self) -> tuple[Edge, Edge]:
        """The edge at which all IPv4 arrives, and the other one."""
        at = self.ways()[0]
        return self.edges[at], self.edges["b" if at == "a" else "a"]

    def both_ways(self) -> None:
        """Every relay of each box is reached from the Internet, and reaches it."""
        for edge in self.edges.values():
            for relay in edge.plan.relays:
                for address in relay.listen:
                    assert reaches(self.core, FAR[address.version], address, relay.port), address
                for address in relay.source:
                    assert reaches(edge.box, address, FAR[address.version], 443), address


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with World(tmp_path_factory.mktemp("world")) as world:
        found = Pair(world, tmp_path_factory.mktemp("program"))
        listen(found.core, "far", *(f"{one}/443" for one in FAR.values()))
        yield found


@pytest.fixture
def settled(pair: Pair) -> Pair:
    pair.settle()
    return pair


def test_neighbours_hear_of_the_scopes_and_of_no_part(settled: Pair) -> None:
    for name, edge in settled.edges.items():
        heard = settled.upstreams[name].heard()
        for version, session in SESSIONS.items():
            scopes = {scope for scope in edge.site.scopes if scope.version == version}
            assert {route.prefix for route in heard[session]} == scopes


def test_each_box_hears_the_parts_of_the_other_with_it_as_the_next_hop(settled: Pair) -> None:
    for edge in settled.edges.values():
        twin = edge.other(PeerRole.TWIN)
        chosen = edge.chosen()
        for part in edge.plan.twins:
            assert chosen[str(part)] == str(twin[part.version])
        assert not {str(scope) for scope in edge.site.scopes} & chosen.keys()


def test_the_relays_of_both_are_reached_at_whichever_edge(settled: Pair) -> None:
    settled.both_ways()
    one, other = settled.edges.values()
    for edge, twin in ((one, other), (other, one)):
        relay, there = edge.plan.relays[0], twin.plan.relays[0]
        for source, address in zip(relay.source, there.listen, strict=True):
            assert reaches(edge.box, source, address, there.port)


@pytest.mark.parametrize("name", ["a", "b"])
def test_one_edge_carries_both_boxes_when_the_other_upstream_is_gone(
    settled: Pair, name: str
) -> None:
    upstream = settled.upstreams[name]
    upstream.shut(*SESSIONS.values())
    try:
        settled.settle(name)
        settled.both_ways()
    finally:
        upstream.open(*SESSIONS.values())


def test_without_the_cable_nothing_for_the_twin_leaves_by_another_port(settled: Pair) -> None:
    one, other = settled.edges.values()
    cable = one.box.port(one.device(PortRole.TWIN))
    cable.down()
    other.box.port(other.device(PortRole.TWIN)).down()
    try:
        for edge in (one, other):
            edge.control("neighbor", str(edge.other(PeerRole.TWIN)[4]), "down")
            edge.bgpd.wait("the end of its parts", edge.knows_no_part)
        edge, twin = settled.wrong_edge()
        relay = twin.plan.relays[0]
        assert misses(settled.core, FAR[4], relay.listen.v4, relay.port)
        assert edge.counted("leak4") == 0
    finally:
        cable.up()
        other.box.port(other.device(PortRole.TWIN)).up()
        for edge in (one, other):
            edge.control("neighbor", str(edge.other(PeerRole.TWIN)[4]), "up")


def test_a_packet_for_nobody_goes_over_the_cable_once(settled: Pair) -> None:
    edge, twin = settled.wrong_edge()
    device = edge.device(PortRole.TWIN)

    def frames() -> int:
        counters = ("rx_packets", "tx_packets")
        return sum(
            int(edge.box.run("cat", f"/sys/class/net/{device}/statistics/{one}"))
            for one in counters
        )

    before = frames()
    assert misses(settled.core, FAR[4], NOBODYS[twin.name], 443)
    assert 1 <= frames() - before < 40, "a loop would end after 60 frames"


def test_the_twin_reaches_no_address_of_a_port(settled: Pair) -> None:
    one, other = settled.edges.values()
    for edge, twin in ((one, other), (other, one)):
        before = edge.counted("unasked")
        for port in edge.site.ports:
            if port.role in (PortRole.TRANSIT, PortRole.TWIN):
                address = next(face.ip for face in port.addresses if face.version == 4)
                twin.box.run("ip", "route", "replace", f"{address}/32", "via",
                             str(twin.other(PeerRole.TWIN)[4]))  # fmt: skip
                assert misses(twin.box, twin.plan.relays[0].source.v4, address, 22)
                twin.box.run("ip", "route", "delete", f"{address}/32")
        assert edge.counted("unasked") > before


def test_a_foreign_source_leaves_neither_by_the_own_edge_nor_by_the_twin_s(settled: Pair) -> None:
    edge = settled.edges["a"]
    foreign = "203.0.113.77"
    edge.box.run("ip", "address", "replace", f"{foreign}/32", "dev", "lo1")
    before = edge.counted("leak4")
    assert misses(edge.box, foreign, FAR[4], 443)
    assert edge.counted("leak4") > before
    settled.upstreams["a"].shut(*SESSIONS.values())
    try:
        settled.settle("a")
        before = edge.counted("leak4")
        assert misses(edge.box, foreign, FAR[4], 443)
        assert edge.counted("leak4") > before
    finally:
        settled.upstreams["a"].open(*SESSIONS.values())
        edge.box.run("ip", "address", "delete", f"{foreign}/32", "dev", "lo1")


def test_a_drained_edge_keeps_the_twin_and_both_go_by_the_other(settled: Pair) -> None:
    edge = settled.edges["b"]
    remotes = edge.other(PeerRole.TRANSIT).values()
    edge.drain(
        settled.folder,
        "".join(
            f"match to {one} set community GRACEFUL_SHUTDOWN\nmatch from {one} set localpref 0\n"
            for one in remotes
        ),
    )
    try:
        settled.settle("b")
        settled.both_ways()
    finally:
        edge.drain(settled.folder, "")
