"""Machines on a LAN behind a box: what strangers reach of them, by the rules of the rehearsal.

The rules keep no states, so TCP alone is judged, as docs/site.md says. The kernel's pf judges the
rest in `tests/boot/test_pf.py`.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from firstboot.core.values import Interface
from firstboot.site.model import PortRole, Site
from firstboot.site.render import render
from image.rehearsal.build import program
from qemu.world.net import Party, World, need
from tests.boot.lan_packets import (
    CLOSED,
    CLOSED6,
    GATEWAY,
    GATEWAY6,
    MAIL,
    MAIL6,
    STRANGER,
    WEB,
    WEB6,
)
from tests.image.rehearsal.sites import on_linux
from tests.live.appliance import BOX
from tests.live.conftest import Worlds
from tests.live.connect import listen, misses, reaches

UPSTREAM = {4: "192.0.2.1", 6: "2001:db8:100::1"}
SINGLE = {4: 32, 6: 128}
MACHINES = (WEB, WEB6, MAIL, MAIL6, CLOSED, CLOSED6)
PORTS = (22, 25, 80, 443)


NOT_NAMED = [
    (one, port)
    for one, named in ((WEB, (443,)), (WEB6, (443,)), (MAIL, (25,)), (CLOSED, ()), (CLOSED6, ()))
    for port in PORTS
    if port not in named
]


class Rack:
    """A stranger, the box with the rehearsal's rules, and the machines behind it."""

    def __init__(self, world: World, folder: Path) -> None:
        need("nft", "nftables")
        program().write(folder)
        site: Site = on_linux("machines-on-a-lan")
        texts = {one.path: one.text for one in render(site, BOX, folder / "overlays")}
        transit, lan, management = (
            next(port for port in site.ports if port.role is role)
            for role in (PortRole.TRANSIT, PortRole.LAN, PortRole.MANAGEMENT)
        )
        self.box = world.party("box", forwarding=True)
        self.stranger = world.party("stranger")
        self.machines = world.party("machines")
        toward, behind = self.stranger.port("toward"), self.machines.port("lan")
        world.wire(toward, self.box.port(transit.device))
        world.wire(behind, self.box.port(lan.device))
        self.box.run("ip", "link", "add", management.device, "type", "bridge")
        for port in (transit, lan):
            self.box.port(port.device).up(*port.addresses)
        self.stranger.port("lo").up(*(f"{one}/{SINGLE[v]}" for v, one in STRANGER.items()))
        toward.up(*(f"{UPSTREAM[v]}/{length}" for v, length in ((4, 30), (6, 64))))
        behind.up(*(f"{one}/{64 if ':' in one else 26}" for one in MACHINES))
        for scope in site.scopes:
            _route(self.stranger, str(scope), transit.addresses)
        _route(self.box, "default", map(ip_interface, UPSTREAM.values()))
        _route(self.machines, "default", lan.addresses)
        self.box.run("nft", "-f", "-", given=texts["etc/rehearsal/nftables.conf"])
        listen(self.machines, "servers", *(f"{one}/{port}" for one in MACHINES for port in PORTS))
        listen(self.stranger, "server", *(f"{one}/443" for one in STRANGER.values()))
        listen(self.box, "logins", *(f"{face.ip}/22" for face in lan.addresses))


def _route(party: Party, to: str, hops: Iterable[Interface]) -> None:
    """By the hop of that family; `default` is both."""
    for hop in hops:
        if to == "default" or (":" in to) == (hop.version == 6):
            party.run("ip", f"-{hop.version}", "route", "add", to, "via", str(hop.ip))


@pytest.fixture(scope="module")
def rack(worlds: Worlds, tmp_path_factory: pytest.TempPathFactory) -> Rack:
    return Rack(worlds.empty(), tmp_path_factory.mktemp("rack"))


@pytest.mark.parametrize(
    ("address", "port"), [(WEB, 443), (WEB6, 443), (MAIL, 25), *((MAIL6, one) for one in PORTS)]
)
def test_strangers_reach_what_is_named(rack: Rack, address: str, port: int) -> None:
    assert reaches(rack.stranger, _stranger(address), address, port)


def test_strangers_reach_nothing_else(rack: Rack) -> None:
    calls = [*NOT_NAMED, (GATEWAY, 22), (GATEWAY6, 22)]
    reached = [
        (address, port)
        for address, port in calls
        if not misses(rack.stranger, _stranger(address), address, port)
    ]
    assert reached == []


@pytest.mark.parametrize("source", [WEB, CLOSED, CLOSED6])
def test_machines_reach_strangers(rack: Rack, source: str) -> None:
    assert reaches(rack.machines, source, _stranger(source), 443)


def _stranger(address: str) -> str:
    return STRANGER[ip_address(address).version]
