"""The RPKI of the simulated Internet, fetched by its names and from the box's own address, and what
bgpd makes of it."""

from collections.abc import Iterator

import pytest

from firstboot.site.model import PeerRole
from qemu.lab.checks import roas, validated
from qemu.world.bird import Route
from qemu.world.internet import Internet
from qemu.world.net import Unable, wait
from qemu.world.routes import ORIGIN, VALIDATED
from qemu.world.trust import RPKI
from tests.live.appliance import Bgpd
from tests.qemu.world.box import PLAN, SITE, Box
from tests.qemu.world.rpki.validator import Validated, validate

pytestmark = pytest.mark.xdist_group("world")

VALID = [Route(prefix, (ORIGIN,)) for prefix in VALIDATED]
OF_ANOTHER = [Route(prefix, (ORIGIN + 7,)) for prefix in VALIDATED]
TOO_LONG = [Route(part, (ORIGIN,)) for prefix in VALIDATED for part in prefix.subnets()]
UNKNOWN = [Route.to("12.9.0.0/24", ORIGIN), Route.to("2d09::/32", ORIGIN)]


@pytest.fixture(scope="module")
def fetched(internet: Internet, box: Box, bgpd: Bgpd) -> Validated:
    """What rpki-client fetches and validates at the box, from the router's address."""
    host = internet.topology.host("rpki")
    wait("a way there and back", lambda: box.fetches(str(internet.topology.host("web").v4())))
    hosts = f"{host.v4()} {RPKI}\n"
    try:
        return validate(
            box.party, internet.trust.rpki, "-b", str(PLAN.router.v4), "-r", hosts=hosts
        )
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def believed(internet: Internet, bgpd: Bgpd, fetched: Validated) -> Iterator[Bgpd]:
    """bgpd with what rpki-client wrote for it, and with what the other tests have afterwards."""
    place = internet.world.folder / "roas"
    before = place.read_text()
    place.write_text(fetched.openbgpd)
    bgpd.reload()
    yield bgpd
    place.write_text(before)
    bgpd.reload()


def test_what_is_validated_is_exactly_what_was_signed(
    internet: Internet, fetched: Validated
) -> None:
    assert fetched.roas == set(internet.trust.origins)
    paths = internet.rpki.fetched()
    verdict = validated(fetched.openbgpd, internet.trust.origins, paths, list(PLAN.router))
    assert verdict.holds, verdict.evidence


def test_what_the_lab_writes_where_there_is_no_rpki_client_says_the_same(
    internet: Internet, fetched: Validated
) -> None:
    assert set(roas(internet.trust.roas)) == set(roas(fetched.openbgpd))


def test_the_name_of_the_repository_is_authentic(internet: Internet) -> None:
    zones = internet.topology.host("zones").v4()
    said = internet.parties["client"].run("drill", "-D", f"@{zones}", RPKI, "AAAA")
    assert str(internet.topology.host("rpki").v6()) in said
    assert "RRSIG" in said


@pytest.mark.parametrize(
    ("state", "routes"),
    [("valid", VALID), ("invalid", OF_ANOTHER), ("invalid", TOO_LONG), ("not-found", UNKNOWN)],
    ids=["valid", "another-origin", "too-long", "unknown"],
)
def test_bgpd_judges_origins_by_it(
    internet: Internet, believed: Bgpd, state: str, routes: list[Route]
) -> None:
    peer = next(p for p in SITE.peers if p.role is PeerRole.PEER and len(p.addresses) > 1)
    router = internet.routers[peer.name]
    wanted = {str(route.prefix) for route in routes}

    def found() -> set[tuple[str, str]]:
        return {
            (one["prefix"], one["ovs"])
            for one in believed.routes("in")
            if one["prefix"] in wanted and one["aspath"].startswith(f"{peer.asn} ")
        }

    router.announce(routes)
    try:
        believed.daemon.wait(
            f"routes that are {state}", lambda: found() == {(one, state) for one in wanted}
        )
        taken = {prefix for prefix, _ in believed.accepted()} & wanted
        assert taken == (set() if state == "invalid" else wanted)
    finally:
        router.announce([])
