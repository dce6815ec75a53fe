"""One Internet for a module's tests: skipped, with the reason, where this machine has none."""

from collections.abc import Iterator

import pytest

from qemu.world.internet import Internet
from qemu.world.net import Unable
from tests.world.box import SITE, Box


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    try:
        with Internet(SITE, tmp_path_factory.mktemp("internet")) as internet:
            yield internet
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def box(internet: Internet) -> Box:
    return Box(internet)
