"""The disk: which partition lies where.

    1  efi    FAT, the first boot program of UEFI, and what a person may edit
    2  boot   gptboot, for a BIOS
    3  rootA  a slot: a whole system, read-only
    4  rootB  the other slot, empty until the first upgrade
    5  cfg    what the box was told: the site and the keys of the box
    6  data   what the box keeps: relay identities, state; grown on the first boot

gptboot and gptboot.efi start the first slot that is marked `bootme` (gptboot(8)).
"""

from dataclasses import dataclass
from uuid import UUID

from firstboot.core.refusal import Refusal
from image import gpt
from image.gpt import Attribute, Partition, Table

MIB = 1 << 20

BOOT_AT = 40
"""Block of the BIOS boot partition, as bsdinstall(8) has it."""

BOOT_BLOCKS = 512 * 1024 // gpt.BLOCK
EFI_MIB = 40
"""FAT32, which UEFI asks for, needs 33 MiB at least."""

SLOT_MIB = 1024
CFG_MIB = 64
DATA_MIB = 64
"""Of the image; the first boot makes it as large as the disk."""

SMALLEST_MIB = 1 + EFI_MIB + 2 * SLOT_MIB + CFG_MIB + DATA_MIB + 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The table of a disk, and its partitions by name. Sizes and offsets are in bytes."""

    table: Table

    @property
    def size(self) -> int:
        return self.table.blocks * gpt.BLOCK

    def partition(self, label: str) -> Partition:
        (found,) = (one for one in self.table.partitions if one.label == label)
        return found

    def offset(self, label: str) -> int:
        return self.partition(label).first_lba * gpt.BLOCK

    def length(self, label: str) -> int:
        return self.partition(label).blocks * gpt.BLOCK


def check_size(size_mib: int) -> None:
    """Raises Refusal if a disk of `size_mib` MiB is too small."""
    if size_mib < SMALLEST_MIB:
        raise Refusal(
            "the disk",
            f"{size_mib} MiB; at least {SMALLEST_MIB} MiB are needed",
            "Use a larger disk",
        )


def lay_out(size_mib: int, identifier: UUID) -> Layout:
    """Partitions for a disk of `size_mib` MiB; what is left over goes to data. Raises Refusal if
    that is too small."""
    check_size(size_mib)
    at = MIB // gpt.BLOCK
    partitions = []
    for label, kind, mib, attributes in (
        ("efi", gpt.EFI, EFI_MIB, gpt.NO_ATTRIBUTES),
        ("rootA", gpt.FREEBSD_UFS, SLOT_MIB, Attribute.BOOTME),
        ("rootB", gpt.FREEBSD_UFS, SLOT_MIB, gpt.NO_ATTRIBUTES),
        ("cfg", gpt.FREEBSD_UFS, CFG_MIB, gpt.NO_ATTRIBUTES),
        ("data", gpt.FREEBSD_UFS, DATA_MIB + size_mib - SMALLEST_MIB, gpt.NO_ATTRIBUTES),
    ):
        blocks = mib * MIB // gpt.BLOCK
        partitions.append(Partition(label, kind, at, blocks, attributes))
        at += blocks
    partitions.insert(1, Partition("boot", gpt.FREEBSD_BOOT, BOOT_AT, BOOT_BLOCKS))
    return Layout(Table(size_mib * MIB // gpt.BLOCK, identifier, tuple(partitions)))


def too_large(found: str) -> Refusal:
    return Refusal(
        "the root tree",
        f"does not fit a slot of {SLOT_MIB} MiB: {found}",
        "Drop more of the base in an overlay.yaml",
    )
