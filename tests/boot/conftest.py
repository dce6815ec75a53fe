"""Real base sets, images made from them, and machines that boot them.

Every folder of base sets that `tests.base_sets` finds has its turn: a test that uses the fixture
`sets`, or one built on it, runs once for each.

The images are those that anybody gets, with three more overlays. One gives a root shell on the
second serial port, since root is locked in an image that nobody configured. The others switch off
the randomisation of addresses and dxr's tables, which slow an emulator down. The images have the
packages that are shared beside the repository, if there are any. `real` has no wizard and offers a
login at once; `complete` has the wizard.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from image import build, overlay
from image.download.cache import cache_folder
from image.freeze.frozen import Frozen
from image.inputs.base_sets import obtain
from image.inputs.packages import Given
from image.kernel.kernel import Kernel
from image.packages import reviewed
from image.tree import Tree
from qemu.console import Console
from qemu.disk import Bus, Disk
from qemu.firmware import Firmware
from qemu.machine import Machine
from tests.base_sets import NONE, found
from tests.image.freeze.made import frozen_for_freebsd
from tests.image.packages.fixtures import FIXTURES

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "image" / "hardenedbsd.lock.yaml"

SHELL = Path(__file__).parent / "shell"
ADDRESSES = Path(__file__).parent / "addresses"
"""QEMU translates a program anew for each address that it is loaded at (version 7.2), so scripts
run five times as fast where addresses are not random. test_frozen.py leaves them random."""

ROUTES = Path(__file__).parent / "routes"
"""dxr computes most of its tables anew for each change of a few routes, which takes an emulator
seconds. test_performance.py leaves dxr on."""

RANDOM = "kern.elf64.aslr.enable"
"""A setting of FreeBSD's kernel alone: HardenedBSD has settings of its own for it."""

ACCEPTED_VERSIONS = ("tor=0.4.9.11",)
"""Older than their minimum, but what the tests have."""

PACKAGES = Given(str(FIXTURES), FIXTURES / "keys") if (FIXTURES / "meta.conf").is_file() else None

full = pytest.mark.skipif(
    "EXITISP_FULL" not in os.environ, reason="takes long in emulation: ./exitisp test --full"
)

BOOT = 400.0
"""Seconds from power-on to a login prompt, with an emulated processor on a busy host."""

STICK = 4 << 30
"""Bytes of the disk, which is larger than the image, as real disks are."""


@dataclass(frozen=True)
class Real:
    """An image of real sets, the folder of the sets, and the tree in the image's first slot."""

    image: Path
    sets: Path
    tree: Tree


def name_of(sets: Path | None) -> str:
    return "no sets" if sets is None else sets.name


@pytest.fixture(scope="session", params=found(), ids=name_of)
def sets(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        pytest.skip(NONE)
    folder: Path = request.param
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a machine run on one worker (xdist_group), but those of other sets on
    another: pytest-xdist joins the names of all groups of a test."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        sets = parameters.params.get("sets") if parameters else None
        if sets and item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(name_of(sets)))


@pytest.fixture(scope="session")
def real(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    return make(sets, tmp_path_factory.mktemp("image") / "exitisp.img")


@pytest.fixture(scope="session")
def complete(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    """An image with the frozen wizard. Skips if there is no package of Python to freeze it with."""
    image = tmp_path_factory.mktemp("complete") / "exitisp.img"
    return make(sets, image, wizard=frozen_for_freebsd())


def make(sets: Path, image: Path, *more: overlay.Overlay, wizard: Frozen | None = None) -> Real:
    """Make an image with a root shell, the settings for emulation, and the overlays `more`."""
    return made(sets, image, *added(sets), *more, wizard=wizard)


def added(sets: Path) -> tuple[overlay.Overlay, ...]:
    """The overlays of the tests for images of these sets."""
    return (*untouched(sets), overlay.load(ROUTES))


@cache
def untouched(sets: Path) -> tuple[overlay.Overlay, ...]:
    """Those of them that change no setting of our overlays."""
    shell = overlay.load(SHELL)
    overlays = [*overlay.load_all(ROOT / "overlays"), shell]
    inputs = build.Inputs(obtain(sets, LOCK, cache_folder()), overlays)
    with build.assembling(inputs, cache_folder().parent, None) as assembled:
        known = Kernel(assembled.tree, []).look_up(RANDOM)
    return (shell,) if known is None else (shell, overlay.load(ADDRESSES))


def made(sets: Path, image: Path, *more: overlay.Overlay, wizard: Frozen | None = None) -> Real:
    """Make an image with our overlays and `more`."""
    verified, kept = obtain(sets, LOCK, cache_folder()), cache_folder().parent
    overlays = [*overlay.load_all(ROOT / "overlays"), *more]
    read = reviewed.load(ROOT / "overlays" / "packages.yaml")
    build.build(
        verified,
        overlays,
        image,
        kept,
        packages=PACKAGES,
        reviewed=read,
        wizard=wizard,
        accepted_versions=ACCEPTED_VERSIONS,
    )
    inputs = build.Inputs(
        verified, overlays, PACKAGES, read, wizard, accepted_versions=ACCEPTED_VERSIONS
    )
    with build.assembling(inputs, kept, None) as assembled:
        return Real(image, sets, assembled.tree)


def machine(
    image: Path, folder: Path, firmware: Firmware, bus: Bus = Bus.VIRTIO, name: str = "machine"
) -> Machine:
    disk = Disk(image, bus, size=STICK)
    return Machine(disk, folder=folder, firmware=firmware, memory=1024, name=name)


def transcripts(sets: Path | None = None) -> Path:
    """The folder that keeps the consoles' transcripts after the run, of machines of these sets."""
    folder = ROOT / "build" / "boot"
    return folder if sets is None else folder / name_of(sets)


def identify(shell: Console) -> str:
    """Have the transcript say which kernel runs, and HardenedBSD's settings if there are any."""
    return shell.run("uname -v; sysctl hardening 2>/dev/null || true").text
