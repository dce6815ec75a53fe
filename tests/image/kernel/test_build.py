"""A build stops where an overlay names something of the kernel that is not there."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import build, lock, overlay
from image.base.sets import BaseSets, open_local
from tests import sets
from tests.command import ROOT
from tests.image.kernel.trees import make

OVERLAYS = overlay.load_all(ROOT / "overlays")


@pytest.fixture
def given(tmp_path: Path) -> BaseSets:
    pinned = lock.load(ROOT / "image/hardenedbsd.lock.yaml").base
    return open_local(sets.write(tmp_path / "sets"), pinned)


def attempt(given: BaseSets, folder: Path, line: str) -> Path:
    """Build with one more overlay, whose sysctl.conf is called something else."""
    extra = make(folder, {"files/etc/sysctl.conf.extra": f"\n{line}\n"})
    image = folder / "exitisp.img"
    build.build(given, [*OVERLAYS, extra], image, folder / "cache")
    return image


def test_a_wrong_name_stops_the_build(given: BaseSets, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"sysctl\.conf\.extra:2: .*'kern\.coredumps'"):
        attempt(given, tmp_path, "kern.coredumps=0")
    assert not list(tmp_path.glob("*exitisp*"))


def test_what_only_hardenedbsd_has_is_told(
    given: BaseSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attempt(given, tmp_path, "hardening.pax.aslr.status=2").exists()
    told = capsys.readouterr().err
    assert "The kernel lacks, and ignores:" in told
    assert "hardening.pax.aslr.status" in told
