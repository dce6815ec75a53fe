"""The structures of UFS2 on disk, all little-endian.

Sources: sys/ufs/ffs/fs.h (`struct fs`, `struct cg`, `struct csum`, `struct fsrecovery`),
sys/ufs/ufs/dinode.h (`struct ufs2_dinode`), sys/ufs/ufs/dir.h (`struct direct`),
sys/ufs/ufs/extattr.h (`struct extattr`).
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAGIC = 0x19540119
GROUP_MAGIC = 0x090255
DIRECT = 12
"""Block addresses in an inode (`UFS_NDADDR`)."""

INDIRECT = 3
"""Levels of indirect blocks (`UFS_NIADDR`)."""

SHORT_SYMLINK = (DIRECT + INDIRECT) * 8
"""A target of fewer bytes lies in the inode itself (`fs_maxsymlinklen`)."""

LONGEST_NAME = 255
MOST_LINKS = 65500
DIRECTORY_CHUNK = 512
"""Bytes; no directory record crosses a multiple of it (`DIRBLKSIZ`)."""

ATTRIBUTE_NAMESPACES = {"user": 1, "system": 2}
"""sys/sys/extattr.h."""

DIRECTORY_MODE = 0o040000
FILE_MODE = 0o100000
SYMLINK_MODE = 0o120000

SUPERBLOCK = {
    "fs_firstfield": "i", "fs_unused_1": "i", "fs_sblkno": "i", "fs_cblkno": "i",
    "fs_iblkno": "i", "fs_dblkno": "i", "fs_old_cgoffset": "i", "fs_old_cgmask": "i",
    "fs_old_time": "i", "fs_old_size": "i", "fs_old_dsize": "i", "fs_ncg": "I",
    "fs_bsize": "i", "fs_fsize": "i", "fs_frag": "i", "fs_minfree": "i",
    "fs_old_rotdelay": "i", "fs_old_rps": "i", "fs_bmask": "i", "fs_fmask": "i",
    "fs_bshift": "i", "fs_fshift": "i", "fs_maxcontig": "i", "fs_maxbpg": "i",
    "fs_fragshift": "i", "fs_fsbtodb": "i", "fs_sbsize": "i", "fs_spare1": "8s",
    "fs_nindir": "i", "fs_inopb": "I", "fs_old_nspf": "i", "fs_optim": "i",
    "fs_old_npsect": "i", "fs_old_interleave": "i", "fs_old_trackskew": "i", "fs_id": "8s",
    "fs_old_csaddr": "i", "fs_cssize": "i", "fs_cgsize": "i", "fs_spare2": "i",
    "fs_old_nsect": "i", "fs_old_spc": "i", "fs_old_ncyl": "i", "fs_old_cpg": "i",
    "fs_ipg": "I", "fs_fpg": "i", "fs_old_cstotal": "16s", "fs_fmod": "b",
    "fs_clean": "b", "fs_ronly": "b", "fs_old_flags": "B", "fs_fsmnt": "468s",
    "fs_volname": "32s", "fs_swuid": "Q", "fs_pad": "i", "fs_cgrotor": "i",
    "fs_ocsp": "120s", "fs_si": "Q", "fs_old_cpc": "i", "fs_maxbsize": "i",
    "fs_unrefs": "q", "fs_providersize": "q", "fs_metaspace": "q", "fs_save_maxfilesize": "Q",
    "fs_sparecon64": "96s", "fs_sblockactualloc": "q", "fs_sblockloc": "q", "cs_ndir": "q",
    "cs_nbfree": "q", "cs_nifree": "q", "cs_nffree": "q", "cs_numclusters": "q",
    "cs_spare": "24s", "fs_time": "q", "fs_size": "q", "fs_dsize": "q",
    "fs_csaddr": "q", "fs_pendingblocks": "q", "fs_pendinginodes": "I", "fs_snapinum": "80s",
    "fs_avgfilesize": "I", "fs_avgfpdir": "I", "fs_available_spare": "I", "fs_mtime": "q",
    "fs_sujfree": "i", "fs_sparecon32": "84s", "fs_ckhash": "I", "fs_metackhash": "I",
    "fs_flags": "i", "fs_contigsumsize": "i", "fs_maxsymlinklen": "i", "fs_old_inodefmt": "i",
    "fs_maxfilesize": "Q", "fs_qbmask": "q", "fs_qfmask": "q", "fs_state": "i",
    "fs_old_postblformat": "i", "fs_old_nrpos": "i", "fs_spare5": "8s", "fs_magic": "i",
}  # fmt: skip
"""Fields of `struct fs` in order; `cs_*` are those of `fs_cstotal`."""

_SUPERBLOCK = struct.Struct("<" + "".join(SUPERBLOCK.values()))
_GROUP = struct.Struct("<iiiIhhI4iIII8IiiIIIIIIIIIiIq3q")
_SUMMARY = struct.Struct("<4i")
_RECOVERY = struct.Struct("<iiiiI")
_INODE = struct.Struct("<HHIIIQQqqqqiiiiIIII2q120sQIIII")
_RECORD = struct.Struct("<IHBB")
_POINTERS = struct.Struct(f"<{DIRECT}q{INDIRECT}q")

assert _SUPERBLOCK.size == 1376
assert _GROUP.size == 168
assert _INODE.size == 256


@dataclass(slots=True)
class Summary:
    """`struct csum`: what is free, and how many directories there are."""

    directories: int = 0
    free_blocks: int = 0
    free_inodes: int = 0
    free_fragments: int = 0

    def encode(self) -> bytes:
        return _SUMMARY.pack(
            self.directories, self.free_blocks, self.free_inodes, self.free_fragments
        )


def superblock(fields: Mapping[str, int | bytes]) -> bytes:
    """`struct fs`; fields that are not named are zero. 1376 bytes."""
    empty = {name: b"" if code.endswith("s") else 0 for name, code in SUPERBLOCK.items()}
    unknown = fields.keys() - empty.keys()
    assert not unknown, unknown
    return _SUPERBLOCK.pack(*(empty | dict(fields)).values())


def recovery(fsbtodb: int, sblkno: int, group_fragments: int, groups: int) -> bytes:
    """`struct fsrecovery`, the last 20 bytes before the superblock."""
    return _RECOVERY.pack(MAGIC, fsbtodb, sblkno, group_fragments, groups)


def group(
    *,
    index: int,
    fragments: int,
    blocks: int,
    inodes: int,
    initialized_inodes: int,
    summary: Summary,
    fragment_runs: Iterable[int],
    offsets: tuple[int, int, int, int, int],
    time: int,
) -> bytes:
    """`struct cg` without its maps. `fragment_runs[n]` counts the free runs of n fragments.

    `offsets` are those of the inode map, the free map, the end of the maps, the cluster sums and
    the cluster map, in bytes from the start of the structure.
    """
    inode_map, free_map, end, cluster_sums, cluster_map = offsets
    return _GROUP.pack(
        0, GROUP_MAGIC, 0, index, 0, 0, fragments,
        summary.directories, summary.free_blocks, summary.free_inodes, summary.free_fragments,
        0, 0, 0, *fragment_runs, 0, 0, inode_map, free_map, end, cluster_sums, cluster_map,
        blocks, inodes, initialized_inodes, 0, 0, 0, time, 0, 0, 0,
    )  # fmt: skip


def pointers(direct: list[int], indirect: list[int]) -> bytes:
    """`di_db` and `di_ib`. 120 bytes."""
    return _POINTERS.pack(*direct, *indirect)


def inode(
    *,
    mode: int,
    links: int,
    uid: int,
    gid: int,
    size: int,
    sectors: int,
    time: int,
    generation: int,
    flags: int,
    attributes_size: int,
    attributes_at: tuple[int, int],
    pointers: bytes,
    depth: int,
) -> bytes:
    """`struct ufs2_dinode`. `sectors` counts 512 bytes each, `time` is for all four times."""
    return _INODE.pack(
        mode, links, uid, gid, 0, size, sectors, time, time, time, time, 0, 0, 0, 0,
        generation, 0, flags, attributes_size, *attributes_at, pointers, 0, depth, 0, 0, 0,
    )  # fmt: skip


def directory(records: Iterable[tuple[int, int, bytes]]) -> bytes:
    """The content of a directory from (inode number, mode, name), `.` and `..` included.

    A whole number of chunks; the last record of each is stretched to the chunk's end.
    """
    chunks: list[bytes] = []
    used = 0
    parts: list[tuple[int, int, bytes, int]] = []

    def close() -> None:
        number, kind, name, length = parts.pop()
        parts.append((number, kind, name, length + DIRECTORY_CHUNK - used))
        chunks.extend(
            _RECORD.pack(number, length, kind, len(name)) + name.ljust(length - 8, b"\0")
            for number, kind, name, length in parts
        )

    for number, mode, name in records:
        length = (8 + len(name) + 1 + 3) & ~3
        if used + length > DIRECTORY_CHUNK:
            close()
            parts, used = [], 0
        parts.append((number, mode >> 12, name, length))
        used += length
    close()
    return b"".join(chunks)


def attributes(values: Mapping[str, bytes]) -> bytes:
    """The extended attribute area: a `struct extattr` for each, sorted by name.

    Names carry their namespace, `system.` or `user.`; raises ValueError for any other.
    """
    area = []
    for full_name, value in sorted(values.items()):
        namespace, _, text = full_name.partition(".")
        name = text.encode()
        if namespace not in ATTRIBUTE_NAMESPACES or not 0 < len(name) <= 255:
            raise ValueError(f"no such extended attribute can be written: {full_name!r}")
        header = struct.pack("<BBB", ATTRIBUTE_NAMESPACES[namespace], -len(value) % 8, len(name))
        base = 4 + len(header) + len(name)
        base_padding = -base % 8
        length = base + base_padding + len(value) + (-len(value) % 8)
        area.append(struct.pack("<I", length) + header + name + bytes(base_padding))
        area.append(value + bytes(-len(value) % 8))
    return b"".join(area)
