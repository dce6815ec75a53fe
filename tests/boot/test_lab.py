"""The appliance end to end: the image that anybody gets, in the simulated Internet, once; every
check of the lab, and faults that are cheap to undo."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image import build, overlay
from image.base.cache import cache_folder
from image.base.source import obtain
from image.packages import reviewed
from qemu.lab.examination import CHECKS
from qemu.lab.faults import named
from qemu.lab.laboratory import Lab, laboratory
from qemu.lab.progress import Progress
from qemu.lab.rehearsal import attempt, reported, tried
from qemu.lab.report import Trial, save, table
from qemu.lab.systems import HARDENEDBSD
from qemu.world.net import Unable
from tests.boot.conftest import LOCK, PACKAGES, ROOT, transcripts
from tests.freeze.made import frozen_for_freebsd

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("lab-boot")]

CHEAP = ("pf-disabled", "resolver-everywhere", "exchange-misleading", "bgpd-killed")


@pytest.fixture(scope="module")
def image(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is built: nothing is in it for the test."""
    if PACKAGES is None:
        pytest.skip("no packages to run relays and BGP with")
    made = tmp_path_factory.mktemp("lab") / "exitisp.img"
    build.build(
        obtain(sets, LOCK, cache_folder()),
        overlay.load_all(ROOT / "overlays"),
        made,
        cache_folder().parent,
        packages=PACKAGES,
        reviewed=reviewed.load(ROOT / "overlays" / "packages.yaml"),
        wizard=frozen_for_freebsd(),
    )
    return made


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    """What was tried, for the report at the end."""
    return []


@pytest.fixture(scope="module")
def lab(image: Path, trials: list[Trial]) -> Iterator[Lab]:
    folder = transcripts() / "lab"
    try:
        with laboratory(image, HARDENEDBSD, folder, Progress()) as lab:
            yield lab
            save(reported(lab, image, trials), lab.site, folder)
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", CHECKS)
def test_it_holds(lab: Lab, trials: list[Trial], name: str) -> None:
    verdict = attempt(CHECKS[name], lab)
    trials.append(Trial(name, "Nothing is wrong.", (verdict,)))
    assert verdict.holds, verdict.evidence


@pytest.mark.parametrize("name", CHEAP)
def test_what_must_hold_holds_whatever_is_wrong(lab: Lab, trials: list[Trial], name: str) -> None:
    (fault,) = named(name)
    trial = tried(fault, lab)
    trials.append(trial)
    assert trial.holds, table(trial)
