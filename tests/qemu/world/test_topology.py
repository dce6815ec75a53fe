"""The parties around a site, before anything is started."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site import model as sites
from firstboot.site.model import PortRole, Site
from qemu.world.topology import ROOT_SERVERS, lay_out
from tests.qemu.world.box import SITE, SITE_FILE

EXAMPLES = sorted(SITE_FILE.parent.glob("*.yaml"))
PROVIDED = sites.load(SITE_FILE.with_stem("relays-only")).value


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def site(request: pytest.FixtureRequest) -> Site:
    path: Path = request.param
    return sites.load(path).value


def test_every_peer_of_an_example_is_there(site: Site) -> None:
    assert set(lay_out(site).peers) == {peer for peer in site.peers if peer is not site.twin}


def test_no_two_networks_overlap(site: Site) -> None:
    topology = lay_out(site)
    outside = (port for port in site.ports if port.role.outside)
    links = {i.network for port in outside for i in port.addresses}
    apart = [one for one in site.scopes if not any(one.overlaps(link) for link in links)]
    assert len(apart) == len(site.scopes) or site.provided
    found = [*apart, *links]
    found += [prefix for host in topology.hosts for prefix in host.prefixes]
    found += [end.network for link in topology.links for end in link.above_ends]
    for at, one in enumerate(found):
        assert not [str(other) for other in found[:at] if one.overlaps(other)], one


def test_every_outside_port_has_somebody_at_its_other_end(site: Site) -> None:
    topology = lay_out(site)
    there = {session.port.name for session in topology.sessions}
    there |= {provider.port.name for provider in topology.providers}
    assert there >= {port.name for port in site.ports if port.role.outside}


def test_nobody_at_an_exchange_has_the_address_of_another(site: Site) -> None:
    for exchange in lay_out(site).exchanges:
        here = [i.ip for i in exchange.port.addresses]
        here += [i.ip for i in (*exchange.member_ends, *exchange.stranger_ends)]
        here += [address for peer in site.peers for address in peer.addresses]
        assert len(here) == len(set(here))


def test_everybody_is_behind_somebody_that_is_there(site: Site) -> None:
    topology = lay_out(site)
    members = {exchange.member for exchange in topology.exchanges if exchange.member_ends}
    routers = {"backbone", *members, *(peer.name for peer in topology.peers)}
    routers |= {provider.name for provider in topology.providers}
    assert {link.above for link in topology.links} <= routers
    assert {host.home for host in topology.hosts} <= routers
    assert len({link.below for link in topology.links}) == len(topology.links)


def test_the_root_servers_have_their_own_addresses() -> None:
    roots = {str(address) for address in lay_out(SITE).host("roots").addresses}
    assert roots >= {address for pair in ROOT_SERVERS.values() for address in pair}


def test_a_site_without_an_exchange_has_no_member() -> None:
    ports = tuple(port for port in SITE.ports if port.role is not PortRole.EXCHANGE)
    topology = lay_out(replace(SITE, ports=ports))
    assert topology.exchanges == ()
    assert {host.home for host in topology.hosts} == {"backbone"}


def test_a_site_with_addresses_of_the_world_is_refused() -> None:
    with pytest.raises(Refusal, match=r"overlaps 11\.250\.1\.0/24"):
        lay_out(replace(SITE, scopes=(ip_network("11.250.0.0/16"),)))


def test_a_peer_with_the_name_of_a_party_is_refused() -> None:
    first, *others = SITE.peers
    with pytest.raises(Refusal, match="the name of a party of the simulated Internet"):
        lay_out(replace(SITE, peers=(replace(first, name="web"), *others)))


def test_a_provider_routes_to_the_port_what_is_not_on_its_link() -> None:
    (provider,) = lay_out(PROVIDED).providers
    assert [str(one) for one in provider.ends] == [
        "fe80::1/64",
        "198.51.100.129/25",
        "2001:db8:100:0:ffff:ffff:ffff:fffe/64",
    ]
    assert [(str(one.prefix), str(one.via)) for one in provider.routed] == [
        ("2001:db8:ee:7::/64", "2001:db8:100::2")
    ]
    assert [str(one) for one in provider.links] == ["198.51.100.128/25", "2001:db8:100::/64"]


def test_both_addresses_of_a_network_of_two_are_used() -> None:
    port = replace(PROVIDED.ports[0], addresses=(ip_interface("198.51.100.129/31"),))
    port = replace(port, gateway=(ip_address("198.51.100.128"),))
    site = replace(PROVIDED, ports=(port, *PROVIDED.ports[1:]), scopes=PROVIDED.scopes[2:])
    assert [str(one) for one in lay_out(site).providers[0].ends] == ["198.51.100.128/31"]


def test_an_exchange_without_room_for_a_stranger_is_refused() -> None:
    ports = [
        replace(port, addresses=(ip_interface("203.0.113.20/31"),))
        if port.role is PortRole.EXCHANGE
        else port
        for port in SITE.ports
    ]
    peers = [replace(peer, addresses=(ip_address("203.0.113.21"),)) for peer in SITE.peers]
    with pytest.raises(Refusal, match="uses every address of this network"):
        lay_out(replace(SITE, ports=tuple(ports), peers=tuple(peers)))


def test_there_is_room_for_every_route_of_the_world() -> None:
    v4, v6 = lay_out(SITE).routes
    hosts = [prefix for host in lay_out(SITE).hosts for prefix in host.prefixes]
    assert v4 + v6 > len(hosts) + len(SITE.scopes)


def test_two_boxes_share_the_hosts_and_nobody_else() -> None:
    first = lay_out(SITE, "a")
    second = lay_out(SITE, "b", first)
    assert second.hosts == first.hosts
    assert {host.home for host in first.hosts} == {
        "backbone",
        "a-content-network",
        "a-member-exchange",
    }
    links = [*first.links, *second.links]
    assert len({link.number for link in links}) == len(links)
    assert len({link.below for link in links}) == len(links)
    assert {link.above for link in second.links} == {"backbone"}
    assert second.party("upstream-a") == "b-upstream-a"
    asns = [exchange.asn for one in (first, second) for exchange in one.exchanges]
    assert len(set(asns)) == len(asns)
