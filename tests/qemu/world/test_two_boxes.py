"""Two boxes of one operator in one simulated Internet, with a wire between them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.model import PeerRole, PortRole, Site
from firstboot.site.writer import compose
from qemu.lab.lab_site import EXAMPLE, feed, on
from qemu.world import trust
from qemu.world.egress_rule import rule
from qemu.world.internet import Internet
from qemu.world.net import Unable, wait
from qemu.world.reach import Reach, unreachable
from tests.live.appliance import BGPD, Bgpd, for_linux
from tests.qemu.world.box import Box

pytestmark = pytest.mark.xdist_group("world")

HOLD = 15


def unsigned(site: Site) -> Site:
    """`site` with no secret between the boxes: OpenBGPD before 8.5 on Linux answers none that
    signs."""
    peers = (replace(one, md5=None) if one.role is PeerRole.TWIN else one for one in site.peers)
    return replace(site, peers=tuple(peers))


SITES = [unsigned(on("eth{}", EXAMPLE.with_stem(f"two-edges-{name}"))) for name in "ab"]


def address(site: Site) -> Address:
    """One that the box has and the other one has not."""
    return next(one for one in allot(site).relays[0].source if one.version == 4)


def twin(site: Site) -> str:
    """The other box's address on the wire between the two."""
    return str(next(one for one in site.twin.addresses if one.version == 4))  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def boxes(trusted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Box]]:
    """Both boxes with bgpd. Since that writes no routes on Linux, theirs are static: to the
    transit, and to the other box for what it has."""
    folder = tmp_path_factory.mktemp("two")
    one, other = SITES
    with ExitStack() as stack:
        try:
            world = Internet(one, folder, trust.make(trusted, one), feed(one), HOLD, "a")
            first = stack.enter_context(world)
        except Unable as reason:
            pytest.skip(str(reason))
        second = stack.enter_context(first.joined(other, feed(other), "b"))
        boxes = [Box(internet) for internet in (first, second)]
        for box in boxes:
            site, place = box.internet.site, tmp_path_factory.mktemp("box")
            (place / "site.yaml").write_text(compose(site))
            (place / "roas").write_text(first.trust.roas)
            text = for_linux(BGPD, place, place / "site.yaml")
            text += f'socket "/run/openbgpd/{box.party.name}.sock"\n'
            bgpd = Bgpd(box.party, text, place)
            for network in allot(site).twins:
                if network.version == 4:
                    box.route(str(network), twin(site))
            bgpd.daemon.wait("sessions with everybody", box.internet.established)
        yield boxes


def test_each_box_has_its_own_neighbours_and_both_announce_the_scopes(boxes: list[Box]) -> None:
    heard = {
        name: {route.prefix for route in box.internet.heard(name)}
        for box in boxes
        for name in box.internet.routers
        if name.startswith("upstream")
    }
    assert heard == {"upstream-a": {*SITES[0].scopes}, "upstream-b": {*SITES[0].scopes}}
    parties = set(boxes[0].internet.parties)
    assert {"a-upstream-a", "b-upstream-b", "a-stranger-exchange", "web"} <= parties


def test_each_box_is_reached_and_by_the_other_when_its_cables_are_out(boxes: list[Box]) -> None:
    first = boxes[0]
    wanted = [address(site) for site in SITES]
    reach = Reach(first.internet.parties["client"], wanted)

    def answers() -> list[frozenset[Address]]:
        """Who answered each request but the last ones, which may be answered yet."""
        return [one.answered for one in reach.rounds()[:-2]]

    wait("answers of both", lambda: {*wanted} in answers())
    for port in SITES[0].ports:
        if port.role.outside:
            first.internet.cables[port.name].unplug()
    first.route("default", twin(SITES[0]))
    wait("the end of its sessions", lambda: first.internet.down() == ["upstream-a", "route-server"])
    count = len(answers())
    wait("answers by the other box", lambda: {*wanted} in answers()[count:])
    wire = first.internet.cables["twin"]
    before = len(wire.settle())
    wait("them on the wire between the boxes", lambda: len(wire.settle()) > before)
    wire.unplug()
    wait("none of the first box", lambda: answers()[-1] == {wanted[1]})
    rounds = reach.rounds()
    assert unreachable(wanted[0], rounds, rounds[-1].at) > 0


def test_the_wire_between_them_carries_what_it_may_and_other_packets_are_seen(
    boxes: list[Box],
) -> None:
    for box in boxes:
        (port,) = (one for one in box.internet.site.ports if one.role is PortRole.TWIN)
        sent = box.internet.cables[port.name].settle()
        its = rule(box.internet.site, port)
        assert len(sent) > 10
        assert its.strays(sent) == []
        assert its.scopes != its.strangers_to
        swapped = replace(its, scopes=its.strangers_to, strangers_to=its.scopes)
        assert swapped.strays(sent)
