"""Small images that have all parts of a real one, and sticks that were used before."""

import random
import uuid
from dataclasses import dataclass
from pathlib import Path

from image import fat, gpt, ufs2
from image.fat import Volume
from image.gpt import Attribute, Partition, Table
from image.layout import Layout
from image.tree import Tree, directory, file

MIB = 1 << 20
WHEN = 1_700_000_000
BLOCKS_A_MIB = MIB // gpt.BLOCK
ESP = {"EFI/BOOT/BOOTX64.EFI": b"MZ" + bytes(range(256)) * 300}
BIG = random.Random(1).randbytes(3 * MIB) + bytes(MIB // 2) + b"the end"


@dataclass(frozen=True)
class Small:
    """An image of 40 MiB, and the tree in its first slot."""

    path: Path
    layout: Layout
    tree: Tree

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    def part(self, label: str, data: bytes) -> bytes:
        """What `data`, a disk, has in the partition `label`."""
        at = self.layout.offset(label)
        return data[at : at + self.layout.length(label)]


def make(path: Path) -> Small:
    table = Table(
        40 * BLOCKS_A_MIB,
        uuid.UUID(int=7),
        (
            part("efi", gpt.EFI, 1, 6),
            Partition("boot", gpt.FREEBSD_BOOT, 40, 1024),
            part("rootA", gpt.FREEBSD_UFS, 7, 12, Attribute.BOOTME),
            part("rootB", gpt.FREEBSD_UFS, 19, 12),
            part("cfg", gpt.FREEBSD_UFS, 31, 4),
            part("data", gpt.FREEBSD_UFS, 35, 4),
        ),
    )
    layout = Layout(table)
    tree = Tree(directory(mtime=WHEN))
    tree["etc"] = directory(mtime=WHEN)
    tree["etc/rc"] = file(b"#!/bin/sh\n", mtime=WHEN)
    tree["big"] = file(BIG, mtime=WHEN)
    empty = Tree(directory(mtime=WHEN))
    with path.open("w+b") as image:
        descriptor = image.fileno()
        image.truncate(layout.size)
        volume = Volume("EXITISP", layout.length("efi"), 1, WHEN)
        fat.write(descriptor, layout.offset("efi"), volume, ESP)
        for label, what in (("rootA", tree), ("rootB", empty), ("cfg", empty)):
            at, length = layout.offset(label), layout.length(label)
            ufs2.write(descriptor, at, length, what, time=WHEN)
        image.seek(layout.offset("boot"))
        image.write(b"gptboot" * 1000)
        image.flush()
        gpt.write(descriptor, table, b"pmbr" * 100)
    return Small(path, layout, tree)


def part(
    label: str, kind: uuid.UUID, at: int, mib: int, attributes: Attribute = gpt.NO_ATTRIBUTES
) -> Partition:
    return Partition(label, kind, at * BLOCKS_A_MIB, mib * BLOCKS_A_MIB, attributes)


def used_stick(path: Path, size: int) -> Path:
    """Return a file of `size` bytes that is full of another owner's data."""
    path.write_bytes(random.Random(2).randbytes(MIB) * (size // MIB) + bytes([0xA5]) * (size % MIB))
    return path
