"""The free blocks of a UFS2 file system, which need not be written.

Source: sys/ufs/ffs/fs.h (`struct fs`, `struct cg`, `cg_blksfree`). A set bit means a free fragment.
"""

import re
import struct
from collections.abc import Callable, Iterator

from firstboot.core.limits import UFS_GROUPS
from image.flash.spans import Span
from image.ufs2.geometry import BLOCK, FRAGMENT, FRAGMENTS_A_BLOCK, SUPERBLOCK_AT
from image.ufs2.structs import GROUP_MAGIC, MAGIC, SUPERBLOCK

Read = Callable[[int, int], bytes]
"""read(offset, length) returns `length` bytes from `offset` on."""

_SUPERBLOCK = struct.Struct("<" + "".join(SUPERBLOCK.values()))
_GROUP = struct.Struct("<4xi12xI72xI")
"""`cg_magic`, `cg_ndblk` and `cg_freeoff` of `struct cg`."""


def free_blocks(read: Read, at: int, length: int) -> tuple[Span, ...]:
    """Return the blocks of the file system in the `length` bytes from `at` on that are entirely
    free.

    Returns nothing unless this is a UFS2 with the geometry that `image.ufs2` writes. Then all of it
    is written.
    """
    fields = _SUPERBLOCK.unpack(read(at + SUPERBLOCK_AT, _SUPERBLOCK.size))
    facts = dict(zip(SUPERBLOCK, fields, strict=True))
    shape = (facts["fs_magic"], facts["fs_bsize"], facts["fs_fsize"])
    groups, fragments, size = facts["fs_ncg"], facts["fs_fpg"], facts["fs_size"]
    group_at = facts["fs_cblkno"]
    if (
        shape != (MAGIC, BLOCK, FRAGMENT)
        or not 0 < size * FRAGMENT <= length
        or not 0 < groups <= UFS_GROUPS
        or not 0 < groups * fragments < size + fragments
        or not 0 < group_at <= size - (groups - 1) * fragments - FRAGMENTS_A_BLOCK
    ):
        return ()
    found: list[Span] = []
    for group in range(groups):
        start = group * fragments
        block = read(at + (start + group_at) * FRAGMENT, BLOCK)
        magic, count, free_at = _GROUP.unpack_from(block)
        free = block[free_at : free_at + count // FRAGMENTS_A_BLOCK]
        if magic != GROUP_MAGIC or not 0 < count <= min(fragments, size - start):
            return ()
        found += _runs(free, at + start * FRAGMENT)
    return tuple(found)


def _runs(free: bytes, base: int) -> Iterator[Span]:
    for run in re.finditer(rb"\xff+", free):
        yield base + run.start() * BLOCK, base + run.end() * BLOCK
