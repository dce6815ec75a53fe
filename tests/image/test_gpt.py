"""The partition table is judged by sgdisk, and by reading back what was written."""

import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import gpt
from image.gpt import Attribute, Partition, Table

DISK = UUID("6ba7b810-9dad-51d1-80b4-00c04fd430c8")
BLOCKS = 200_000
LAYOUT = Table(
    BLOCKS,
    DISK,
    (
        Partition("boot", gpt.FREEBSD_BOOT, 40, 1024),
        Partition("esp", gpt.EFI, 2048, 67584),
        Partition("rootA", gpt.FREEBSD_UFS, 69632, 50000, Attribute.BOOTME),
        Partition("rootB", gpt.FREEBSD_UFS, 120000, 50000, Attribute.BOOTFAILED),
        Partition("swap", gpt.FREEBSD_SWAP, 170000, 10),
        Partition("données", gpt.LINUX_DATA, 170010, BLOCKS - 170010 - 33),
    ),
)
CODE = bytes(range(256)) + bytes(184)


def written(folder: Path, table: Table, boot_code: bytes = b"") -> Path:
    path = folder / "disk"
    with path.open("wb") as file:
        gpt.write(file.fileno(), table, boot_code)
    return path


def sgdisk(*arguments: str | Path) -> str:
    program = shutil.which("sgdisk", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("sgdisk is not installed (package gdisk)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return written(tmp_path, LAYOUT, CODE)


def test_sgdisk_finds_no_problem(disk: Path) -> None:
    assert "No problems found" in sgdisk("-v", disk)


@pytest.mark.parametrize(
    ("number", "kind", "attributes"),
    [
        (1, "83BD6B9D-7F41-11DC-BE0B-001560B84F0F (FreeBSD boot)", 0),
        (2, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B (EFI system partition)", 0),
        (3, "516E7CB6-6ECF-11D6-8FF8-00022D09712B (FreeBSD UFS)", 1 << 59),
        (4, "516E7CB6-6ECF-11D6-8FF8-00022D09712B (FreeBSD UFS)", 1 << 57),
        (5, "516E7CB5-6ECF-11D6-8FF8-00022D09712B (FreeBSD swap)", 0),
        (6, "0FC63DAF-8483-4772-8E79-3D69D8477DE4 (Linux filesystem)", 0),
    ],
)
def test_sgdisk_reads_every_partition(disk: Path, number: int, kind: str, attributes: int) -> None:
    told = sgdisk("-i", str(number), disk)
    partition = LAYOUT.partitions[number - 1]
    assert f"Partition GUID code: {kind}" in told
    assert f"unique GUID: {str(partition.identifier).upper()}" in told
    assert f"First sector: {partition.first_lba} " in told
    assert f"Last sector: {partition.last_lba} " in told
    assert f"Attribute flags: {attributes:016X}" in told
    assert f"Partition name: '{partition.label}'" in told


def test_the_disk_ends_with_the_backup_and_is_sparse(disk: Path) -> None:
    facts = disk.stat()
    assert facts.st_size == BLOCKS * 512
    assert facts.st_blocks * 512 < 256 * 1024


def test_what_was_written_is_read_back(disk: Path) -> None:
    assert gpt.read(disk) == LAYOUT


def test_a_flashed_table_is_read_from_a_larger_disk(disk: Path) -> None:
    os.truncate(disk, BLOCKS * 512 + 1_000_000)
    assert gpt.read(disk) == LAYOUT


@st.composite
def tables(draw: st.DrawFn) -> Table:
    labels = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=18)
    partitions = []
    at = 34
    for label in draw(st.lists(labels, unique=True, max_size=128)):
        at += draw(st.integers(0, 5000))
        blocks = draw(st.integers(1, 1 << 33))
        attributes = Attribute(draw(st.integers(0, (1 << 64) - 1)))
        kind = draw(st.uuids(allow_nil=False))
        partitions.append(Partition(label, kind, at, blocks, attributes))
        at += blocks
    return Table(at + draw(st.integers(34, 100)), draw(st.uuids()), tuple(partitions))


@settings(max_examples=50)
@given(tables())
def test_both_copies_carry_the_whole_table(table: Table) -> None:
    primary, backup = gpt.encode(table)
    assert (len(primary), len(backup)) == (34 * 512, 33 * 512)
    assert primary[1024:] == backup[:-512]
    assert tuple(gpt._partitions(Path("disk"), backup[:-512])) == table.partitions


def test_a_changed_attribute_changes_no_identifier(disk: Path, tmp_path: Path) -> None:
    read = gpt.read(disk)
    once = replace(read.partitions[3], attributes=Attribute.BOOTONCE)
    again = replace(read, partitions=(*read.partitions[:3], once, *read.partitions[4:]))
    assert gpt.read(written(tmp_path, again)) == again
    assert [one.identifier for one in again.partitions] == [
        one.identifier for one in LAYOUT.partitions
    ]


def test_an_identifier_that_was_given_stays() -> None:
    given_one = Partition("data", gpt.FREEBSD_UFS, 40, 1, identifier=UUID(int=5))
    assert Table(100, DISK, (given_one,)).partitions == (given_one,)


def test_identifiers_differ_between_partitions_and_disks() -> None:
    other = replace(
        LAYOUT,
        identifier=UUID(int=1),
        partitions=tuple(replace(one, identifier=None) for one in LAYOUT.partitions),
    )
    identifiers = {one.identifier for one in (*LAYOUT.partitions, *other.partitions)}
    assert len(identifiers) == 2 * len(LAYOUT.partitions)


def test_the_protective_mbr_is_what_gpart_writes() -> None:
    mbr = gpt.encode(LAYOUT, CODE)[0][:512]
    record = bytes.fromhex("00 000200 ee ffffff 01000000") + struct.pack("<I", BLOCKS - 1)
    assert mbr == CODE + bytes(6) + record + bytes(48) + b"\x55\xaa"


@pytest.mark.parametrize("blocks", [1 << 32, (1 << 32) + 1, 1 << 40])
def test_the_protective_record_is_capped(blocks: int) -> None:
    mbr = gpt.encode(Table(blocks, DISK, ()))[0][:512]
    assert mbr[446 + 12 : 446 + 16] == b"\xff\xff\xff\xff"


def test_a_whole_boot_sector_gives_its_code_alone() -> None:
    sector = CODE + bytes([1]) * 70 + b"\x55\xaa"
    assert gpt.encode(LAYOUT, sector) == gpt.encode(LAYOUT, CODE)


@pytest.mark.parametrize("code", [bytes(441), bytes(512), bytes(1024)])
def test_other_boot_code_is_refused(code: bytes) -> None:
    with pytest.raises(Refusal, match="it must be at most 440"):
        gpt.encode(LAYOUT, code)


@pytest.mark.parametrize(
    ("partitions", "told"),
    [
        (
            [Partition("a", gpt.EFI, 33, 1)],
            "begins at block 33, but 34 is the first free one after the table",
        ),
        ([Partition("a", gpt.EFI, 40, 0)], "at least one block"),
        ([Partition("a", gpt.EFI, 40, 928)], "none after 966"),
        (
            [Partition("a", gpt.EFI, 49, 1), Partition("b", gpt.EFI, 40, 10)],
            "begins at block 49, but 50 is the first free one after partition 'b'",
        ),
        (
            [Partition("a", gpt.EFI, 40, 1), Partition("a", gpt.EFI, 41, 1)],
            "another partition has the same label",
        ),
        ([Partition("a" * 37, gpt.EFI, 40, 1)], "at most 36 UTF-16 units"),
        ([Partition("\U0001f9c5" * 19, gpt.EFI, 40, 1)], "at most 36 UTF-16 units"),
        (
            [Partition(str(n), gpt.EFI, 40 + n, 1) for n in range(129)],
            "129 partitions on 1000 blocks; a table has at most 128, and needs 68 blocks",
        ),
    ],
)
def test_impossible_layouts_are_refused(partitions: list[Partition], told: str) -> None:
    with pytest.raises(Refusal, match=told):
        Table(1000, DISK, tuple(partitions))


def test_a_disk_without_room_for_a_table_is_refused() -> None:
    Table(68, DISK, ())
    with pytest.raises(
        Refusal, match="0 partitions on 67 blocks; a table has at most 128, and needs 68 blocks"
    ):
        Table(67, DISK, ())


def table_bytes() -> Iterator[range]:
    """What the two checksums of each copy cover."""
    yield range(512, 512 + 92)
    yield range(1024, 34 * 512)
    yield range((BLOCKS - 33) * 512, (BLOCKS - 1) * 512)
    yield range((BLOCKS - 1) * 512, (BLOCKS - 1) * 512 + 92)


def change(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.fixture(scope="module")
def shared_disk() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield written(Path(folder), LAYOUT, CODE)


@settings(max_examples=200)
@given(
    offset=st.one_of([st.integers(part.start, part.stop - 1) for part in table_bytes()]),
    bits=st.integers(1, 255),
)
def test_a_table_with_any_byte_changed_is_refused(
    shared_disk: Path, offset: int, bits: int
) -> None:
    with shared_disk.open("rb") as file:
        file.seek(offset)
        old = file.read(1)
    change(shared_disk, offset, bytes([old[0] ^ bits]))
    try:
        with pytest.raises(Refusal) as refused:
            gpt.read(shared_disk)
    finally:
        change(shared_disk, offset, old)
    assert "\n" not in str(refused.value)
    assert str(shared_disk) in str(refused.value)


@pytest.mark.parametrize("size", [0, 100, 512, 1024, 34 * 512, (BLOCKS - 1) * 512])
def test_a_truncated_disk_is_refused(disk: Path, size: int) -> None:
    os.truncate(disk, size)
    with pytest.raises(Refusal):
        gpt.read(disk)


def test_a_disk_whose_mbr_protects_nothing_is_refused(disk: Path) -> None:
    change(disk, 450, b"\xa5")
    with pytest.raises(Refusal, match="not a protective MBR"):
        gpt.read(disk)


def resealed(disk: Path, number: int, entry: bytes) -> None:
    """Put `entry` into both copies, with checksums that hold."""
    for header_at, entries_at in ((1, 2), (BLOCKS - 1, BLOCKS - 33)):
        change(disk, entries_at * 512 + number * 128, entry)
        with disk.open("rb") as file:
            file.seek(entries_at * 512)
            entries = file.read(128 * 128)
            file.seek(header_at * 512)
            header = bytearray(file.read(92))
        header[88:92] = struct.pack("<I", zlib.crc32(entries))
        header[16:20] = bytes(4)
        header[16:20] = struct.pack("<I", zlib.crc32(header))
        change(disk, header_at * 512, bytes(header))


def test_overlapping_partitions_are_refused_in_spite_of_good_checksums(disk: Path) -> None:
    stray = Table(BLOCKS, DISK, (Partition("stray", gpt.EFI, 2049, 1),))
    resealed(disk, 6, gpt.encode(stray)[0][1024 : 1024 + 128])
    with pytest.raises(
        Refusal,
        match="disk, partition 'stray': begins at block 2049, but 69632 is the first free one "
        "after partition 'esp'",
    ):
        gpt.read(disk)


def test_a_gap_in_the_numbers_is_refused(disk: Path) -> None:
    resealed(disk, 2, bytes(128))
    with pytest.raises(Refusal, match="a partition 4, but no partition 3"):
        gpt.read(disk)


def test_copies_that_differ_are_refused(disk: Path) -> None:
    other = replace(LAYOUT, partitions=LAYOUT.partitions[:2])
    change(disk, (BLOCKS - 33) * 512, gpt.encode(other)[1])
    with pytest.raises(Refusal, match="copies of its partition table differ"):
        gpt.read(disk)
