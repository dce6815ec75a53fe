"""A stock installation of the base sets, as the installer makes one, to compare with. There are no
overlays; only the settings for a serial console are added."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image import build, disk, layout, root
from image.base.source import BaseSource
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain
from image.tree import Tree, file

FILES = {
    "boot/config": "-Dhn -S115200\n",
    "boot/loader.conf": 'boot_multicons="YES"\nboot_serial="YES"\ncomconsole_speed="115200"\n',
    "etc/fstab": "/dev/gpt/rootA\t/\tufs\trw\t1\t1\n",
    "etc/rc.conf": 'hostname="stock"\n',
}
"""See boot.config(5), loader.conf(5), fstab(5), rc.conf(5)."""


@contextmanager
def made(folder: Path | None, lock: Path) -> Iterator[Path]:
    """Make a stock image from the sets in `folder`, or from those that `lock` pins, for as long as
    the context lasts. Raises Refusal."""
    with tempfile.TemporaryDirectory(prefix="stock-") as work:
        image = Path(work) / "stock.img"
        write(obtain(folder, lock, cache_folder()), image, cache_folder().parent)
        yield image


def write(sets: BaseSource, image: Path, cache: Path) -> None:
    base = build.unpack(sets, [], cache)
    with build.verifying(*base.stored) as check_contents:
        tree, _ = root.plant_base(base)
        time = base.time
        add(tree, time)
        plan = layout.lay_out(layout.SMALLEST_MIB, uuid.uuid5(build.NAMESPACE, "stock"))
        disk.write(image, plan, tree, time)
        check_contents()


def add(tree: Tree, time: int) -> None:
    for path, text in FILES.items():
        tree[path] = file(text.encode(), mtime=time)
