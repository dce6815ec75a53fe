"""Two boxes of one operator, in one simulated Internet: every check of both, and what happens to
the one while the other fails. It takes two machines at once: `./exitisp test --full`."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from qemu.lab.failover import FAILOVERS, Failover, tried
from qemu.lab.lab_site import EXAMPLE, read
from qemu.lab.pair import SOUND, Pair, beside, made
from qemu.lab.pair_site import paired
from qemu.lab.probe import Probe
from qemu.lab.progress import Progress
from qemu.lab.report import Outage, Trial, save, table
from qemu.lab.run import origin
from qemu.lab.run_pair import reported
from qemu.lab.session import laboratories
from qemu.world.net import Unable
from tests.boot.conftest import full, transcripts
from tests.boot.subjects import Subject, subjects

pytestmark = [pytest.mark.boot, full]

FILES = tuple(EXAMPLE.with_stem(f"two-edges-{name}") for name in "ab")


@pytest.fixture(scope="module", params=subjects("lab-pair"))
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest.fixture(scope="module")
def seen(subject: Subject) -> tuple[list[Trial], list[Outage]]:
    """What was tried on `subject`, for the report at the end."""
    return [], []


@pytest.fixture(scope="module")
def pair(
    subject: Subject,
    seen: tuple[list[Trial], list[Outage]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    image = subject.image(tmp_path_factory.mktemp("lab-pair"))
    folder = transcripts(subject.sets) / f"lab-pair-{subject.system.base}"
    fits = paired(read(FILES[0]), read(FILES[1]), subject.system)
    began = datetime.now(UTC)
    try:
        sites = [fit.site for fit in fits]
        with laboratories(image, subject.system, sites, folder, Progress()) as (one, other):
            pair = beside(one, other)
            yield pair
            where = origin(image, subject.system, FILES[0], began)
            save(reported(pair, where, *seen), one.site, folder, other.site)
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("check", SOUND, ids=lambda one: one.name)
def test_it_holds_for_both(
    pair: Pair, seen: tuple[list[Trial], list[Outage]], check: Probe
) -> None:
    verdicts = made([check], pair)
    seen[0].append(Trial(check.name, "Nothing is wrong.", verdicts))
    assert not [one.evidence for one in verdicts if not one.holds]


@pytest.mark.parametrize("fault", FAILOVERS, ids=lambda one: one.name)
def test_an_edge_carries_what_the_other_cannot(
    pair: Pair, seen: tuple[list[Trial], list[Outage]], fault: Failover
) -> None:
    trial, outage = tried(fault, pair)
    seen[0].append(trial)
    seen[1].append(outage)
    assert trial.holds, table(trial)
