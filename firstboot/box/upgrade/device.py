"""Writes to a partition that holds no mounted file system."""

import contextlib
import fcntl
import os

from firstboot.core.durable import flush

DIOCGMEDIASIZE = 0x40086481
"""_IOR('d', 129, off_t) in sys/disk.h: the size of a disk in bytes, which seeking does not tell."""


def place(target: int, offset: int, data: bytes) -> None:
    while data:
        written = os.pwrite(target, data, offset)
        data, offset = data[written:], offset + written


def settle(target: int) -> None:
    # FreeBSD writes to a disk at once, and flush() empties the cache of the disk.
    with contextlib.suppress(OSError):
        os.fsync(target)
    flush()


def size(target: int) -> int:
    """Bytes of the partition or file."""
    return os.lseek(target, 0, os.SEEK_END) or int.from_bytes(
        fcntl.ioctl(target, DIOCGMEDIASIZE, bytes(8)), "little"
    )
