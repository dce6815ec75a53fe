"""A table of routes through BGP policies, measured on this machine."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from firstboot.site import model as sites
from qemu.bench import bgp, feed
from qemu.bench.bgp import ACCEPTING, BIRD, RENDERED, Place, Seen
from qemu.bench.processes import memory, processor_seconds, settled, waits
from qemu.bench.speakers import Bird, OpenBgpd
from qemu.failure import Late
from qemu.world.bird import Route
from qemu.world.net import Failed, Unable, World, wait
from qemu.world.routes import unwanted

SEEN = Seen(2.0, 1.0, 50.0, 2.0, 1.0, 80.0, 90.0, 1.0, 0.5, True)
COUNT = 200


def test_a_table_has_its_prefixes_once_and_half_of_them_validated() -> None:
    routes = feed.table(COUNT)
    assert len({one.prefix for one in routes}) == len(routes) == COUNT + COUNT * 23 // 100
    origins = {one.prefix: one.path[-1] for one in routes}
    validated = dict(feed.validated(COUNT))
    assert len(validated) == len(routes) // 2
    assert validated.items() <= origins.items()


def test_each_side_comes_first_in_some_round_and_last_in_another() -> None:
    rounds = [bgp.in_turn((RENDERED, ACCEPTING, BIRD), turn) for turn in range(5)]
    assert all(set(one) == {RENDERED, ACCEPTING, BIRD} for one in rounds)
    assert len({one[0] for one in rounds}) == len({one[-1] for one in rounds}) == 3


def test_the_report_compares_the_sides_of_each_round() -> None:
    """A round on a slow machine has the ratio of a fast one."""
    found = {
        RENDERED: [SEEN, replace(SEEN, first=30.0)],
        ACCEPTING: [replace(SEEN, first=1.0, first_cost=0.0), replace(SEEN, first=20.0)],
        BIRD: [SEEN, SEEN],
    }
    told = bgp.report(found)
    assert "rendered / one rule, a table, s: 1.75 (1.50-2.00)" in told
    assert "rendered / one rule, the processor's time for it, s: 1.00 (1.00-1.00)" in told
    assert "rendered, another policy / both tables at first: 0.14 (0.03-0.25)" in told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for program in ("bird", "bgpd", "bgpctl"):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            pytest.skip(f"no {program} here")
    try:
        with World(tmp_path) as inside:
            yield inside
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.mark.xdist_group("world")
def test_a_daemon_is_measured_with_all_its_processes(world: World) -> None:
    """The shell only waits; its child works."""
    party = world.party("box")
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    daemon = party.start("busy", "sh", "-c", f"(sh -c '{busy}; sleep 60'); true")
    wait("work", lambda: waits(daemon))
    settled("work", daemon, lambda: True, 60)
    assert not waits(daemon)
    assert processor_seconds(daemon) > 0.05
    found = memory(daemon)
    assert 0 < found.fair <= found.shared
    with pytest.raises(Late, match="a wonder: did not come within 0 s"):
        settled("a wonder", daemon, lambda: False, 0.2)
    daemon.stop()
    with pytest.raises(Failed, match="tells no memory"):
        memory(daemon)


@pytest.mark.xdist_group("world")
def test_openbgpd_and_bird_take_the_same_routes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the two would be compared with different work."""
    site = sites.load(bgp.EXAMPLE).value
    usual = feed.table(COUNT)
    # RPKI knows another origin of the first route of the table, and none of these other prefixes.
    usual[0] = replace(usual[0], path=(4100000001, 4100000002))
    kinds = unwanted(site)
    kinds.pop("origins that RPKI calls invalid")
    bad = [route for routes in kinds.values() for route in routes]
    more = [
        Route(ip_network("12.128.0.0/23"), (4100000001,)),
        Route(ip_network("12.129.0.0/24"), (4100000001,), communities=("65535:0",)),
        Route(ip_network("12.130.0.0/24"), (4100000001,), communities=("65550:2:3",)),
        Route(ip_network("12.0.0.0/7"), (4100000001,)),
        Route(ip_network("12.131.0.0/24"), (4100000001,) * 63),
        Route(ip_network("12.132.0.0/24"), (4100000001,) * 64),
    ]
    table = [*usual, *bad, *more]
    monkeypatch.setattr(bgp, "table", lambda count: table)
    place = Place(world, COUNT)
    taken = {side: _taken(place, side, len(table)) for side in (RENDERED, BIRD, ACCEPTING)}
    assert taken[RENDERED] == taken[BIRD]
    assert len(taken[ACCEPTING]) > len(taken[RENDERED]) > COUNT
    assert taken[BIRD] == {
        *(str(one.prefix) for one in usual[1:]),
        *("12.128.0.0/23", "12.129.0.0/24", "12.130.0.0/24", "12.131.0.0/24"),
    }


def _taken(place: Place, side: str, number: int) -> set[str]:
    """The prefixes of the first transit that the policy of a side takes."""
    speaker = (Bird if side == BIRD else OpenBgpd)(place.box, place.texts[side][0])
    sessions = next(place.of_peers())
    place.feed.open(*sessions)
    wait("sessions", lambda: place.feed.established(*sessions))
    needed = 1 if side == BIRD else number
    settled("routes", speaker.daemon, lambda: speaker.has(needed), 60)
    if side == BIRD:
        said = place.box.run("birdc", "-s", "/run/bird.box", "show route where source = RTS_BGP")
        found = set(re.findall(r"(?m)^([0-9a-f.:]+/[0-9]+) ", said))
    else:
        said = place.box.run("bgpctl", "-j", "show", "rib")
        found = {one["prefix"] for one in json.loads(said)["rib"] if one["aspath"]}
    place.feed.shut()
    speaker.stop()
    return found


@pytest.mark.xdist_group("world")
def test_each_side_is_measured_and_keeps_its_sessions(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bgp, "ROUNDS", 1)
    bgp.measure(tmp_path / "out" / "bench.json", COUNT)
    told = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert told["routes"] == {"4": 200, "6": 46}
    assert told["rounds"].keys() == {RENDERED, ACCEPTING, BIRD}
    for (one,) in told["rounds"].values():
        assert one["kept"]
        assert one["first"] > 0
        assert one["reload"] > 0
        assert one["two_tables"] > one["one_table"] > 1
    assert "BIRD / one rule, memory with both, MiB: " in capsys.readouterr().out
