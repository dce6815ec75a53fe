"""The stock image has the sets as they are, and only what a start needs."""

from pathlib import Path

from image import lock, reference_image
from image.base.sets import open_local
from image.tree import Tree
from tests import sets
from tests.command import ROOT
from tests.image.test_build import Disk


def test_a_stock_disk_has_the_sets_and_a_console(tmp_path: Path) -> None:
    pinned = lock.load(ROOT / "image/hardenedbsd.lock.yaml").base
    given = open_local(sets.write(tmp_path / "sets"), pinned)
    image = tmp_path / "stock.img"
    reference_image.write(given, image, tmp_path / "cache")
    slot = Disk(image, Tree()).slot()
    assert slot.get("/etc/fstab").open().read().decode() == reference_image.FILES["etc/fstab"]
    assert slot.get("/usr/bin/su").inode.di_mode & 0o7777 == 0o4555
    assert "clang" in slot.get("/usr/bin").listdir()
    assert "conf" not in slot.get("/").listdir()
