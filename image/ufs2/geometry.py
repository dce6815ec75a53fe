"""Where the parts of a UFS2 file system lie: blocks, fragments, cylinder groups.

Source: newfs(8), `mkfs` in sbin/newfs/mkfs.c; the macros of sys/ufs/ffs/fs.h. An address is a
number of fragments from the start of the file system.
"""

from dataclasses import dataclass

BLOCK = 32768
"""Bytes; newfs(8)'s default."""

FRAGMENT = 4096
"""Bytes; newfs(8)'s default."""

FRAGMENTS_A_BLOCK = BLOCK // FRAGMENT
"""Eight, so that one byte of a cylinder group's free map is one block."""

INODE = 256
INODES_A_BLOCK = BLOCK // INODE
POINTERS = BLOCK // 8
"""Block addresses in an indirect block (`NINDIR`)."""

SUPERBLOCK_AT = 65536
"""Bytes; `SBLOCK_UFS2`, the only place where FreeBSD 15 accepts it."""

SUPERBLOCK_AREA = 8192
"""Bytes; `SBLOCKSIZE`."""

SUMMARY = 16
"""Bytes of one `struct csum`."""

CLUSTERS = 16
"""Longest run of free blocks that a cylinder group counts (`fs_contigsumsize`)."""

GROUP_HEADER = 168
"""Bytes; `sizeof(struct cg)`."""

BYTES_AN_INODE = 16384
"""Space for which one inode is set aside, unless the tree needs more of them."""

GROUPS = 4
"""Cylinder groups of a file system that has the room (`MINCYLGRPS`)."""


def divide_up(amount: int, unit: int) -> int:
    return -(-amount // unit)


def round_up(amount: int, unit: int) -> int:
    return divide_up(amount, unit) * unit


SUPERBLOCK_OFFSET = round_up(
    divide_up(SUPERBLOCK_AT + SUPERBLOCK_AREA, FRAGMENT), FRAGMENTS_A_BLOCK
)
"""Fragments from the start of a cylinder group to its copy of the superblock (`fs_sblkno`)."""

GROUP_OFFSET = SUPERBLOCK_OFFSET + round_up(divide_up(SUPERBLOCK_AREA, FRAGMENT), FRAGMENTS_A_BLOCK)
"""Fragments to the cylinder group block (`fs_cblkno`)."""

INODE_OFFSET = GROUP_OFFSET + FRAGMENTS_A_BLOCK
"""Fragments to the inodes (`fs_iblkno`)."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """A file system of `fragments` in `groups` cylinder groups of `group_fragments` each.

    The last group may be shorter. Each group has `group_inodes` inodes.
    """

    fragments: int
    groups: int
    group_fragments: int
    group_inodes: int

    @classmethod
    def of(cls, size: int, inodes: int) -> "Geometry":
        """The geometry for `size` bytes and at least `inodes` inodes. Raises ValueError if
        `size` is too small for the metadata alone."""
        blocks = size // BLOCK
        wanted = max(inodes, size // BYTES_AN_INODE)
        for groups in range(min(GROUPS, max(blocks // 64, 1)), max(blocks, 2)):
            group_fragments = divide_up(blocks, groups) * FRAGMENTS_A_BLOCK
            geometry = cls(
                blocks * FRAGMENTS_A_BLOCK,
                divide_up(blocks * FRAGMENTS_A_BLOCK, group_fragments),
                group_fragments,
                round_up(divide_up(wanted, groups), INODES_A_BLOCK),
            )
            if geometry.group_block_size > BLOCK:
                continue
            if geometry.group_length(geometry.groups - 1) > geometry.data_offset:
                return geometry
            break
        raise ValueError(f"{size} bytes are too few for a file system of {inodes} inodes")

    @property
    def data_offset(self) -> int:
        """Fragments from the start of a group to its data (`fs_dblkno`)."""
        return INODE_OFFSET + self.group_inodes * INODE // FRAGMENT

    @property
    def summary_size(self) -> int:
        """Bytes of the summaries of all groups, in whole fragments (`fs_cssize`)."""
        return round_up(self.groups * SUMMARY, FRAGMENT)

    @property
    def summary_fragments(self) -> int:
        return self.summary_size // FRAGMENT

    @property
    def group_block_size(self) -> int:
        """Bytes that the header and maps of a group take (`CGSIZE`)."""
        return (
            GROUP_HEADER
            + divide_up(self.group_inodes, 8)
            + divide_up(self.group_fragments, 8)
            + 4
            + CLUSTERS * 4
            + divide_up(self.group_fragments // FRAGMENTS_A_BLOCK, 8)
        )

    @property
    def data_fragments(self) -> int:
        """Fragments that files and directories can have (`fs_dsize`)."""
        return (
            self.fragments
            - SUPERBLOCK_OFFSET
            - self.groups * (self.data_offset - SUPERBLOCK_OFFSET)
            - self.summary_fragments
        )

    def group_start(self, group: int) -> int:
        return group * self.group_fragments

    def group_length(self, group: int) -> int:
        """Fragments of the group; the last is what remains."""
        return min(self.group_fragments, self.fragments - self.group_start(group))

    def inode_at(self, number: int) -> int:
        """Byte offset of inode `number` in the file system."""
        group, index = divmod(number, self.group_inodes)
        return (self.group_start(group) + INODE_OFFSET) * FRAGMENT + index * INODE
