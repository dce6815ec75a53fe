"""The table of ROAs for the registries' portals: what it asks for is signed as a registry does, and
judged by rpki-client and BIRD."""

import csv
from ipaddress import ip_network
from pathlib import Path

import pytest

from firstboot.core.values import Asn, Network
from firstboot.site.model import Rir, Site
from firstboot.site.paper.rpki import aspa, requests
from qemu.world.rpki import repository
from qemu.world.rpki.payloads import Aspa, Roa
from tests.firstboot.site.paper.sites import BOTH, site
from tests.qemu.world.rpki.conftest import HOST, Published, keys, serve, world
from tests.qemu.world.rpki.origin_states import OriginStates
from tests.qemu.world.rpki.test_repository import BY_RSYNC, Serve

__all__ = ["keys", "serve", "world"]


def asked_for(made: Site) -> list[Roa]:
    """The ROAs that somebody makes who types the lines of the table into a portal."""
    _, *rows = csv.reader(requests(made, Rir.RIPE)["roas.csv"].splitlines())
    return [
        Roa(Asn.parse(origin), ip_network(prefix), int(length)) for prefix, origin, length in rows
    ]


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_every_prefix_is_valid_as_it_is_announced_and_no_part_of_it(
    serve: Serve, tmp_path: Path, path: object
) -> None:
    made = site(of=path)
    wanted = aspa(made)
    assert wanted is not None
    attested = Aspa(wanted.customer, wanted.providers)
    repository.make(tmp_path, HOST, asked_for(made), [attested])
    published: Published = serve(tmp_path)
    validated = published.validate(BY_RSYNC)
    assert validated.roas == {Roa(made.as_number, one, one.prefixlen) for one in made.scopes}
    assert validated.aspas == {attested}
    states = OriginStates(published.party, tmp_path, validated.bird)
    for scope in made.scopes:
        assert states.of(scope, made.as_number) == "valid"
        assert states.of(scope, made.as_number + 1) == "invalid"
        for part in scope.subnets():
            assert states.of(part, made.as_number) == "invalid"
    assert states.of(ip_network("11.0.0.0/24"), made.as_number) == "unknown"


def test_a_longer_max_length_would_let_parts_through(serve: Serve, tmp_path: Path) -> None:
    """Which is what RFC 9319 warns of, and that the test above would see it."""
    made = site()
    scope = made.scopes[0]
    repository.make(tmp_path, HOST, [Roa(made.as_number, scope, scope.prefixlen + 1)])
    published: Published = serve(tmp_path)
    states = OriginStates(published.party, tmp_path, published.validate(BY_RSYNC).bird)
    part: Network = next(scope.subnets())  # type: ignore[assignment]
    assert states.of(part, made.as_number) == "valid"
