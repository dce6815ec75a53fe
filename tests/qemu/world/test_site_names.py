"""The names that a site file has are in the simulated DNS."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from firstboot.site import model as sites
from firstboot.site.model import Clock, Site
from qemu.world.nameservers import SERVED, site_names, zones_of
from qemu.world.topology import lay_out

EXAMPLES = Path(__file__).parents[3] / "examples"
SERVERS = (ip_address("11.250.2.10"), ip_address("2d0f:2::a"))
ONE, OTHER = (ip_address("11.250.7.10"),), (ip_address("11.250.3.10"),)


def site(*servers: str) -> Site:
    found = sites.load(EXAMPLES / "default-route.yaml").value
    return replace(found, clock=Clock(servers))


def test_a_site_s_time_servers_are_the_world_s() -> None:
    topology = lay_out(site("Time.example.org", "192.0.2.195"))
    assert site_names(topology) == {"time.example.org": topology.host("time").addresses}


def test_each_name_is_in_one_zone_below_a_top_level_domain() -> None:
    zones = zones_of({"pool.ntp.org": ONE, "0.pool.ntp.org": OTHER, "time.example": ONE}, SERVERS)
    assert [zone.name for zone in zones] == ["pool.ntp.org.", "time.example."]
    assert zones[0].records == (
        "pool.ntp.org. 3600 IN A 11.250.7.10\n0.pool.ntp.org. 3600 IN A 11.250.3.10\n"
    )
    assert {zone.servers for zone in zones} == {SERVERS}


def test_names_in_zones_that_are_there_anyway_get_none_of_their_own() -> None:
    assert not zones_of({f"clock.{zone}": ONE for zone in SERVED}, SERVERS)
    assert [zone.name for zone in zones_of({"clock.anexample.net": ONE}, SERVERS)] == [
        "clock.anexample.net."
    ]
