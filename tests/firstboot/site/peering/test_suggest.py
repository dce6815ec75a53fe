"""Networks to peer with."""

import json
from typing import Any

from firstboot.site.peering.networks import NAMED
from firstboot.site.peering.suggest import Candidate, exchanges_of, least_traffic, suggest
from firstboot.site.peering.table import lines, of_candidates
from firstboot.site.published import euro_ix
from firstboot.site.published.peeringdb import PeeringDb
from tests.firstboot.site.paper.sites import site
from tests.firstboot.site.peering.world import dump, example, parsed, with_net


def candidates(found: PeeringDb | None = None) -> list[Candidate]:
    return suggest(site(), found or example(), NAMED)


def test_the_exchanges_of_a_site_follow_from_the_networks_of_its_ports() -> None:
    assert exchanges_of(site(), example()) == {1}


def test_root_servers_come_first_then_named_networks_and_unknown_figures_last() -> None:
    assert [one.asn for one in candidates()] == [25152, 15169, 64500, 64501]


def test_peers_of_the_site_and_networks_elsewhere_are_no_candidates() -> None:
    found = {one.asn for one in candidates()}
    assert not found & {65536, 65537, 65550}
    assert 20144 not in found


def test_what_a_route_server_brings_already_comes_after_what_it_does_not() -> None:
    said = dump()
    for port in said["netixlan"]["data"]:
        if port["asn"] == 64500:
            port["is_rs_peer"] = True
    assert [one.asn for one in candidates(parsed(said))] == [25152, 15169, 64501, 64500]


def test_more_traffic_comes_first_and_prefixes_decide_between_equals() -> None:
    order = [one.asn for one in candidates(with_net(64501, info_traffic="1-5Tbps"))]
    assert order[2:] == [64501, 64500]
    same = with_net(64501, info_traffic="200-300Gbps", info_prefixes4=5000)
    assert [one.asn for one in candidates(same)][2:] == [64501, 64500]


def test_unknown_figures_are_shown_as_unknown_and_not_as_zero() -> None:
    (one,) = [one for one in candidates() if one.asn == 64501]
    assert (one.traffic, one.prefixes) == (None, None)
    (row,) = [line for line in lines(of_candidates([one])).splitlines() if "AS64501" in line]
    assert row.count("unknown") == 2
    (zero,) = [one for one in candidates(with_net(64501, info_prefixes4=0)) if one.asn == 64501]
    assert zero.prefixes is None, "PeeringDB has 0 where nothing was written"


def test_traffic_is_read_as_peeringdb_writes_it() -> None:
    said = ["0-20Mbps", "1-5Gbps", "500-1000Gbps", "100+Tbps", "", "much", None]
    read = [0, 1000, 500_000, 100_000_000, None, None, None]
    assert [least_traffic(one) for one in said] == read


def member_list(**other: Any) -> dict[str, Any]:
    def member(asn: int, host: int, **more: Any) -> dict[str, Any]:
        four = {"address": f"203.0.113.{host}", "routeserver": False, "max_prefix": 40}
        lan = {"vlan_id": 1, "ipv4": four, "ipv6": {"address": f"2001:db8:200::{host}"}}
        port = {
            "ixp_id": 5,
            "state": "active",
            "if_list": [{"if_speed": 10000}, {"if_speed": 10000}],
            "vlan_list": [lan],
        }
        return {"asnum": asn, "name": f"Network {asn}", "connection_list": [port], **more}

    return {
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00Z",
        "ixp_list": [{"ixp_id": 5, "shortname": "EXAMPLE-IX", "country": "nl", "vlan": []}],
        "member_list": [member(20144, 9), member(64502, 10, peering_policy="open")],
        **other,
    }


def test_a_member_list_of_an_exchange_says_the_same() -> None:
    found = euro_ix.parse(json.dumps(member_list()).encode(), "members.json")
    root, other = candidates(found)
    assert (root.asn, root.roots, root.exchanges) == (20144, "L", ("EXAMPLE-IX",))
    assert (other.prefixes, other.net and other.net.policy) == (40, "Open")
    assert found.presences[0].speed == 20000
    assert found.exchanges[0].country == "NL"


def test_a_port_that_is_not_in_use_counts_for_nobody() -> None:
    said = member_list()
    said["member_list"][0]["connection_list"][0]["state"] = "inactive"
    found = euro_ix.parse(json.dumps(said).encode(), "members.json")
    assert [one.asn for one in candidates(found)] == [64502]
