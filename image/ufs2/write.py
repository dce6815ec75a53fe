"""Writing a tree as a UFS2 file system: everything is placed first, then written once."""

import zlib
from collections.abc import Iterable, Iterator

from image.coalesced_writer import Pieces
from image.progress import Advance, in_proportion
from image.tree import Content, Entry, Kind, Tree
from image.ufs2 import structs
from image.ufs2.geometry import (
    BLOCK,
    CLUSTERS,
    FRAGMENT,
    FRAGMENTS_A_BLOCK,
    GROUP_HEADER,
    GROUP_OFFSET,
    INODE,
    INODE_OFFSET,
    INODES_A_BLOCK,
    POINTERS,
    SUPERBLOCK_AREA,
    SUPERBLOCK_AT,
    SUPERBLOCK_OFFSET,
    Geometry,
    divide_up,
    round_up,
)
from image.ufs2.inodes import ROOT, Inode, number
from image.ufs2.space import ALL_FREE, Run, Space

SECTOR = 512
"""Bytes; the unit in which an inode counts what it holds."""

SPARE_INODES = 256
"""Inodes that a file system has beyond those of its tree, at the least."""

LARGEST_FILE = BLOCK * (structs.DIRECT + POINTERS + POINTERS**2 + POINTERS**3) - 1

Blocks = list[tuple[int, int]]
"""Blocks of a file as (number in the file, address in fragments), in order."""


def write(
    target: int,
    offset: int,
    size: int,
    tree: Tree,
    *,
    label: str = "",
    time: int,
    advance: Advance = lambda _: None,
) -> None:
    """Write `tree` as a UFS2 file system of `size` bytes at `offset` of the open file `target`.

    The region must read as zeros; what stays zero is not written, so the file stays sparse. All
    times of the file system itself are `time`, in seconds since 1970; its identifier and the
    generation numbers follow from the size, the label and the time. `advance` is told what was
    written, in bytes of contents: all that is written counts as much as the files' contents.

    Raises ValueError if the tree does not fit or holds what UFS2 cannot, OSError from writing.
    """
    if len(label.encode()) >= 32:
        raise ValueError(f"the volume label {label!r} is longer than 31 bytes")
    inodes = number(tree)
    geometry = Geometry.of(size, len(inodes) + SPARE_INODES)
    identity = zlib.crc32(f"{size} {time} {label}".encode()) or 1
    pieces = Pieces(target, offset)
    plan = _Plan(geometry, pieces, identity)
    for inode in inodes:
        plan.add(inode)
    if plan.space.overrun:
        missing = divide_up(plan.space.overrun * FRAGMENT, 1 << 20)
        raise ValueError(f"{missing} MiB more are needed than the {size >> 20} MiB there are")
    plan.finish(inodes, label, time)
    pieces.write(in_proportion(advance, tree.content_size, pieces.size))


