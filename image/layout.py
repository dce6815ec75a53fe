"""The layout of the disk: its partitions and where they are.

    1  efi    FAT: the first boot program of UEFI, and files that a person may edit
    2  boot   gptboot, for BIOS firmware
    3  rootA  a slot: a whole system, read-only
    4  rootB  the other slot, empty until the first upgrade
    5  cfg    the configuration: the site and the keys of the box
    6  data   relay identities and other state; grows to the end of the disk on the first boot
    7  efi2   the spare of efi, which is started from while efi is written anew
    8  boot2  the spare of boot

gptboot and gptboot.efi start the first slot that is marked `bootme` (gptboot(8)).
"""

from dataclasses import dataclass
from uuid import UUID

from firstboot.core import boot_places
from firstboot.core.boot_places import BIOS, UEFI
from firstboot.core.refusal import Refusal
from image import gpt
from image.gpt import Attribute, Partition, Table

MIB = 1 << 20

BOOT_AT = 40
"""First block of the BIOS boot partition, the same as bsdinstall(8) uses."""

BOOT_BLOCKS = 512 * 1024 // gpt.BLOCK
BOOT_MIB = 2
"""What pmbr, the table and both boot partitions take."""

NUMBERED = ("efi", "boot", "rootA", "rootB", "cfg", "data", "efi2", "boot2")
"""Labels by their numbers, from 1. Of two partitions for boot programs firmware takes the first, so
a spare has a later number."""

EFI_MIB = 40
"""UEFI asks for FAT32, which needs at least 33 MiB."""

SLOT_MIB = 1024
CFG_MIB = 64
DATA_MIB = 64
"""In the image; the first boot grows it to the end of the disk."""

SMALLEST_MIB = BOOT_MIB + 2 * EFI_MIB + 2 * SLOT_MIB + CFG_MIB + DATA_MIB + 1


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
    """Raise Refusal if a disk of `size_mib` MiB is too small."""
    if size_mib < SMALLEST_MIB:
        raise Refusal(
            "the disk",
            f"{size_mib} MiB; at least {SMALLEST_MIB} MiB are needed",
            "Use a larger disk",
        )


def lay_out(size_mib: int, identifier: UUID) -> Layout:
    """Return the layout of a disk of `size_mib` MiB; data takes what is left over. Raises Refusal
    if the disk is too small."""
    check_size(size_mib)
    at = BOOT_MIB * MIB // gpt.BLOCK
    placed = {}
    for label, kind, mib, attributes in (
        (UEFI.label, gpt.EFI, EFI_MIB, gpt.NO_ATTRIBUTES),
        (UEFI.spare, boot_places.IDLE, EFI_MIB, gpt.NO_ATTRIBUTES),
        ("rootA", gpt.FREEBSD_UFS, SLOT_MIB, Attribute.BOOTME),
        ("rootB", gpt.FREEBSD_UFS, SLOT_MIB, gpt.NO_ATTRIBUTES),
        ("cfg", gpt.FREEBSD_UFS, CFG_MIB, gpt.NO_ATTRIBUTES),
        ("data", gpt.FREEBSD_UFS, DATA_MIB + size_mib - SMALLEST_MIB, gpt.NO_ATTRIBUTES),
    ):
        blocks = mib * MIB // gpt.BLOCK
        placed[label] = Partition(label, kind, at, blocks, attributes)
        at += blocks
    for at, label, kind in (
        (BOOT_AT, BIOS.label, gpt.FREEBSD_BOOT),
        (BOOT_AT + BOOT_BLOCKS, BIOS.spare, boot_places.IDLE),
    ):
        placed[label] = Partition(label, kind, at, BOOT_BLOCKS)
    partitions = tuple(placed[label] for label in NUMBERED)
    return Layout(Table(size_mib * MIB // gpt.BLOCK, identifier, partitions))


def too_large(found: str) -> Refusal:
    return Refusal(
        "the root tree",
        f"does not fit a slot of {SLOT_MIB} MiB: {found}",
        "Drop more of the base in an overlay.yaml",
    )
