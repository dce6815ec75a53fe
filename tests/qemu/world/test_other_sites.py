"""The simulated Internet around sites of other kinds: a provider's addresses, a default route in
place of a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.alarms import destinations
from qemu.lab.lab_site import EXAMPLE, feed, on
from qemu.world import trust
from qemu.world.egress_rule import rule
from qemu.world.internet import Internet
from qemu.world.knocks import Door, answering
from qemu.world.net import Unable, wait
from tests.live.appliance import BGPD, Bgpd, for_linux
from tests.qemu.world.box import Box

pytestmark = pytest.mark.xdist_group("world")


@contextmanager
def around(name: str, keys: Path, folder: Path) -> Iterator[Internet]:
    """The Internet around an example."""
    site = on("eth{}", EXAMPLE.with_stem(name))
    try:
        with Internet(site, folder, trust.make(keys, site), feed(site)) as internet:
            yield internet
    except Unable as reason:
        pytest.skip(str(reason))


def test_every_address_of_a_provider_reaches_the_web_and_is_reached(
    trusted: Path, tmp_path: Path
) -> None:
    with around("relays-only", trusted, tmp_path) as internet:
        box = Box(internet)
        plan = allot(internet.site)
        web = internet.topology.host("web")
        sources = {address for relay in plan.relays for address in relay.source}
        assert {address.version for address in sources} == {4, 6}
        for source in sources:
            server = web.v4() if source.version == 4 else web.v6()
            wait(
                f"a page from {source}",
                lambda server=str(server), source=str(source): (  # type: ignore[misc]
                    box.fetches(server, source)
                ),
            )
        assert internet.established()
        port = internet.site.ports[0]
        sent = internet.cables[port.name].settle()
        assert len(sent) > len(sources)
        assert rule(internet.site, port).strays(sent) == []
        stranger = str(port.addresses[1].ip)
        box.fetches(str(web.v6()), stranger)
        assert any(
            stranger in one
            for one in rule(internet.site, port).strays(internet.cables[port.name].settle())
        )


def test_a_transit_sends_a_default_route_where_the_site_takes_one(
    trusted: Path, tmp_path: Path
) -> None:
    with around("default-route", trusted, tmp_path) as internet:
        box = Box(internet)
        roas = tmp_path / "roas"
        roas.write_text(internet.trust.roas)
        text = for_linux(BGPD, tmp_path, EXAMPLE.with_stem("default-route"))
        bgpd = Bgpd(box.party, text, tmp_path)
        bgpd.daemon.wait("sessions with everybody", internet.established)
        bgpd.daemon.wait("an empty queue", bgpd.idle)
        assert {prefix for prefix, path in bgpd.told() if path} == {"0.0.0.0/0", "::/0"}
        assert {prefix for prefix, _ in bgpd.accepted()} == {"0.0.0.0/0", "::/0"}
        doors = {Door(to.address, to.port) for to in destinations(internet.site) if to.address}
        assert len(doors) == 2
        for name in ("post", "inside-management"):
            assert answering(internet.parties[name], doors) == doors
