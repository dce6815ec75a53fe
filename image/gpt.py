"""The GUID partition table of a disk, with the protective MBR that old firmware starts from.

Everything on the disk is little-endian, blocks are 512 bytes. Block 0 is the protective MBR,
block 1 the header, blocks 2 to 33 the 128 entries; the last 33 blocks hold the entries and the
header again. Sources: UEFI specification 2.10, section 5.2.3 (protective MBR) and 5.3 (header and
entries); types and boot attributes from FreeBSD's ``<sys/disk/gpt.h>``; boot code from gpart(8).
"""

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntFlag
from pathlib import Path
from uuid import UUID, uuid5

from firstboot.core.boot_places import BOOT_CODE
from firstboot.core.refusal import Refusal
from image.atomic_files import place

BLOCK = 512
"""Bytes in a block, the unit of every address and size here."""

EFI = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
BIOS_BOOT = UUID("21686148-6449-6e6f-744e-656564454649")
FREEBSD_BOOT = UUID("83bd6b9d-7f41-11dc-be0b-001560b84f0f")
FREEBSD_SWAP = UUID("516e7cb5-6ecf-11d6-8ff8-00022d09712b")
FREEBSD_UFS = UUID("516e7cb6-6ecf-11d6-8ff8-00022d09712b")
LINUX_DATA = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
UNUSED = UUID(int=0)

SIGNATURE = b"EFI PART"
REVISION = 0x00010000
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
"""``struct gpt_hdr`` without its padding: 92 bytes."""
HEADER_CRC_AT = 16

ENTRY = struct.Struct("<16s16sQQQ72s")
"""``struct gpt_ent``: 128 bytes."""
ENTRIES = 128
ENTRY_BLOCKS = ENTRIES * ENTRY.size // BLOCK
FIRST_USABLE = 2 + ENTRY_BLOCKS

MBR = struct.Struct("<440s6xB3sB3sII48x2s")
"""Boot code, disk signature (none), one partition record, three empty ones, magic number."""
PROTECTIVE = 0xEE
MAGIC = b"\x55\xaa"


class Attribute(IntFlag):
    """Bits of an entry's attribute field that gptboot(8) acts on. Others are kept as they are."""

    BOOTFAILED = 1 << 57
    BOOTONCE = 1 << 58
    BOOTME = 1 << 59


NO_ATTRIBUTES = Attribute(0)


@dataclass(frozen=True, slots=True)
class Partition:
    """`blocks` blocks from `first_lba` on. The label shows up as ``/dev/gpt/LABEL``.

    `identifier` is derived by the table from its own and the label, unless it is given.
    """

    label: str
    type: UUID
    first_lba: int
    blocks: int
    attributes: Attribute = NO_ATTRIBUTES
    identifier: UUID | None = None

    @property
    def last_lba(self) -> int:
        return self.first_lba + self.blocks - 1


@dataclass(frozen=True, slots=True)
class Table:
    """The partitions of a disk of `blocks` blocks, in the order of their numbers, from 1.

    Raises Refusal if a partition lies outside the usable blocks or over another one, or if its
    label is too long or taken.
    """

    blocks: int
    identifier: UUID
    partitions: tuple[Partition, ...]

    def __post_init__(self) -> None:
        identified = (
            replace(one, identifier=one.identifier or uuid5(self.identifier, one.label))
            for one in self.partitions
        )
        object.__setattr__(self, "partitions", tuple(identified))
        _check_room(self.blocks, self.partitions)
        _check_labels(self.partitions)
        _check_places(self.partitions, self.last_usable)

    @property
    def last_usable(self) -> int:
        """The last block a partition may have."""
        return self.blocks - 2 - ENTRY_BLOCKS


def encode(table: Table, boot_code: bytes = b"") -> tuple[bytes, bytes]:
    """The first 34 blocks of the disk, and its last 33.

    `boot_code` is at most 440 bytes, or a whole boot sector such as FreeBSD's ``/boot/pmbr``.
    Raises Refusal if it is neither.
    """
    entries = b"".join(map(_entry, table.partitions)).ljust(ENTRIES * ENTRY.size, b"\0")
    last = table.blocks - 1
    primary = _header(table, entries, own=1, other=last, entries_lba=2)
    backup = _header(table, entries, own=last, other=1, entries_lba=last - ENTRY_BLOCKS)
    return _protective_mbr(table.blocks, boot_code) + primary + entries, entries + backup


