from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from qemu.disk import LARGEST, Bus, Disk, write_overlay


def image(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_an_overlay_is_small_whatever_the_disk(tmp_path: Path) -> None:
    disk = Disk(image(tmp_path / "image", 512), size=LARGEST)
    write_overlay(tmp_path / "overlay", disk)
    assert (tmp_path / "overlay").stat().st_size == 4 * 65536


@pytest.mark.parametrize("size", [0, 100, 513], ids=lambda size: f"{size} bytes")
def test_an_image_of_broken_sectors_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(Refusal, match=f"its {size} bytes are no disk image"):
        write_overlay(tmp_path / "overlay", Disk(image(tmp_path / "image", size)))


@pytest.mark.parametrize("size", [512, LARGEST + 512], ids=["too small", "too large"])
def test_a_disk_that_cannot_hold_its_image_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(Refusal, match=f"a disk of {size} bytes"):
        write_overlay(tmp_path / "overlay", Disk(image(tmp_path / "image", 1024), size=size))


def test_an_absent_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="No such file"):
        write_overlay(tmp_path / "overlay", Disk(tmp_path / "absent"))


def test_only_a_snapshot_is_larger_than_its_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a snapshot"):
        Disk(tmp_path / "image", Bus.USB, snapshot=False, size=1 << 30)
