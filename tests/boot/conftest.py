"""Real base sets, images made from them, and machines that boot them.

An image is the one that anybody gets, and three more overlays: a root shell on the second serial
port, because the root of an image that nobody configured is locked, programs at addresses that an
emulator knows already, and routes that take it no tables. It has the packages that are shared
beside the repository, if there are any. `real` has no wizard, and offers a login at once;
`complete` has the wizard too.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from image import build, overlay
from image.download.cache import cache_folder
from image.freeze import Frozen
from image.inputs.base_sets import obtain
from image.inputs.packages import Given
from image.kernel.kernel import Kernel
from image.packages import reviewed
from image.tree import Tree
from qemu.disk import Bus, Disk
from qemu.firmware import Firmware
from qemu.machine import Machine
from tests.image.freeze.made import frozen_for_freebsd
from tests.image.packages.fixtures import FIXTURES

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "image" / "hardenedbsd.lock.yaml"

SHELL = Path(__file__).parent / "shell"
ADDRESSES = Path(__file__).parent / "addresses"
"""QEMU translates a program anew for each address that it lies at (up to version 7.2 at least), so
scripts run five times as fast where addresses are not random. test_frozen.py does without it."""

ROUTES = Path(__file__).parent / "routes"
"""dxr computes most of its tables anew for each change of a few routes, which takes an emulator
seconds. test_performance.py does without."""

RANDOM = "kern.elf64.aslr.enable"
"""What FreeBSD's kernel has, and HardenedBSD's has something of its own for."""

PACKAGES = Given(str(FIXTURES), FIXTURES / "keys") if (FIXTURES / "meta.conf").is_file() else None

full = pytest.mark.skipif(
    "EXITISP_FULL" not in os.environ, reason="takes long in emulation: ./exitisp test --full"
)

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
    return make(sets, tmp_path_factory.mktemp("image") / "exitisp.img")


@pytest.fixture(scope="session")
def complete(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    """With the frozen wizard. Skips where there is no package of Python to freeze it with."""
    image = tmp_path_factory.mktemp("complete") / "exitisp.img"
    return make(sets, image, wizard=frozen_for_freebsd())


def make(sets: Path, image: Path, *more: overlay.Overlay, wizard: Frozen | None = None) -> Real:
    """An image with a root shell, quick to emulate, and with the overlays `more`."""
    return made(sets, image, *added(sets), *more, wizard=wizard)


def added(sets: Path) -> tuple[overlay.Overlay, ...]:
    """What the tests lay over images of these sets."""
    return (*untouched(sets), overlay.load(ROUTES))


@cache
def untouched(sets: Path) -> tuple[overlay.Overlay, ...]:
    """Those of them that leave every setting of the overlays as it is."""
    shell = overlay.load(SHELL)
    overlays = [*overlay.load_all(ROOT / "overlays"), shell]
    inputs = build.Inputs(obtain(sets, LOCK, cache_folder()), overlays)
    with build.assembling(inputs, cache_folder().parent, None) as assembled:
        known = Kernel(assembled.tree, []).look_up(RANDOM)
    return (shell,) if known is None else (shell, overlay.load(ADDRESSES))


def made(sets: Path, image: Path, *more: overlay.Overlay, wizard: Frozen | None = None) -> Real:
    """An image with the overlays `more`."""
    verified, kept = obtain(sets, LOCK, cache_folder()), cache_folder().parent
    overlays = [*overlay.load_all(ROOT / "overlays"), *more]
    read = reviewed.load(ROOT / "overlays" / "packages.yaml")
    build.build(verified, overlays, image, kept, packages=PACKAGES, reviewed=read, wizard=wizard)
    inputs = build.Inputs(verified, overlays, PACKAGES, read, wizard)
    with build.assembling(inputs, kept, None) as assembled:
        return Real(image, assembled.tree)


def machine(
    image: Path, folder: Path, firmware: Firmware, bus: Bus = Bus.VIRTIO, name: str = "machine"
) -> Machine:
    disk = Disk(image, bus, size=STICK)
    return Machine(disk, folder=folder, firmware=firmware, memory=1024, name=name)


def transcripts() -> Path:
    """Where the consoles' transcripts are kept after the run."""
    return ROOT / "build" / "boot"
