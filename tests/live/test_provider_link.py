"""A box with a provider's addresses on its link: it answers for each of them, and sends from no
other. The rehearsal's files, on a Linux kernel with nftables."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.commands import BOX
from firstboot.site.model import Port, Site
from firstboot.site.render import render
from image.rehearsal.build import program
from qemu.world.net import Party, World, need
from tests.image.rehearsal.sites import on_linux
from tests.live.connect import listen, misses, reaches

SITE: Site = on_linux("relays-only")
PLAN: Plan = allot(SITE)
LINK: Port = SITE.ports[0]
FAR = {4: "9.9.9.9", 6: "2620:fe::9"}
"""Somewhere on the Internet."""

FOREIGN = {4: "198.51.100.140", 6: "2001:db8:100::2"}
"""Somebody else's address on the link, and one of the link that the box may not use."""


class Link:
    """The box, and the provider's router at the other end of its cable."""

    def __init__(self, world: World, folder: Path) -> None:
        need("nft", "nftables")
        overlays = folder / "overlays"
        program().write(folder)
        texts = {file.path: file.text for file in render(SITE, BOX, overlays)}
        self.router, self.box = world.party("router", forwarding=True), world.party("box")
        wire = self.router.port("toward")
        world.wire(wire, self.box.port(LINK.device))
        self.box.run("ip", "link", "add", SITE.ports[1].device, "type", "bridge")
        (routed,) = PLAN.routed
        # A router asks from its address on the link, and nobody answers other questions there.
        self.router.run("sh", "-c", "echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce")
        wire.up("198.51.100.129/25", "fe80::1/64", "2001:db8:100::1/64")
        self.router.port("lo").up(f"{FAR[4]}/32", f"{FAR[6]}/128")
        self.router.run("ip", "route", "add", str(routed), "via", "2001:db8:100::2")
        settings = re.findall(
            r"^([a-z0-9._]+)=(\d+)$", texts["etc/rehearsal/sysctl.conf"], re.MULTILINE
        )
        lines = [f"echo {value} >/proc/sys/{name.replace('.', '/')}" for name, value in settings]
        lines += [
            # Not every kernel has dummies.
            texts["etc/rehearsal/network"].replace("type dummy", "type bridge"),
            *(f'echo "${part}" | ip -batch -' for part in ("links", "inside", "outside")),
            f"nft -f - <<'END'\n{texts['etc/rehearsal/nftables.conf']}END",
            'for port in $outside_ports; do ip link set "$port" up; done',
            'echo "$gateways" | ip -batch -',
        ]
        self.box.run("sh", "-ec", "\n".join(lines))
        served = {f"{one}/{relay.port}" for relay in PLAN.relays for one in relay.listen}
        served |= {f"{one}/80" for relay in PLAN.relays for one in relay.notice}
        served |= {f"{one}/443" for one in PLAN.router}
        listen(self.box, "relays", *sorted(served))
        listen(self.router, "far", *(f"{one}/443" for one in FAR.values()))


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    with World(tmp_path_factory.mktemp("world")) as world:
        yield Link(world, tmp_path_factory.mktemp("program"))


def reaches_relays(router: Party) -> None:
    for relay in PLAN.relays:
        for address in relay.listen:
            assert reaches(router, "", address, relay.port), address


def test_relays_and_notices_are_reached_by_the_link(link: Link) -> None:
    reaches_relays(link.router)
    for relay in PLAN.relays:
        for address in relay.notice:
            assert reaches(link.router, "", address, 80), address


def test_the_port_answers_for_its_aliases_alone(link: Link) -> None:
    there: list[Address] = [alias.address for alias in PLAN.aliases]
    assert len(there) >= 3
    reaches_relays(link.router)
    neighbours = link.router.run("ip", "neigh", "show", "dev", "toward")
    reached = set(re.findall(r"^(\S+) lladdr", neighbours, re.MULTILINE))
    assert {str(one) for relay in PLAN.relays for one in relay.listen if one in there} <= reached
    assert misses(link.router, "", FOREIGN[4], 443)
    assert FOREIGN[4] not in link.router.run("ip", "neigh", "show", "nud", "reachable")


def test_nothing_but_a_relay_is_reached_from_outside(link: Link) -> None:
    for address in PLAN.router:
        assert misses(link.router, "", address, 443), address


def test_every_own_address_reaches_the_internet_by_the_provider_s_router(link: Link) -> None:
    for relay in PLAN.relays:
        for address in (*relay.source, *relay.listen):
            assert reaches(link.box, address, FAR[address.version], 443), address


def test_nothing_leaves_from_an_address_that_is_not_the_box_s(link: Link) -> None:
    link.box.run("ip", "address", "replace", f"{FOREIGN[4]}/32", "dev", "lo1")
    for version in (4, 6):
        assert misses(link.box, FOREIGN[version], FAR[version], 443)
    rules = link.box.run("nft", "list", "table", "netdev", "exitisp")
    dropped = dict(re.findall(r"counter (leak[46]) \{\s+packets (\d+)", rules))
    assert int(dropped["leak4"])
    assert int(dropped["leak6"])
    link.box.run("ip", "address", "delete", f"{FOREIGN[4]}/32", "dev", "lo1")
