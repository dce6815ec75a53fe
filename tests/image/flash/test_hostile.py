"""An image that is damaged, or made to do harm, is refused or written as it is: no traceback, and
nothing that takes for ever."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import diff, gpt
from image.flash.command import add_site
from image.flash.source import open_image
from image.ufs2.geometry import SUPERBLOCK_AT
from tests.image.flash.images import Small, make

SITE = b"operator: {}\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    path = tmp_path_factory.mktemp("hostile") / "exitisp.img"
    yield make(path)
    path.unlink()


def places(small: Small) -> list[int]:
    """Where the parts begin that are interpreted: tables, file systems and their fields."""
    disk = small.layout
    efi, slot = disk.offset("efi"), disk.offset("rootA")
    ends = disk.size - 33 * gpt.BLOCK
    return [0, gpt.BLOCK, 2 * gpt.BLOCK, ends, efi, efi + 16384, slot + SUPERBLOCK_AT, slot + 81920]


@settings(
    max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    which=st.integers(0, 7),
    more=st.integers(0, 2048),
    damage=st.one_of(
        st.binary(min_size=1, max_size=16),
        st.integers(0, 2**64 - 1).map(lambda number: struct.pack("<Q", number)),
    ),
)
def test_damage_anywhere_is_refused_or_does_no_harm(
    small: Small, which: int, more: int, damage: bytes
) -> None:
    at = min(places(small)[which] + more, small.layout.size - len(damage))
    with small.path.open("r+b") as file:
        before = os.pread(file.fileno(), len(damage), at)
        os.pwrite(file.fileno(), damage, at)
        try:
            with open_image(small.path) as image:
                add_site(image, SITE, 1_700_000_000)
                wanted = image.block_map()
            assert all(0 <= first < end <= image.size for first, end in wanted.data + wanted.zero)
        except Refusal:
            pass
        finally:
            os.pwrite(file.fileno(), before, at)


@pytest.mark.parametrize("fragments", [1, 8, 64])
def test_a_file_system_of_a_million_groups_is_not_believed(
    small: Small, tmp_path: Path, fragments: int
) -> None:
    """It would take a read for each group."""
    path = tmp_path / "exitisp.img"
    path.write_bytes(small.data)
    superblock = small.layout.offset("rootA") + SUPERBLOCK_AT
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), struct.pack("<I", 0x7FFFFFFF), superblock + 44)
        os.pwrite(file.fileno(), struct.pack("<i", fragments), superblock + 188)
    with open_image(path) as image:
        assert image.block_map().size == small.layout.size


def test_a_manifest_that_never_ends_is_refused(tmp_path: Path) -> None:
    """Not waited for: a pipe, and a device that is full of zeros."""
    os.mkfifo(tmp_path / "exitisp.json")
    with pytest.raises(Refusal, match="the manifest of the image cannot be read"):
        diff.load(tmp_path / "exitisp.img")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    with pytest.raises(Refusal, match="the manifest of the image cannot be read"):
        diff.load(tmp_path / "zero.json")
