"""One simulated Internet for these tests, which are skipped with the reason where it cannot run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qemu.world import trust
from qemu.world.internet import Internet
from qemu.world.net import Unable
from tests.live.appliance import Bgpd
from tests.qemu.world.box import SITE, Box


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which keys are made and kept."""
    return tmp_path_factory.mktemp("trust")


@pytest.fixture(scope="session")
def internet(tmp_path_factory: pytest.TempPathFactory, trusted: Path) -> Iterator[Internet]:
    folder = tmp_path_factory.mktemp("internet")
    try:
        with Internet(SITE, folder, trust.make(trusted, SITE)) as internet:
            internet.tor.wait()
            yield internet
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def box(internet: Internet) -> Box:
    return Box(internet)


@pytest.fixture(scope="session")
def bgpd(internet: Internet, box: Box) -> Bgpd:
    """bgpd with its sessions up."""
    bgpd = box.bgpd(internet.trust.roas)
    bgpd.daemon.wait("sessions with everybody", internet.established)
    bgpd.daemon.wait("an empty queue", bgpd.idle)
    return bgpd
