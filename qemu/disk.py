"""The disks of a virtual machine: the image, the bus, and whether writes change the image."""

import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firstboot.core.refusal import Refusal

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
"""Bytes of a cluster, qemu-img's default."""

LARGEST = CLUSTER * (CLUSTER // 8) * (CLUSTER // 8)
"""Bytes (4 TiB) of the largest disk whose first-level table fits in one cluster."""

BACKING_FORMAT = 0xE2792ACA
"""The type of the header extension that names the backing file's format."""


class Bus(Enum):
    """How a disk is attached. The image has to boot from each of them."""

    VIRTIO = "virtio"
    SATA = "sata"
    NVME = "nvme"
    USB = "usb"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that holds the raw image at `image`.

    With `snapshot` the image is never written. Writes go to an overlay, which lasts as long as the
    machine and survives its power cuts. `size`, in bytes, makes the disk larger than its image, as
    a real one is; this needs `snapshot`.
    """

    image: Path
    bus: Bus = Bus.VIRTIO
    snapshot: bool = True
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not self.snapshot:
            raise ValueError("only a snapshot can be larger than its image")


def write_overlay(path: Path, disk: Disk) -> None:
    """Write at `path` an empty qcow2 image whose backing file is the image of `disk`.

    Raises Refusal if the image is absent, is no multiple of 512 bytes, or does not fit in
    `disk.size`. The format is version 3 of docs/interop/qcow2.txt in QEMU's source; all numbers
    are big-endian. The four clusters are the header, the refcount table, one refcount block, and
    the first-level table, in which zero means "read the backing file". It is written here because
    Debian's qemu-system-x86 does not include qemu-img.
    """
    below = str(disk.image.absolute()).encode()
    size = check_size(disk)
    entries = -(-size // (CLUSTER * (CLUSTER // 8)))
    extensions = struct.pack(">II8sQ", BACKING_FORMAT, 3, b"raw", 0)
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb",
        3,
        104 + len(extensions),
        len(below),
        CLUSTER_BITS,
        size,
        0,  # encryption
        entries,
        3 * CLUSTER,  # first-level table
        1 * CLUSTER,  # refcount table
        1,  # clusters of it
        0,  # internal snapshots
        0,
        0,  # incompatible features
        0,  # compatible features
        0,  # autoclear features
        4,  # refcounts of 1 << 4 bits
        104,
    )
    with path.open("wb") as file:
        file.write(header + extensions + below)
        file.seek(1 * CLUSTER)
        file.write(struct.pack(">Q", 2 * CLUSTER))
        file.seek(2 * CLUSTER)
        file.write(struct.pack(">4H", 1, 1, 1, 1))
        file.truncate(4 * CLUSTER)


def check_size(disk: Disk) -> int:
    """Return the size of `disk` in bytes. Raises Refusal as write_overlay does."""
    try:
        image = disk.image.stat().st_size
    except OSError as error:
        raise Refusal(
            disk.image,
            f"the disk image cannot be read ({error.strerror or error})",
            "Build it with ./exitisp build, or name another image",
        ) from error
    size = disk.size or image
    if size % 512 or not image <= size <= LARGEST or not size:
        raise Refusal(
            disk.image,
            f"its {image} bytes are no disk image: they are not whole sectors of 512 bytes, or do "
            f"not fit on a disk of {size} bytes",
            "Check that the file is a complete image",
        )
    return size
