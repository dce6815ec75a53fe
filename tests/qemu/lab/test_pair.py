"""Two boxes in one lab: sites that are a pair, what their outages mean, and the failover of two
boxes with a rehearsal's files and real daemons on this host."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from firstboot.core.refusal import Refusal
from firstboot.core.values import Asn
from firstboot.site.model import PeerRole, PortRole, Site
from qemu.lab import pair as pairs
from qemu.lab.failover import FAILOVERS, LASTS, named, reachable, tried
from qemu.lab.lab_site import EXAMPLE, feed, read
from qemu.lab.pair import Pair
from qemu.lab.pair_site import alone, paired
from qemu.lab.picture import draw, draw_narrow
from qemu.lab.probes import announced
from qemu.lab.progress import Progress
from qemu.lab.report import Origin, Outage, Report, Trial, render_html, render_json
from qemu.lab.systems import HARDENEDBSD, REHEARSAL
from qemu.world import trust
from qemu.world.internet import Internet
from qemu.world.net import Unable, wait
from tests.qemu.lab.rehearsed import RehearsedBox, lab_of

ONE, OTHER = (read(EXAMPLE.with_stem(f"two-edges-{name}")) for name in "ab")

HOLD = 15

STRAY = """\
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("{source}", 0))
    sock.sendto(b"?", ("{destination}", 53))
