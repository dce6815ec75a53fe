"""What a site asks of the machine follows from the site, and each figure names its source."""

from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.site.check_sites import check_sites
from firstboot.site.commands import BOX
from firstboot.site.model import PeerRole, Routes, Site, load
from firstboot.site.needs import SYSTEM_MIB, Need, needs, told, too_small
from firstboot.site.profiles import Machine
from firstboot.site.render import render
from tests.firstboot.site.sites import EXAMPLES, ONE, ROOT, TWO, changed

SITE = load(ONE).value


def part(site: Site, word: str) -> Need:
    (one,) = (one for one in needs(site).parts if word in one.why)
    return one


def bgp(site: Site) -> list[int]:
    return [one.mib for one in needs(site).parts if "bgpd" in one.why]


def with_relays(count: int, mbit: int | None = None) -> Site:
    return replace(SITE, relays=replace(SITE.relays, count=count, bandwidth_mbit=mbit))


def with_transit(routes: Routes, site: Site = SITE) -> Site:
    peers = (replace(p, routes=routes) if p.role is PeerRole.TRANSIT else p for p in site.peers)
    return replace(site, peers=tuple(peers))


def test_each_relay_asks_for_a_core_memory_and_states() -> None:
    four, eight = needs(with_relays(4)), needs(with_relays(8))
    assert (four.cores, eight.cores) == (4, 8)
    assert part(with_relays(8), "relay").mib == 2 * part(with_relays(4), "relay").mib == 8 * 1536
    assert eight.mib > four.mib + 4 * 1536
    assert eight.states == pytest.approx(2 * four.states, abs=1)


@pytest.mark.parametrize(("mbit", "cores"), [(50, 1), (100, 2), (400, 8), (1000, 8), (None, 8)])
def test_relays_with_a_limit_share_cores(mbit: int | None, cores: int) -> None:
    assert needs(with_relays(8, mbit)).cores == cores


def test_a_full_table_asks_for_what_was_measured_and_two_for_twice_as_much() -> None:
    assert bgp(SITE)[0] == 786
    assert bgp(load(TWO).value)[0] == 2 * 786


def test_a_transit_with_one_version_of_ip_sends_no_table_of_the_other() -> None:
    peers = (
        replace(p, addresses=tuple(a for a in p.addresses if a.version == 6))
        if p.role is PeerRole.TRANSIT
        else p
        for p in SITE.peers
    )
    assert bgp(replace(SITE, peers=tuple(peers)))[0] == 147  # 786 * 230,000 / 1,230,000


@pytest.mark.parametrize("routes", [Routes.DEFAULT, Routes.STATIC])
def test_a_default_route_needs_no_table(routes: Routes) -> None:
    assert bgp(with_transit(routes)) == bgp(SITE)[1:]


def test_peers_are_counted_at_the_most_that_they_can_send() -> None:
    (*_, before) = bgp(SITE)
    peers = tuple(
        replace(p, max_prefix=1000) if p.role is PeerRole.ROUTE_SERVER else p for p in SITE.peers
    )
    (*_, after) = bgp(replace(SITE, peers=peers))
    assert after < before
    assert "72,000 routes" in part(replace(SITE, peers=peers), "sessions allow").why


def test_a_site_without_bgp_asks_for_no_memory_of_bgpd() -> None:
    assert bgp(load(ROOT / "examples/relays-only.yaml").value) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_cache_is_what_a_machine_of_that_size_gets(example: Path) -> None:
    """`needs` and what is rendered for as much memory as it asks for agree."""
    site = load(example).value
    asked = needs(site)
    files = render(site, replace(BOX, memory_mib=asked.mib), overlays())
    (text,) = (file.text for file in files if file.path.endswith("unbound.conf"))
    lines = [line.split() for line in text.splitlines() if "-cache-size: " in line]
    sizes = {name: int(size.rstrip("m")) for name, size in lines}
    assert len(sizes) == 4
    assert sum(sizes.values()) == part(site, "caches").mib


def test_a_cache_that_the_site_names_is_counted_with_what_is_sized_by_it() -> None:
    site = replace(SITE, dns=replace(SITE.dns, cache_mib=1600))
    assert part(site, "caches").mib == 1600 + 200 + 100
    assert "dns.cache_mib" in part(site, "caches").why


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_figure_names_its_source(example: Path) -> None:
    asked = needs(load(example).value)
    lines = told("site.yaml", asked).splitlines()
    assert lines[0] == f"site.yaml asks for {asked.size}:"
    assert len(lines) == len(asked.parts) + 2
    assert all(line.endswith(")") for line in lines[1:])
    assert all(one.source for one in asked.parts)
    assert sum(one.mib for one in asked.parts) == asked.mib >= SYSTEM_MIB


def test_a_machine_that_suits_draws_no_warning_and_one_that_is_too_small_says_what_it_lacks() -> (
    None
):
    asked = needs(SITE)
    assert list(too_small(asked, Machine(asked.cores, asked.mib))) == []
    # Firmware and kernel keep some.
    assert list(too_small(asked, Machine(asked.cores, asked.mib * 97 // 100))) == []
    (slow,) = too_small(asked, Machine(1, asked.mib))
    assert "this machine has 1 core, and the site asks for about 4 cores" in slow.reason
    (small,) = too_small(asked, Machine(4, 2048))
    assert "this machine has 2048 MiB of memory, and" in small.reason
    (both,) = too_small(asked, Machine(2, 2048))
    assert "this machine has 2 cores and 2048 MiB of memory, and" in both.reason


def test_check_warns_only_where_the_machine_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    check_sites([ONE])
    assert "this machine has" not in capsys.readouterr().out
    check_sites([ONE], Machine(1, 1024))
    out = capsys.readouterr().out
    line = load(ONE).line("relays", "count")
    assert f"{ONE}:{line}: warning: relays.count: this machine has 1 core and 1024 MiB" in out
    assert f"{ONE}: 0 errors, 1 warning, " in out


def test_a_site_with_errors_is_not_reckoned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "site.yaml"
    wrong.write_bytes(changed(("asn: 64511", "asn: 23456")))
    with pytest.raises(Refusal):
        check_sites([wrong], Machine(1, 1024))
    out = capsys.readouterr().out
    assert "asks for" not in out
    assert "this machine" not in out
