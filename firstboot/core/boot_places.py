"""Where a disk has its boot programs: for each firmware a partition to start from, and a spare.

A BIOS runs pmbr(8) from the first block, which loads the first partition of the type freebsd-boot.
UEFI starts a partition of the type efi (UEFI specification 2.10, 13.3). The spare has a type that
no firmware knows, until the partition beside it is written anew.
"""

from dataclasses import dataclass
from uuid import UUID

IDLE = UUID("c2a30b0e-8f0b-4c39-9d2b-6f0e6a5f6b11")
"""The type of a partition that no firmware starts from."""


@dataclass(frozen=True, slots=True)
class BootPlace:
    """Labels of two partitions, and the type of the one in use as gpart(8) calls it."""

    label: str
    spare: str
    type: str


BIOS = BootPlace("boot", "boot2", "freebsd-boot")
UEFI = BootPlace("efi", "efi2", "efi")

UEFI_PROGRAM = "EFI/BOOT/BOOTX64.EFI"
"""What UEFI starts from a disk that it was told nothing about (3.5.1.1)."""

BOOT_CODE = 440
"""Bytes of pmbr in the first block of the disk; a disk signature and a partition table follow."""


def efi_program(gptboot_there: bool) -> str:
    """The file of a root that UEFI starts: gptboot.efi knows slots; old bases have the loader
    alone."""
    return "boot/gptboot.efi" if gptboot_there else "boot/loader.efi"
