"""Blocks reported as free are free, and a file system that is not ours has none."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.flash.free import free_blocks
from image.flash.spans import total
from image.ufs2.geometry import BLOCK, FRAGMENT, SUPERBLOCK_AT
from tests.image.flash.images import Small, make
from tests.image.ufs2_check import Ufs2


@pytest.fixture(scope="module")
def small() -> Iterator[Small]:
    with TemporaryDirectory() as folder:
        yield make(Path(folder) / "exitisp.img")


@pytest.fixture(scope="module")
def slot(small: Small) -> bytes:
    return small.part("rootA", small.data)


def free(data: bytes) -> tuple[tuple[int, int], ...]:
    return free_blocks(lambda at, length: data[at : at + length], 0, len(data))


def test_free_blocks_are_whole_and_hold_nothing(slot: bytes) -> None:
    spans = free(slot)
    assert total(spans) > len(slot) // 2
    for first, end in spans:
        assert first % BLOCK == end % BLOCK == 0
        assert slot[first:end] == bytes(end - first)


def test_their_number_is_that_in_the_superblock(small: Small, slot: bytes) -> None:
    system = Ufs2(small.path, small.layout.offset("rootA"))
    free_blocks_counted = int.from_bytes(system.sb[1016:1024], "little")
    system.close()
    assert total(free(slot)) == free_blocks_counted * BLOCK


def test_any_bytes_in_free_blocks_leave_the_file_system_sound(small: Small, tmp_path: Path) -> None:
    data = bytearray(small.data)
    at, length = small.layout.offset("rootA"), small.layout.length("rootA")
    for first, end in free_blocks(lambda at, length: bytes(data[at : at + length]), at, length):
        data[first:end] = b"\xa5" * (end - first)
    path = tmp_path / "image"
    path.write_bytes(data)
    system = Ufs2(path, at)
    assert system.complaints() == []
    system.close()


@pytest.mark.parametrize("data", [bytes(1 << 20), b"\xa5" * (1 << 20)])
def test_other_bytes_have_no_free_blocks(data: bytes) -> None:
    assert free(data) == ()


def test_a_truncated_file_system_has_no_free_blocks(slot: bytes) -> None:
    assert free(slot[:-BLOCK]) == ()


@settings(max_examples=200)
@given(
    place=st.sampled_from([SUPERBLOCK_AT, 20 * FRAGMENT, 24 * FRAGMENT]),
    at=st.integers(0, 1376),
    value=st.binary(min_size=1, max_size=8),
)
def test_damage_never_reaches_beyond_the_partition(
    slot: bytes, place: int, at: int, value: bytes
) -> None:
    damaged = bytearray(slot[: 64 * FRAGMENT])
    damaged[place + at : place + at + len(value)] = value

    def read(offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(slot)
        head = bytes(damaged[offset : offset + length])
        return head + slot[offset + len(head) : offset + length]

    spans = free_blocks(read, 0, len(slot))
    assert all(0 <= first < end <= len(slot) for first, end in spans)
