"""The disk of a rehearsal.

    1  efi    FAT: GRUB for UEFI, the kernel, its initial root, and files that a user may edit
    2  boot   GRUB for a BIOS
    3  cfg    the site, and the keys of the box
    4  data   what the box keeps: relay identities, state

The root is in memory, and there are no slots. cfg and data are ext4 and are made with the image.
data has the size that the image says, however large the disk is.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid5

from firstboot.core.refusal import Refusal
from image import fat, gpt
from image.atomic_files import place
from image.gpt import Partition, Table
from image.layout import BOOT_AT, BOOT_BLOCKS, CFG_MIB, MIB, Layout
from image.progress import step
from image.rehearsal import grub
from image.rehearsal.tools import Tools
from image.tree import Content

EFI_MIB = 272
"""From 260 MiB on a FAT cluster has 4 KiB instead of 512 bytes (fatgen103). GRUB reads one cluster
at a time."""

DATA_MIB = 512
SMALLEST_MIB = 1 + EFI_MIB + CFG_MIB + DATA_MIB + 1

MKE2FS = "usr/sbin/mke2fs"
FEATURES = "has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize"
"""Features of ext4 (mke2fs(8)), named here so that the host's mke2fs.conf does not matter."""


def lay_out(size_mib: int, identifier: UUID) -> Layout:
    """Return the partitions of a disk of `size_mib` MiB; the rest goes to data. Raises Refusal if
    it is too small."""
    if size_mib < SMALLEST_MIB:
        raise Refusal(
            "--disk",
            f"{size_mib} MiB are too small for a rehearsal, which needs {SMALLEST_MIB} MiB",
            "Give a larger size",
        )
    at = MIB // gpt.BLOCK
    partitions = []
    for label, kind, mib in (
        ("efi", gpt.EFI, EFI_MIB),
        ("cfg", gpt.LINUX_DATA, CFG_MIB),
        ("data", gpt.LINUX_DATA, DATA_MIB + size_mib - SMALLEST_MIB),
    ):
        blocks = mib * MIB // gpt.BLOCK
        partitions.append(Partition(label, kind, at, blocks))
        at += blocks
    partitions.insert(1, Partition("boot", gpt.BIOS_BOOT, BOOT_AT, BOOT_BLOCKS))
    return Layout(Table(size_mib * MIB // gpt.BLOCK, identifier, tuple(partitions)))


def write(
    path: Path, disk: Layout, tools: Tools, files: Mapping[str, bytes | Content], time: int
) -> None:
    """Write the whole disk to the new file `path`. `files` go into the EFI partition beside the
    boot program. `time` is in seconds since 1970."""
    serial = disk.table.identifier.fields[0]
    programs = grub.make(tools, serial, disk.partition("boot").first_lba)
    if len(programs.core) > disk.length("boot"):
        raise ValueError(f"GRUB has {len(programs.core)} bytes, more than its partition")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with step("Write the image"):
            os.ftruncate(descriptor, disk.size)
            volume = fat.Volume(
                "EXITISP", disk.length("efi"), serial, time, disk.offset("efi") // gpt.BLOCK
            )
            loader = {"EFI/BOOT/BOOTX64.EFI": programs.efi}
            fat.write(descriptor, disk.offset("efi"), volume, loader | dict(files))
            place(descriptor, disk.offset("boot"), programs.core)
            for label in ("cfg", "data"):
                make_ext4(path, disk, label, tools, time)
            gpt.write(descriptor, disk.table, programs.first)
    finally:
        os.close(descriptor)


def make_ext4(path: Path, disk: Layout, label: str, tools: Tools, time: int) -> None:
    """Make an empty ext4 in the partition `label` of the image at `path`."""
    identifier = str(uuid5(disk.table.identifier, f"ext4 {label}"))
    part = path.with_name(f"{path.name}.{label}")
    try:
        with part.open("wb") as file:
            file.truncate(disk.length(label))
        tools.run(
            MKE2FS,
            *("-q", "-F", "-t", "ext4", "-O", FEATURES, "-I", "256", "-b", "4096", "-m", "0"),
            *("-L", label, "-U", identifier),
            *("-E", f"root_owner=0:0,hash_seed={identifier},nodiscard,lazy_itable_init=0"),
            str(part),
            E2FSPROGS_FAKE_TIME=str(time),
            MKE2FS_CONFIG=os.devnull,
        )
        copy_data(part, path, disk.offset(label))
    finally:
        part.unlink(missing_ok=True)


def copy_data(source: Path, target: Path, offset: int) -> None:
    """Copy everything that is not a hole from `source` to `offset` in `target`."""
    with source.open("rb") as reading, target.open("r+b") as writing:
        end = reading.seek(0, os.SEEK_END)
        at = 0
        while at < end:
            try:
                first = os.lseek(reading.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            at = os.lseek(reading.fileno(), first, os.SEEK_HOLE)
            reading.seek(first)
            writing.seek(offset + first)
            while first < at:
                data = reading.read(min(MIB, at - first))
                writing.write(data)
                first += len(data)
