"""What registries set aside is in one table each, for the rules and for the filters."""

import itertools
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from firstboot.core import document
from firstboot.site import bogons
from firstboot.site.model import Site
from firstboot.site.registries import ADDRESSES, NUMBERS
from firstboot.site.rules.special import purpose_of

EXAMPLE = Path(__file__).parents[3] / "examples" / "one-port-of-each.yaml"


@pytest.fixture
def site() -> Site:
    """A site that is made of space for documentation, as its waiver says."""
    return document.load(EXAMPLE, Site).value


@pytest.fixture
def strict(site: Site) -> Site:
    """The same without the waiver, and so without scopes that count."""
    return replace(site, waivers={}, scopes=())


def test_the_tables_are_in_order_and_say_everything_once() -> None:
    networks = [one.network for one in ADDRESSES]
    assert networks == sorted(
        networks, key=lambda one: (one.version, one.network_address, one.prefixlen)
    )
    assert len(set(networks)) == len(networks)
    for before, after in itertools.pairwise(NUMBERS):
        assert before.first <= before.last < after.first


def test_every_row_is_space_that_no_site_can_have() -> None:
    for one in ADDRESSES:
        assert purpose_of(one.network) is not None


SERVICES = (
    *("192.31.196.0/24", "192.175.48.0/24", "2620:4f:8000::/48", "2001:4:112::/48"),
    *("192.52.193.0/24", "2001:3::/32"),
)


@pytest.mark.parametrize("service", SERVICES)
def test_routes_to_services_that_many_networks_announce_are_let_in(
    service: str, strict: Site
) -> None:
    assert purpose_of(ip_network(service)) is not None
    assert not any(ip_network(service).overlaps(one) for one in bogons.of(strict).prefixes)


@pytest.mark.parametrize(
    "nobodys",
    [
        *("::ffff:0:0/96", "64:ff9b::/96", "100::/64", "100:0:0:1::/64", "1000::/16"),
        *("4000::/16", "5f00::/16", "9000::/32", "fc00::/7", "fd00:1::/48", "fe80::/10"),
        *("fec0::/10", "ff02::/16"),
    ],
)
def test_what_no_registry_hands_out_is_refused(nobodys: str, site: Site) -> None:
    assert any(ip_network(nobodys).overlaps(one) for one in bogons.of(site).prefixes)


def test_what_registries_hand_out_is_not(site: Site) -> None:
    handed_out = "1.0.0.0/24 198.17.0.0/16 2001:200::/32 2a00::/12 3fff:1000::/36"
    for network in map(ip_network, handed_out.split()):
        assert not any(network.overlaps(one) for one in bogons.of(site).prefixes)


def test_paths_through_as112_are_let_in(strict: Site) -> None:
    assert not any(first <= 112 <= last for first, last in bogons.of(strict).asns)


@pytest.mark.parametrize("asn", [23456, 64512, 65535, 65552, 131071, 4200000000, 4294967295])
def test_paths_with_numbers_that_are_nobodys_are_not(asn: int, site: Site) -> None:
    assert any(first <= asn <= last for first, last in bogons.of(site).asns)


def test_documentation_is_refused_unless_the_site_is_made_of_it(site: Site, strict: Site) -> None:
    documentation = {one.network for one in ADDRESSES if one.documentation}
    assert documentation <= set(bogons.of(strict).prefixes)
    assert not documentation & set(bogons.of(site).prefixes)
    assert (64496, 64511) in bogons.of(strict).asns
    assert (64496, 64511) not in bogons.of(site).asns


def test_ranges_of_numbers_do_not_overlap(strict: Site) -> None:
    ranges = bogons.of(strict).asns
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ranges))
