"""Real base sets, an image made from them, and machines that boot it.

The image is the one that anybody gets, and one more overlay: a root shell on the second serial
port, because the root of an image that nobody configured is locked.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from image import build, overlay, root
from image.base.cache import cache_folder
from image.base.source import obtain
from image.tree import Tree
from qemu.disk import Bus, Disk
from qemu.firmware import Firmware
from qemu.machine import Machine

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "image" / "hardenedbsd.lock.yaml"

BOOT = 400.0
"""Seconds from power-on to a login prompt; an emulated processor on a busy machine."""

STICK = 4 << 30
"""Bytes; a disk larger than the image, as every real one is."""


@dataclass(frozen=True)
class Real:
    """An image of real sets, and the tree that is in its first slot."""

    image: Path
    tree: Tree


@pytest.fixture(scope="session")
def sets() -> Path:
    folder = Path(os.environ.get("EXITISP_SETS") or cache_folder())
    if not (folder / "MANIFEST").exists():
        pytest.skip(
            f"no base sets in {folder}: put MANIFEST, base.txz and kernel.txz of a HardenedBSD "
            "or FreeBSD 15 build there, or name their folder in EXITISP_SETS"
        )
    return folder


@pytest.fixture(scope="session")
def real(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    image = tmp_path_factory.mktemp("image") / "exitisp.img"
    verified = obtain(sets, LOCK, cache_folder())
    shell = overlay.load(Path(__file__).parent / "shell")
    overlays = [*overlay.load_all(ROOT / "overlays"), shell]
    build.build(verified, overlays, image, cache_folder().parent)
    base, kernel = build.unpack(verified, overlays, cache_folder().parent)
    return Real(image, root.make_tree(base, kernel, overlays, build.youngest(base, kernel)))


def machine(
    image: Path, folder: Path, firmware: Firmware, bus: Bus = Bus.VIRTIO, name: str = "machine"
) -> Machine:
    disk = Disk(image, bus, size=STICK)
    return Machine(disk, folder=folder, firmware=firmware, memory=1024, name=name)


def transcripts() -> Path:
    """Where the consoles' transcripts are kept after the run."""
    return ROOT / "build" / "boot"