def write(file: int, table: Table, boot_code: bytes = b"") -> None:
    """Place both copies of the table into the open file descriptor `file`.

    The blocks between them are left alone. See `encode` for `boot_code`.
    """
    primary, backup = encode(table, boot_code)
    place(file, 0, primary)
    place(file, table.blocks * BLOCK - len(backup), backup)


def read(path: Path) -> Table:
    """The table of the image or disk at `path`.

    The disk may be larger than the table says, as after flashing an image. Raises Refusal unless
    both copies are whole and agree; `write` makes no other tables than those with 128 entries
    numbered without gaps, and this reads no others.
    """
    with path.open("rb", buffering=0) as disk:
        size = disk.seek(0, os.SEEK_END)
        _check_mbr(os.pread(disk.fileno(), BLOCK, 0), path)
        primary, table = _read_copy(disk.fileno(), path, "primary", 1, size)
        backup, again = _read_copy(disk.fileno(), path, "backup", primary.other, size)
    if backup.other != 1 or table != again:
        raise _broken(path, "the two copies of its partition table differ")
    return table


def told_size(head: bytes, subject: object) -> int:
    """How many bytes the disk has whose first two blocks begin `head`, as its table says. Raises
    Refusal."""
    _check_mbr(head[:BLOCK], subject)
    header = _parse_header(head[BLOCK : 2 * BLOCK], subject, "primary", 1)
    return (max(header.own, header.other) + 1) * BLOCK


@dataclass(frozen=True, slots=True)
class _Header:
    """What of a header is not the same on every disk."""

    own: int
    other: int
    identifier: UUID
    entries_lba: int
    entries_crc: int


def _protective_mbr(blocks: int, boot_code: bytes) -> bytes:
    """As gpart(8) and mkimg(1) write it: one record over the whole disk, never marked active."""
    if len(boot_code) == BLOCK and boot_code.endswith(MAGIC):
        boot_code = boot_code[:BOOT_CODE]
    if len(boot_code) > BOOT_CODE:
        raise Refusal(
            "boot code",
            f"{len(boot_code)} bytes; it must be at most {BOOT_CODE}, or a boot sector of {BLOCK}",
            "Take /boot/pmbr of the base system",
        )
    covered = min(blocks - 1, 0xFFFFFFFF)
    return MBR.pack(boot_code, 0, b"\x00\x02\x00", PROTECTIVE, b"\xff\xff\xff", 1, covered, MAGIC)


def _header(table: Table, entries: bytes, *, own: int, other: int, entries_lba: int) -> bytes:
    def pack(crc: int) -> bytes:
        return HEADER.pack(
            SIGNATURE,
            REVISION,
            HEADER.size,
            crc,
            0,
            own,
            other,
            FIRST_USABLE,
            table.last_usable,
            table.identifier.bytes_le,
            entries_lba,
            ENTRIES,
            ENTRY.size,
            zlib.crc32(entries),
        )

    return pack(zlib.crc32(pack(0))).ljust(BLOCK, b"\0")


def _entry(partition: Partition) -> bytes:
    assert partition.identifier is not None
    return ENTRY.pack(
        partition.type.bytes_le,
        partition.identifier.bytes_le,
        partition.first_lba,
        partition.last_lba,
        partition.attributes,
        partition.label.encode("utf-16-le"),
    )


def _read_copy(disk: int, path: Path, copy: str, lba: int, size: int) -> tuple[_Header, Table]:
    header = _parse_header(os.pread(disk, BLOCK, lba * BLOCK), path, copy, lba)
    blocks = max(header.own, header.other) + 1
    if blocks * BLOCK > size:
        raise _broken(path, f"it has {size // BLOCK} blocks, and its table is for {blocks}")
    entries = os.pread(disk, ENTRIES * ENTRY.size, header.entries_lba * BLOCK)
    if zlib.crc32(entries) != header.entries_crc:
        raise _broken(path, f"the {copy} entries do not have the checksum in their header")
    try:
        return header, Table(blocks, header.identifier, tuple(_partitions(path, entries)))
    except Refusal as refusal:
        raise Refusal(f"{path}, {refusal.where}", refusal.problem, refusal.remedy) from None


