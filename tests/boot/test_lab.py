"""The appliance end to end: an image that anybody gets, in the simulated Internet; every check of
the lab, and faults.

A rehearsal is tried wherever there is an apt. The real image takes half an hour, and faults take
another: `./exitisp test --full`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import build, overlay
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain
from image.packages import reviewed
from image.rehearsal import build as rehearsal
from qemu.lab.attempts import attempt
from qemu.lab.faults import FAULTS, named
from qemu.lab.lab_site import EXAMPLE, on
from qemu.lab.probes import CHECKS
from qemu.lab.progress import Progress
from qemu.lab.report import Trial, save, table
from qemu.lab.run import origin, reported, tried
from qemu.lab.session import Lab, laboratory
from qemu.lab.systems import HARDENEDBSD, REHEARSAL, System
from qemu.world.net import Unable
from tests.base_sets import NONE, found
from tests.boot.conftest import ACCEPTED_VERSIONS, LOCK, PACKAGES, ROOT, full, name_of, transcripts
from tests.image.freeze.made import frozen_for_freebsd

pytestmark = [pytest.mark.boot]


@dataclass(frozen=True)
class Subject:
    """What an image is made of: a system, and the base sets of the real one."""

    system: System
    sets: Path | None = None


SUBJECTS = (
    pytest.param(
        Subject(REHEARSAL), id="rehearsal", marks=pytest.mark.xdist_group("lab-rehearsal")
    ),
    *(
        pytest.param(
            Subject(HARDENEDBSD, folder),
            id=name_of(folder),
            marks=[pytest.mark.xdist_group(f"lab-{name_of(folder)}"), full],
        )
        for folder in found()
    ),
)


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest.fixture(scope="module")
def system(subject: Subject) -> System:
    return subject.system


@pytest.fixture(scope="module")
def image(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is built: nothing is in it for the test."""
    made = tmp_path_factory.mktemp("lab") / Path(subject.system.image).name
    if subject.system == REHEARSAL:
        try:
            return rehearsal.build([], made, cache_folder().parent).image
        except Refusal as refusal:
            if refusal.where == "Debian's packages":
                pytest.skip(str(refusal))
            raise
    if subject.sets is None:
        pytest.skip(NONE)
    if PACKAGES is None:
        pytest.skip("no packages to run relays and BGP with")
    build.build(
        obtain(subject.sets, LOCK, cache_folder()),
        overlay.load_all(ROOT / "overlays"),
        made,
        cache_folder().parent,
        packages=PACKAGES,
        reviewed=reviewed.load(ROOT / "overlays" / "packages.yaml"),
        wizard=frozen_for_freebsd(),
        accepted_versions=ACCEPTED_VERSIONS,
    )
    return made


@pytest.fixture(scope="module")
def trials(subject: Subject) -> list[Trial]:
    """What was tried on `subject`, for the report at the end."""
    return []


@pytest.fixture(scope="module")
def lab(subject: Subject, image: Path, trials: list[Trial]) -> Iterator[Lab]:
    system = subject.system
    folder = transcripts(subject.sets) / f"lab-{system.base}"
    began = datetime.now(UTC)
    try:
        with laboratory(image, system, on(system.card), folder, Progress()) as lab:
            yield lab
            save(reported(lab, origin(image, system, EXAMPLE, began), trials), lab.site, folder)
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", CHECKS)
def test_it_holds(lab: Lab, trials: list[Trial], name: str) -> None:
    verdict = attempt(CHECKS[name], lab)
    trials.append(Trial(name, "Nothing is wrong.", (verdict,)))
    assert verdict.holds, verdict.evidence


@full
@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_what_must_hold_during_a_fault_holds(lab: Lab, trials: list[Trial], name: str) -> None:
    system = lab.appliance.system
    if name not in {fault.name for fault in named("all", system, lab.site)}:
        pytest.skip(f"a {system.base} lacks what would be harmed")
    (fault,) = named(name, system, lab.site)
    trial = tried(fault, lab)
    trials.append(trial)
    assert trial.holds, table(trial)