class _Plan:
    """Places everything and collects what is to be written where."""

    def __init__(self, geometry: Geometry, pieces: Pieces, identity: int) -> None:
        self.geometry = geometry
        self.space = Space(geometry)
        self.pieces = pieces
        self.identity = identity
        self.table = bytearray()

    def add(self, inode: Inode) -> None:
        entry = inode.entry
        content, size = _content(inode)
        if size > LARGEST_FILE:
            raise ValueError(f"a file of {size} bytes is larger than {LARGEST_FILE}, UFS2's most")
        if content is None:
            pointers = entry.target.encode("utf-8", "surrogateescape").ljust(
                structs.SHORT_SYMLINK, b"\0"
            )
            held = 0
        else:
            pointers, held = self._place(content)
        area = structs.attributes(entry.attributes)
        attributes_at, attributes_held = self._place_attributes(area)
        self.table += structs.inode(
            mode=inode.mode,
            links=inode.links,
            uid=entry.uid,
            gid=entry.gid,
            size=size,
            sectors=(held + attributes_held) * (FRAGMENT // SECTOR),
            time=entry.mtime,
            generation=zlib.crc32(inode.number.to_bytes(8, "little"), self.identity) or 1,
            flags=entry.flags,
            attributes_size=len(area),
            attributes_at=attributes_at,
            pointers=pointers,
            depth=inode.depth,
        )

    def _place(self, content: Content) -> tuple[bytes, int]:
        """Place the content of a file: its pointers, and the fragments that it holds."""
        if content.length <= structs.DIRECT * BLOCK:
            return self._place_small(content)
        runs = list(_allocated(content))
        addresses: Blocks = []
        for first, count in runs:
            at = first
            for address, length in self.space.blocks(count):
                self.pieces.add(
                    address * FRAGMENT, content, at * BLOCK, min(length * BLOCK, content.length)
                )
                addresses.extend(
                    (at + step, address + step * FRAGMENTS_A_BLOCK) for step in range(length)
                )
                at += length
        held = len(addresses)
        direct = [0] * structs.DIRECT
        rest = len(addresses)
        for position, (at, address) in enumerate(addresses):
            if at >= structs.DIRECT:
                rest = position
                break
            direct[at] = address
        indirect = []
        first = structs.DIRECT
        for level in range(structs.INDIRECT):
            span = POINTERS ** (level + 1)
            inside = [(at - first, to) for at, to in addresses[rest:] if first <= at < first + span]
            address, blocks = self._place_indirect(level, inside)
            indirect.append(address)
            held += blocks
            first += span
        return structs.pointers(direct, indirect), held * FRAGMENTS_A_BLOCK

    def _place_small(self, content: Content) -> tuple[bytes, int]:
        """Place a file that needs no indirect block; its end takes fragments, not a block."""
        direct = [0] * structs.DIRECT
        held = 0
        whole, rest = divmod(content.length, BLOCK)
        tail = divide_up(rest, FRAGMENT)
        if tail == FRAGMENTS_A_BLOCK:
            whole, tail = whole + 1, 0
        for first, count in _allocated(content):
            at = first
            for address, length in self.space.blocks(min(count, max(whole - first, 0))):
                self.pieces.add(address * FRAGMENT, content, at * BLOCK, length * BLOCK)
                for step in range(length):
                    direct[at + step] = address + step * FRAGMENTS_A_BLOCK
                at += length
                held += length * FRAGMENTS_A_BLOCK
        if tail:
            direct[whole] = self.space.fragments(tail)
            self.pieces.add(direct[whole] * FRAGMENT, content, whole * BLOCK, tail * FRAGMENT)
            held += tail
        return structs.pointers(direct, [0] * structs.INDIRECT), held

    def _place_indirect(self, level: int, blocks: Blocks) -> tuple[int, int]:
        """An indirect block over `blocks`: its address (0 for none) and how many it took."""
        if not blocks:
            return 0, 0
        ((address, _),) = self.space.blocks(1)
        taken = 1
        entries = bytearray(BLOCK)
        if level == 0:
            for at, to in blocks:
                entries[at * 8 : at * 8 + 8] = to.to_bytes(8, "little")
        else:
            span = POINTERS**level
            below: dict[int, Blocks] = {}
            for at, to in blocks:
                below.setdefault(at // span, []).append((at % span, to))
            for slot, inside in below.items():
                child, count = self._place_indirect(level - 1, inside)
                entries[slot * 8 : slot * 8 + 8] = child.to_bytes(8, "little")
                taken += count
        self.pieces.add_bytes(address * FRAGMENT, bytes(entries))
        return address, taken

    def _place_attributes(self, area: bytes) -> tuple[tuple[int, int], int]:
        if len(area) > 2 * BLOCK:
            raise ValueError(f"{len(area)} bytes of extended attributes, {2 * BLOCK} is most")
        at = [0, 0]
        held = 0
        for part in range(divide_up(len(area), BLOCK)):
            data = area[part * BLOCK : (part + 1) * BLOCK]
            count = divide_up(len(data), FRAGMENT)
            if count == FRAGMENTS_A_BLOCK:
                ((at[part], _),) = self.space.blocks(1)
            else:
                at[part] = self.space.fragments(count)
            self.pieces.add_bytes(at[part] * FRAGMENT, data)
            held += count
        return (at[0], at[1]), held

    def finish(self, inodes: list[Inode], label: str, time: int) -> None:
        """Add the inodes, the cylinder groups, their summaries and the superblocks."""
        geometry = self.geometry
        first = ROOT
        while first < ROOT + len(inodes):
            group = first // geometry.group_inodes
            end = min((group + 1) * geometry.group_inodes, ROOT + len(inodes))
            part = self.table[(first - ROOT) * INODE : (end - ROOT) * INODE]
            self.pieces.add_bytes(geometry.inode_at(first), bytes(part))
            first = end
        summaries = []
        for index in range(geometry.groups):
            data, summary = self._group(index, inodes, time)
            summaries.append(summary)
            at = geometry.group_start(index) + GROUP_OFFSET
            self.pieces.add_bytes(at * FRAGMENT, data)
        area = b"".join(summary.encode() for summary in summaries)
        self.pieces.add_bytes(geometry.data_offset * FRAGMENT, area)
        for at in (
            SUPERBLOCK_AT,
            *(
                (geometry.group_start(index) + SUPERBLOCK_OFFSET) * FRAGMENT
                for index in range(geometry.groups)
            ),
        ):
            self.pieces.add_bytes(at, self._superblock(at, summaries, label, time))
        recovery = structs.recovery(
            (FRAGMENT // SECTOR).bit_length() - 1,
            SUPERBLOCK_OFFSET,
            geometry.group_fragments,
            geometry.groups,
        )
        self.pieces.add_bytes(SUPERBLOCK_AT - len(recovery), recovery)

    def _group(self, index: int, inodes: list[Inode], time: int) -> tuple[bytes, structs.Summary]:
        """The block of a cylinder group, and its summary."""
        geometry = self.geometry
        first = index * geometry.group_inodes
        used = min(max(ROOT + len(inodes) - first, 0), geometry.group_inodes)
        numbered = inodes[max(first - ROOT, 0) : max(first + used - ROOT, 0)]
        start = geometry.group_start(index) // FRAGMENTS_A_BLOCK
        blocks = geometry.group_length(index) // FRAGMENTS_A_BLOCK
        free = self.space.free[start : start + blocks]
        whole = bytes(byte == ALL_FREE for byte in free)
        fragment_runs = [0] * 8
        for byte in free:
            if 0 < byte < ALL_FREE:
                for run in _runs_of_bits(byte):
                    fragment_runs[run] += 1
        sums = [0] * (CLUSTERS + 1)
        for cluster in whole.split(b"\0"):
            if cluster:
                sums[min(len(cluster), CLUSTERS)] += 1
        summary = structs.Summary(
            directories=sum(inode.entry.kind is Kind.DIRECTORY for inode in numbered),
            free_blocks=sum(whole),
            free_inodes=geometry.group_inodes - used,
            free_fragments=sum(byte.bit_count() for byte in free if byte != ALL_FREE),
        )
        inode_map = GROUP_HEADER
        free_map = inode_map + divide_up(geometry.group_inodes, 8)
        end = free_map + divide_up(geometry.group_fragments, 8)
        cluster_sums = round_up(end, 4) - 4
        cluster_map = cluster_sums + (CLUSTERS + 1) * 4
        end = cluster_map + divide_up(geometry.group_fragments // FRAGMENTS_A_BLOCK, 8)
        data = bytearray(round_up(end, FRAGMENT))
        head = structs.group(
            index=index,
            fragments=geometry.group_length(index),
            blocks=blocks,
            inodes=geometry.group_inodes,
            initialized_inodes=min(
                max(round_up(used, INODES_A_BLOCK), 2 * INODES_A_BLOCK), geometry.group_inodes
            ),
            summary=summary,
            fragment_runs=fragment_runs,
            offsets=(inode_map, free_map, end, cluster_sums, cluster_map),
            time=time,
        )
        data[: len(head)] = head
        data[inode_map : inode_map + divide_up(used, 8)] = _ones(used)
        data[free_map : free_map + len(free)] = free
        for length, count in enumerate(sums[1:], 1):
            at = cluster_sums + length * 4
            data[at : at + 4] = count.to_bytes(4, "little")
        clusters = int.from_bytes(_bits(whole), "little")
        data[cluster_map : cluster_map + divide_up(blocks, 8)] = clusters.to_bytes(
            divide_up(blocks, 8), "little"
        )
        return bytes(data), summary

    def _superblock(
        self, at: int, summaries: list[structs.Summary], label: str, time: int
    ) -> bytes:
        geometry = self.geometry
        data = structs.superblock(
            {
                "fs_sblkno": SUPERBLOCK_OFFSET,
                "fs_cblkno": GROUP_OFFSET,
                "fs_iblkno": INODE_OFFSET,
                "fs_dblkno": geometry.data_offset,
                "fs_ncg": geometry.groups,
                "fs_bsize": BLOCK,
                "fs_fsize": FRAGMENT,
                "fs_frag": FRAGMENTS_A_BLOCK,
                "fs_minfree": 8,
                "fs_bmask": -BLOCK,
                "fs_fmask": -FRAGMENT,
                "fs_bshift": BLOCK.bit_length() - 1,
                "fs_fshift": FRAGMENT.bit_length() - 1,
                "fs_maxcontig": (1 << 20) // BLOCK,
                "fs_maxbpg": POINTERS,
                "fs_fragshift": FRAGMENTS_A_BLOCK.bit_length() - 1,
                "fs_fsbtodb": (FRAGMENT // SECTOR).bit_length() - 1,
                "fs_sbsize": FRAGMENT,
                "fs_nindir": POINTERS,
                "fs_inopb": INODES_A_BLOCK,
                "fs_id": time.to_bytes(8, "little")[:4] + self.identity.to_bytes(4, "little"),
                "fs_cssize": geometry.summary_size,
                "fs_cgsize": round_up(geometry.group_block_size, FRAGMENT),
                "fs_ipg": geometry.group_inodes,
                "fs_fpg": geometry.group_fragments,
                "fs_clean": 1,
                "fs_old_flags": 0x80,
                "fs_volname": label.encode(),
                "fs_maxbsize": BLOCK,
                "fs_providersize": geometry.fragments,
                "fs_metaspace": geometry.group_fragments * 4 // 100 & -FRAGMENTS_A_BLOCK,
                "fs_sblockactualloc": at,
                "fs_sblockloc": SUPERBLOCK_AT,
                "cs_ndir": sum(summary.directories for summary in summaries),
                "cs_nbfree": sum(summary.free_blocks for summary in summaries),
                "cs_nifree": sum(summary.free_inodes for summary in summaries),
                "cs_nffree": sum(summary.free_fragments for summary in summaries),
                "fs_time": time,
                "fs_size": geometry.fragments,
                "fs_dsize": geometry.data_fragments,
                "fs_csaddr": geometry.data_offset,
                "fs_avgfilesize": 16384,
                "fs_avgfpdir": 64,
                "fs_mtime": time,
                "fs_contigsumsize": CLUSTERS,
                "fs_maxsymlinklen": structs.SHORT_SYMLINK,
                "fs_maxfilesize": LARGEST_FILE,
                "fs_qbmask": BLOCK - 1,
                "fs_qfmask": FRAGMENT - 1,
                "fs_magic": structs.MAGIC,
            }
        )
        return data.ljust(SUPERBLOCK_AREA, b"\0")


def _content(inode: Inode) -> tuple[Content | None, int]:
    """What lies outside of the inode, and the size to note in it."""
    entry: Entry = inode.entry
    if entry.kind is Kind.DIRECTORY:
        data = structs.directory(inode.records)
        return Content.of(data), len(data)
    if entry.kind is Kind.FILE:
        return entry.content, entry.content.length
    target = entry.target.encode("utf-8", "surrogateescape")
    if len(target) < structs.SHORT_SYMLINK:
        return None, len(target)
    return Content.of(target), len(target)


def _allocated(content: Content) -> Iterator[Run]:
    """The blocks of a file that are no holes, as (first, count).

    The last block always is one of them: fsck_ffs(8) takes a file that ends in a hole for one
    that was cut.
    """
    last = divide_up(content.length, BLOCK) - 1
    if last < 0:
        return
    spans = [
        (extent.at // BLOCK, (extent.at + extent.length - 1) // BLOCK)
        for extent in content.extents
        if extent.length
    ]
    first, end = spans[0] if spans else (last, last)
    for start, stop in [*spans[1:], (last, last)]:
        if start <= end + 1:
            end = max(end, stop)
        else:
            yield first, end - first + 1
            first, end = start, stop
    yield first, end - first + 1


def _runs_of_bits(byte: int) -> Iterable[int]:
    """Lengths of the runs of ones."""
    return (len(run) for run in f"{byte:b}".split("0") if run)


def _ones(count: int) -> bytes:
    """A bit map whose first `count` bits are set."""
    return ((1 << count) - 1).to_bytes(divide_up(count, 8), "little")


def _bits(flags: bytes) -> bytes:
    """A bit map from bytes of 0 and 1."""
    return int(flags[::-1].translate(_DIGITS) or b"0", 2).to_bytes(
        divide_up(len(flags), 8), "little"
    )


_DIGITS = bytes([0x30, 0x31]) + bytes(254)