def _check_mbr(block: bytes, subject: object) -> None:
    if len(block) < BLOCK or block[-2:] != MAGIC or PROTECTIVE not in block[450:510:16]:
        raise _broken(subject, "its first block is not a protective MBR")


def _parse_header(block: bytes, path: object, copy: str, lba: int) -> _Header:
    if len(block) < BLOCK or not block.startswith(SIGNATURE):
        raise _broken(path, f"block {lba} is not the {copy} header of a partition table")
    _, revision, length, crc, _, own, other, first, last, identifier, entries_lba, *shape = (
        HEADER.unpack_from(block)
    )
    entries, entry_size, entries_crc = shape
    unsigned = bytearray(block[: HEADER.size])
    unsigned[HEADER_CRC_AT : HEADER_CRC_AT + 4] = bytes(4)
    if length != HEADER.size or zlib.crc32(unsigned) != crc:
        raise _broken(path, f"the {copy} header does not have the checksum that it names")
    disk_last = max(own, other)
    if (
        revision != REVISION
        or own != lba
        or (entries, entry_size) != (ENTRIES, ENTRY.size)
        or (first, last) != (FIRST_USABLE, disk_last - 1 - ENTRY_BLOCKS)
        or entries_lba != (2 if lba == 1 else lba - ENTRY_BLOCKS)
    ):
        raise _broken(
            path,
            f"the {copy} header is not of revision 1.0 with {ENTRIES} entries next to it "
            f"({entries} entries of {entry_size} bytes)",
        )
    return _Header(own, other, UUID(bytes_le=identifier), entries_lba, entries_crc)


def _partitions(path: Path, entries: bytes) -> Iterable[Partition]:
    gap = 0
    for number, entry in enumerate(ENTRY.iter_unpack(entries), start=1):
        kind, identifier, first, last, attributes, label = entry
        if kind == UNUSED.bytes_le:
            gap = gap or number
            continue
        if gap:
            raise _broken(path, f"there is a partition {number}, but no partition {gap}")
        yield Partition(
            label.decode("utf-16-le", "replace").partition("\0")[0],
            UUID(bytes_le=kind),
            first,
            last - first + 1,
            Attribute(attributes),
            UUID(bytes_le=identifier),
        )


def _broken(subject: object, problem: str) -> Refusal:
    return Refusal(subject, problem, "Write the image to the disk again")


def _check_room(blocks: int, partitions: tuple[Partition, ...]) -> None:
    least = FIRST_USABLE + 1 + ENTRY_BLOCKS + 1
    if blocks < least or len(partitions) > ENTRIES:
        raise Refusal(
            "partition table",
            f"{len(partitions)} partitions on {blocks} blocks; a table has at most "
            f"{ENTRIES}, and needs {least} blocks",
            "Lay out fewer partitions or enlarge the disk",
        )


def _check_labels(partitions: tuple[Partition, ...]) -> None:
    seen = set()
    for partition in partitions:
        if len(partition.label.encode("utf-16-le")) > 72 or "\0" in partition.label:
            raise Refusal(
                f"partition {partition.label!r}",
                f"the label has {len(partition.label)} characters; at most 36 UTF-16 units fit",
                "Shorten it",
            )
        if partition.label in seen:
            raise Refusal(
                f"partition {partition.label!r}",
                "another partition has the same label",
                "Rename one of them",
            )
        seen.add(partition.label)


def _check_places(partitions: tuple[Partition, ...], last_usable: int) -> None:
    free_from, before = FIRST_USABLE, "the table"
    for partition in sorted(partitions, key=lambda one: one.first_lba):
        if partition.blocks < 1 or partition.last_lba > last_usable:
            raise Refusal(
                f"partition {partition.label!r}",
                f"blocks {partition.first_lba} to {partition.last_lba}; it needs at least "
                f"one block, and none after {last_usable}",
                "Make it smaller or the disk larger",
            )
        if partition.first_lba < free_from:
            raise Refusal(
                f"partition {partition.label!r}",
                f"begins at block {partition.first_lba}, but {free_from} is the first free "
                f"one after {before}",
                "Move it",
            )
        free_from, before = partition.last_lba + 1, f"partition {partition.label!r}"
