"""What neighbours announce to be refused, for any site, and what a site has to have for a check."""

from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.site.model import Peer, PeerRole, Policy, Routes, Site
from qemu.lab.faults import FAULTS
from qemu.lab.hearing import Announced
from qemu.lab.lab_site import EXAMPLE, SITE, fitted, on, read
from qemu.lab.need import BGP, EXCHANGE, OTHER_WAY, PAGES, all_let_out, lacking
from qemu.lab.offer import DEFAULT, LEAK, TABLES, WHY, announcer, families, offered, refusals
from qemu.lab.probes import CHECKS
from qemu.world.routes import unwanted

DEFAULT_ONLY = on("eth{}", EXAMPLE.with_stem("default-route"))
BUNDLED = fitted(read(EXAMPLE.with_stem("bundle")), "vtnet{}", bundles=True).site
PROVIDED = on("eth{}", EXAMPLE.with_stem("relays-only"))
EXAMPLES = sorted(EXAMPLE.parent.glob("*.yaml"))


def with_peers(*peers: Peer) -> Site:
    return replace(SITE, peers=peers)


def test_a_peer_with_both_families_announces_it_before_anybody_else() -> None:
    peer = announcer(SITE)
    assert (peer.name, families(SITE, peer)) == ("content-network", {4, 6})
    others = [one for one in SITE.peers if one.role is not PeerRole.PEER]
    assert announcer(with_peers(*others)).role is PeerRole.ROUTE_SERVER
    transits = [one for one in others if one.role is PeerRole.TRANSIT]
    static = replace(transits[0], routes=Routes.STATIC)
    assert announcer(with_peers(static, transits[1])) == transits[1]


def test_of_a_peer_everything_bad_comes_and_a_leak() -> None:
    offer = offered(SITE, announcer(SITE))
    assert set(offer.bad) == {*unwanted(SITE), LEAK}
    assert len(offer.good) == 2


def test_a_transit_leaks_nothing_and_one_family_gets_its_own_alone() -> None:
    transit = replace(SITE.peers[0], addresses=SITE.peers[0].addresses[:1])
    offer = offered(with_peers(transit), transit)
    assert LEAK not in offer.bad
    assert {route.prefix.version for route in offer.routes} == {4}


def test_a_transit_with_a_default_route_is_asked_for_nothing_else_and_has_little_room() -> None:
    (peer,) = DEFAULT_ONLY.peers
    offer = offered(DEFAULT_ONLY, peer)
    assert offer.good == ()
    assert DEFAULT not in offer.bad
    assert TABLES in offer.bad
    for version in (4, 6):
        some = [route for route in offer.routes if route.prefix.version == version]
        assert len(some) == (peer.max_prefix or 0) - 2
    free = replace(peer, max_prefix=None)
    assert len(offered(replace(DEFAULT_ONLY, peers=(free,)), free).routes) > len(offer.routes)


def test_the_reason_of_every_kind_is_known() -> None:
    kinds = {*unwanted(SITE), LEAK, TABLES}
    assert kinds == set(WHY)


def test_what_became_of_it_is_counted_by_kind() -> None:
    peer = announcer(SITE)
    offer = offered(SITE, peer)
    came = {route.prefix for route in offer.routes}
    bogons = {route.prefix for route in offer.bad["bogons"]}
    found = {one.kind: one for one in refusals(offer, peer, came, bogons)}
    assert (found["bogons"].came, found["bogons"].taken) == (len(bogons), len(bogons))
    assert found[LEAK].taken == 0
    assert found[LEAK].routes[0] == Announced("12.7.0.0/24", "65536 4100001000 3356")


def applying(site: Site) -> set[str]:
    return {name for name, check in CHECKS.items() if not check.lack(site)}


def test_every_check_applies_to_the_lab_s_own_site_and_every_fault_but_that_of_bundles() -> None:
    assert applying(SITE) == set(CHECKS) - {"alarmed"}
    assert CHECKS["alarmed"].lack(SITE) == "the site names nobody who is told of alarms"
    assert "alarmed" in applying(DEFAULT_ONLY)
    lacking = {fault.name: fault.lack(SITE) for fault in FAULTS if fault.lack(SITE)}
    assert lacking == {"member-unplugged": "no port has a bundle of cards"}
    assert not [fault.name for fault in FAULTS if fault.name in lacking and fault.lack(BUNDLED)]


def test_a_site_without_bgp_has_what_needs_none() -> None:
    own = {"fetched", "resolved", "healthy", "scraped", "contained", "unrecorded"}
    assert applying(PROVIDED) == own
    assert CHECKS["announced"].lack(PROVIDED) == (
        "the addresses are a provider's, so there is no BGP"
    )


def test_one_upstream_has_nothing_to_change_to() -> None:
    assert set(CHECKS) - applying(DEFAULT_ONLY) == {"failover", "drained", "permitted"}
    assert "no other way out" in CHECKS["failover"].lack(DEFAULT_ONLY)
    assert "no port leads to an exchange" in CHECKS["permitted"].lack(DEFAULT_ONLY)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_fault_that_applies_has_what_it_harms(path: Path) -> None:
    site = on("eth{}", path)
    names = {fault.name for fault in FAULTS if not fault.lack(site)}
    assert {"resolver-killed", "power-cut", "disk-full"} <= names
    assert ("bgpd-killed" in names) is (not site.provided)
    assert ("exchange-unplugged" in names) is (not lacking(site, [EXCHANGE, BGP]))
    assert ("max-prefix" in names) is any(one.role is PeerRole.PEER for one in site.peers)
    assert ("wrong-md5" in names) is (not lacking(site, [OTHER_WAY]))


def test_exits_that_let_out_no_web_serve_no_page() -> None:
    rules = ("reject 203.0.113.0/24:*", "accept *:443", "reject *:*")
    site = replace(SITE, relays=replace(SITE.relays, policy=Policy.OWN, rules=rules))
    assert (all_let_out(site, 80), all_let_out(site, 443)) == (False, True)
    assert "port 80" in lacking(site, [PAGES])
    for policy in (Policy.WEB, Policy.REDUCED, Policy.DEFAULT):
        other = replace(SITE, relays=replace(SITE.relays, policy=policy))
        assert all_let_out(other, 80)
        assert all_let_out(other, 443)