"""
"""Sends from the address of the port between the boxes."""


def signing(site: Site) -> Site:
    """`site` with a secret between the boxes."""
    peers = (
        replace(one, md5="hQ3xZkM7sVwD2pLr9TfBn5Ya") if one is site.twin else one
        for one in site.peers
    )
    return replace(site, peers=tuple(peers))


def outage(far: float, near: float, *, only_near: bool = False) -> Outage:
    both = {"a": 0.0, "b": far}
    return Outage("f", "Something.", both, {"a": 0.0, "b": near}, ("a", "b"), only_near, 45.0)


def test_two_sites_of_a_pair_share_a_secret_that_a_rehearsal_leaves_out() -> None:
    one, other = (signing(site) for site in (ONE, OTHER))
    for system in (HARDENEDBSD, REHEARSAL):
        secrets = [
            peer.md5
            for fit in paired(one, other, system)
            for peer in fit.site.peers
            if peer.role is PeerRole.TWIN
        ]
        assert len(set(secrets)) == 1
        assert (secrets[0] is None) == (system is REHEARSAL)
        cuts = [cut for fit in paired(one, other, system) for cut in fit.cuts]
        assert any("between the boxes has no secret" in cut for cut in cuts) == (
            system is REHEARSAL
        )


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (ONE, read(EXAMPLE), "no peer has the role twin"),
        (ONE, ONE, "is no address of the port"),
        (ONE, replace(OTHER, asn=Asn(64510)), "is another AS number than AS64510"),
        (
            ONE,
            replace(OTHER, scopes=(ip_network("198.51.100.0/24"),)),
            "2001:db8:ee::/48 is in one of the two sites alone",
        ),
    ],
    ids=["one alone", "the same twice", "another ASN", "another scope"],
)
def test_two_sites_that_are_no_pair_are_refused(one: Site, other: Site, said: str) -> None:
    with pytest.raises(Refusal) as refusal:
        paired(one, other, REHEARSAL)
    assert said in str(refusal.value)


def test_one_of_two_boxes_is_refused_with_what_to_give() -> None:
    with pytest.raises(Refusal) as refusal:
        alone(ONE)
    assert "--site A --site B" in str(refusal.value)
    alone(read(EXAMPLE))


def test_a_fault_that_there_is_not_is_refused_with_those_there_are() -> None:
    assert named("all") == FAILOVERS
    assert [one.name for one in named("a-off")] == ["a-off"]
    with pytest.raises(Refusal) as refusal:
        named("power-cut")
    assert all(one.name in str(refusal.value) for one in FAILOVERS)


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (outage(45.0, 60.0), True),
        (outage(45.5, 0.0), False),
        (outage(60.0, 0.5, only_near=True), True),
        (outage(0.0, 45.5, only_near=True), False),
    ],
)
def test_an_outage_is_judged_by_the_hold_time_where_it_has_to_be_seen(
    found: Outage, holds: bool
) -> None:
    a, b = reachable(found)
    assert a.holds
    assert b.holds == holds


def test_a_box_that_is_off_is_not_judged() -> None:
    (off,) = named("a-off")
    found = Outage("a-off", "", {"a": 99.0, "b": 1.0}, {"a": 99.0, "b": 1.0}, off.stay, False, 45.0)
    assert [one.name for one in reachable(found)] == ["b: reachable"]


def test_a_report_has_the_outages_and_both_boxes() -> None:
    began = datetime(2026, 12, 1, tzinfo=UTC)
    origin = Origin("i.img", "ab", "rehearsal", "c", began, "TCG", "a.yaml and b.yaml")
    trials = (Trial("sound", "Nothing is wrong.", ()),)
    report = Report(origin, (), trials, (), None, outages=(outage(50.0, 0.5),))
    page = render_html(report, ONE, OTHER)
    assert '<td data-label="addresses of b" class="no">50.0 s</td>' in page
    assert 'href="#failover"' in page
    assert '"far"' in render_json(report)
    near = replace(report, outages=(outage(50.0, 0.5, only_near=True),))
    text = render_html(near, ONE, OTHER)
    assert "0.5 s from its own upstream" in text
    assert "50.0 s from afar" in text
    assert "failover" not in render_html(replace(report, outages=()), ONE).lower()


def test_a_drawing_has_both_boxes_and_the_wire_between_them() -> None:
    wide, narrow = draw(ONE, OTHER), draw_narrow(ONE, OTHER)
    for text in (wide, narrow):
        assert {">a<", ">b<", ">upstream-a<", ">upstream-b<"} <= {
            f">{part.partition('<')[0]}<" for part in text.split(">")
        }
    assert wide.count(" H10 V") == 1
    assert " H10 V" not in draw(ONE)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("world", "keys", "a", "b")}
    one, other = (fit.site for fit in paired(ONE, OTHER, REHEARSAL))
    with ExitStack() as stack:
        try:
            trusted = trust.make(folders["keys"], one)
            world = Internet(one, folders["world"], trusted, feed(one), HOLD, "a")
            first = stack.enter_context(world)
            second = stack.enter_context(first.joined(other, feed(other), "b"))
            boxes = [
                RehearsedBox(internet, folders[internet.topology.name])
                for internet in (first, second)
            ]
        except Unable as reason:
            pytest.skip(str(reason))
        progress = Progress()
        a, b = (lab_of(box, progress) for box in boxes)
        pair = pairs.beside(a, b)
        pairs.together(pair)
        everybody = {*pair.far.addresses}
        wait("answers of all", lambda: everybody in [one.answered for one in pair.far.rounds()])
        yield pair


@pytest.mark.xdist_group("pair")
@pytest.mark.parametrize("name", ["a-unplugged", "twin-unplugged"])
def test_addresses_stay_reachable_when_cables_are_pulled(pair: Pair, name: str) -> None:
    """How long they are not is for a quiet machine: here it has to end before the fault does."""
    (fault,) = named(name)
    trial, outage = tried(replace(fault, after=(pairs.joined, announced)), pair)
    failed = [one for one in trial.verdicts if not one.holds and "reachable" not in one.name]
    assert failed == []
    seen = outage.near if fault.near else outage.far
    assert max(seen.values()) < LASTS * HOLD
    sent = [pair.lab(lab.name).sent(pairs.twin_port(lab).name) for lab in pair.labs]
    assert all(sent)
    if name == "a-unplugged":
        assert outage.near["a"] > HOLD


@pytest.mark.xdist_group("pair")
def test_what_is_not_for_the_wire_between_them_is_seen(pair: Pair) -> None:
    assert pairs.between(pair.one).holds
    (port,) = (one for one in pair.one.site.ports if one.role is PortRole.TWIN)
    face = next(one for one in port.addresses if one.version == 4)
    stray = STRAY.format(source=face.ip, destination=face.ip + 1)
    pair.one.appliance.said(f"nft flush ruleset; {sys.executable} -c '{stray}'")
    assert not pairs.between(pair.one).holds
