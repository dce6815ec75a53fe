"""The appliance end to end: an image that anybody gets, in the simulated Internet; every check of
the lab, and faults.

A rehearsal is tried wherever there is an apt. The real image takes half an hour, and faults take
another: `./exitisp test --full`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qemu.lab.attempts import attempt
from qemu.lab.faults import FAULTS, named
from qemu.lab.lab_site import EXAMPLE, on
from qemu.lab.probes import CHECKS
from qemu.lab.progress import Progress
from qemu.lab.report import Trial, save, table
from qemu.lab.run import origin, reported, tried
from qemu.lab.session import Lab, laboratory
from qemu.lab.systems import System
from qemu.world.net import Unable
from tests.boot.conftest import full, transcripts
from tests.boot.subjects import Subject, subjects

pytestmark = [pytest.mark.boot]


@pytest.fixture(scope="module", params=subjects("lab"))
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest.fixture(scope="module")
def system(subject: Subject) -> System:
    return subject.system


@pytest.fixture(scope="module")
def image(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return subject.image(tmp_path_factory.mktemp("lab"))


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
