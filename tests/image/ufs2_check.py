"""A small fsck for UFS2, written from the offsets in the headers and from nothing of ours.

It reads every cylinder group and every inode, follows every pointer and directory, and compares
what it finds with the maps and sums. Offsets: sys/ufs/ffs/fs.h, dinode.h, dir.h.
"""

import struct
from collections import Counter
from pathlib import Path

SUPERBLOCK = 65536
DIRECTORY, FILE, SYMLINK = 4, 8, 10


Inode = tuple[int, int, int, int, bytes]
"""Mode, links, size, sectors and all 256 bytes."""


class Ufs2:
    """A file system in the file at `path`, `offset` bytes from its beginning."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._file = path.open("rb")
        self._offset = offset
        self.sb = self.read(SUPERBLOCK, 1376)
        self.sblkno, self.cblkno, self.iblkno, self.dblkno = self.ints(8, 4)
        (self.ncg,) = self.ints(44, 1)
        self.bsize, self.fsize, self.frag = self.ints(48, 3)
        self.ipg, self.fpg = self.ints(184, 2)
        (self.cssize,) = self.ints(156, 1)
        self.size, self.dsize, self.csaddr = struct.unpack_from("<qqq", self.sb, 1080)
        self.fragments: Counter[int] = Counter()
        self.links: Counter[int] = Counter()

    def close(self) -> None:
        self._file.close()

    def ints(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}i", self.sb, at)

    def read(self, at: int, length: int) -> bytes:
        self._file.seek(self._offset + at)
        return self._file.read(length)

    def complaints(self) -> list[str]:
        """Everything that is wrong; empty for a clean file system."""
        found: list[str] = []
        if struct.unpack_from("<i", self.sb, 1372) != (0x19540119,):
            return ["no magic number at 65536"]
        for group in range(self.ncg):
            copy = self.read((group * self.fpg + self.sblkno) * self.fsize, 1376)
            if copy[:992] != self.sb[:992] or copy[1000:] != self.sb[1000:]:
                found.append(f"superblock copy {group} differs")
        maps = [self._group(group, found) for group in range(self.ncg)]
        inodes = {}
        for group, (used, _, initialized) in enumerate(maps):
            for index in range(self.ipg):
                if used[index >> 3] >> (index & 7) & 1:
                    number = group * self.ipg + index
                    if index >= initialized:
                        found.append(f"inode {number} is used but not initialized")
                    if number >= 2:
                        inodes[number] = self._inode(number)
        for number, inode in inodes.items():
            self._claim(number, inode, found)
        for number, inode in inodes.items():
            if inode[0] >> 12 == DIRECTORY:
                self._directory(number, inode, inodes, found)
        for number, inode in inodes.items():
            if inode[1] != self.links[number]:
                found.append(f"inode {number}: {inode[1]} links noted, {self.links[number]} there")
        self._compare(maps, inodes, found)
        return found

    def inodes_by_group(self) -> list[tuple[int, int]]:
        """Of each cylinder group: the number after its last used inode, and `cg_initediblk`, the
        number of inodes whose blocks on the disk are valid."""
        found = []
        for group in range(self.ncg):
            used, _, initialized = self._group(group, [])
            found.append((int.from_bytes(used, "little").bit_length(), initialized))
        return found

    def _group(self, group: int, found: list[str]) -> tuple[bytes, bytes, int]:
        block = self.read((group * self.fpg + self.cblkno) * self.fsize, self.bsize)
        magic, index = struct.unpack_from("<i4xI", block, 4)
        if magic != 0x090255 or index != group:
            found.append(f"group {group} has no header")
        inode_map, free_map = struct.unpack_from("<II", block, 92)
        (initialized,) = struct.unpack_from("<I", block, 120)
        used = block[inode_map : inode_map + self.ipg // 8]
        free = block[free_map : free_map + (self.fpg + 7) // 8]
        self._sums(group, block, used, free, found)
        return used, free, initialized

    def _sums(self, group: int, block: bytes, used: bytes, free: bytes, found: list[str]) -> None:
        (length,) = struct.unpack_from("<I", block, 20)
        nbfree, nifree, nffree = struct.unpack_from("<3i", block, 28)
        runs = list(struct.unpack_from("<8I", block, 52))
        blocks = nffragments = 0
        seen = [0] * 8
        clusters = []
        for at in range(0, length, self.frag):
            bits = "".join(str(free[at // 8] >> bit & 1) for bit in range(self.frag))
            whole = bits == "1" * self.frag
            blocks += whole
            clusters.append("1" if whole else "0")
            if not whole:
                nffragments += bits.count("1")
                for run in filter(None, bits.split("0")):
                    seen[len(run)] += 1
        if (blocks, nffragments, seen) != (nbfree, nffree, runs):
            found.append(f"group {group}: free counts {nbfree} {nffree} {runs} are not the map's")
        if nifree != self.ipg - sum(byte.bit_count() for byte in used):
            found.append(f"group {group}: {nifree} free inodes are not the map's")
        sums, map_at, count = struct.unpack_from("<III", block, 104)
        noted = struct.unpack_from("<17i", block, sums)[1:]
        counted = [0] * 17
        for run in filter(None, "".join(clusters).split("0")):
            counted[min(len(run), 16)] += 1
        if tuple(counted[1:]) != noted or count != length // self.frag:
            found.append(f"group {group}: cluster sums {noted} are not the map's")
        cluster_map = block[map_at : map_at + (count + 7) // 8]
        if any(
            (cluster_map[at >> 3] >> (at & 7) & 1) != int(bit) for at, bit in enumerate(clusters)
        ):
            found.append(f"group {group}: the cluster map is not the free map's")
        summary = self.read(self.csaddr * self.fsize + group * 16, 16)
        if summary != block[24:40]:
            found.append(f"group {group}: the summary area has other counts")

    def _inode(self, number: int) -> Inode:
        group, index = divmod(number, self.ipg)
        data = self.read((group * self.fpg + self.iblkno) * self.fsize + index * 256, 256)
        mode, links = struct.unpack_from("<HH", data, 0)
        size, sectors = struct.unpack_from("<QQ", data, 16)
        return mode, links, size, sectors, data

    def _claim(self, number: int, inode: Inode, found: list[str]) -> None:
        mode, _, size, sectors, data = inode
        held = 0
        (extsize,) = struct.unpack_from("<I", data, 92)
        for at, address in enumerate(struct.unpack_from("<2q", data, 96)):
            if address:
                count = min((min(extsize - at * self.bsize, self.bsize) - 1) // self.fsize + 1, 8)
                held += self._take(number, address, count, found)
        if not (mode >> 12 == SYMLINK and size < 120):
            last = (size - 1) // self.bsize
            for at, address in self.blocks(data):
                count = self.frag
                if at == last and last < 12:
                    count = (size - at * self.bsize - 1) // self.fsize + 1
                held += self._take(number, address, count, found)
            for address in self.indirect:
                held += self._take(number, address, self.frag, found)
            if size and last not in dict(self.blocks(data)):
                found.append(f"inode {number} ends in a hole")
        if held * self.fsize // 512 != sectors:
            found.append(f"inode {number} notes {sectors} sectors and holds {held} fragments")

    def _take(self, number: int, address: int, count: int, found: list[str]) -> int:
        if address % self.frag + count > self.frag:
            found.append(f"inode {number}: fragments of two blocks at {address}")
        for fragment in range(address, address + count):
            inside = fragment % self.fpg
            group = fragment // self.fpg
            summary = self.cssize // self.fsize if group == 0 else 0
            if not (self.dblkno + summary <= inside and fragment < self.size):
                found.append(f"inode {number}: fragment {fragment} is no data")
            self.fragments[fragment] += 1
        return count

    def blocks(self, data: bytes) -> list[tuple[int, int]]:
        """(number in the file, address) of all data blocks; `indirect` has the others."""
        self.indirect: list[int] = []
        found = [(at, to) for at, to in enumerate(struct.unpack_from("<12q", data, 112)) if to]
        first = 12
        for level, address in enumerate(struct.unpack_from("<3q", data, 208), 1):
            found += self._indirect(address, level, first)
            first += (self.bsize // 8) ** level
        return found

    def _indirect(self, address: int, level: int, first: int) -> list[tuple[int, int]]:
        if not address:
            return []
        self.indirect.append(address)
        pointers = struct.unpack(
            f"<{self.bsize // 8}q", self.read(address * self.fsize, self.bsize)
        )
        if level == 1:
            return [(first + at, to) for at, to in enumerate(pointers) if to]
        span = (self.bsize // 8) ** (level - 1)
        return [
            block
            for at, to in enumerate(pointers)
            if to
            for block in self._indirect(to, level - 1, first + at * span)
        ]

    def _directory(
        self,
        number: int,
        inode: Inode,
        inodes: dict[int, Inode],
        found: list[str],
    ) -> None:
        size = inode[2]
        content = b"".join(
            self.read(address * self.fsize, self.bsize) for _, address in self.blocks(inode[4])
        )[:size]
        names = []
        for chunk in range(0, size, 512):
            at = chunk
            while at < chunk + 512:
                to, length, kind, namelen = struct.unpack_from("<IHBB", content, at)
                name = content[at + 8 : at + 8 + namelen]
                if length < 8 + namelen + 1 or length % 4 or at + length > chunk + 512:
                    found.append(f"directory {number}: a bad record at {at}")
                    return
                if to not in inodes or inodes[to][0] >> 12 != kind:
                    found.append(f"directory {number}: {name!r} is not what it says")
                self.links[to] += 1
                names.append(name)
                at += length
        if names[:2] != [b".", b".."] or len(set(names)) != len(names):
            found.append(f"directory {number}: names {names[:3]}")

    def _compare(
        self,
        maps: list[tuple[bytes, bytes, int]],
        inodes: dict[int, Inode],
        found: list[str],
    ) -> None:
        found += [f"fragment {at} has {n} owners" for at, n in self.fragments.items() if n > 1]
        for fragment in range(self.size):
            group, inside = divmod(fragment, self.fpg)
            free = maps[group][1][inside >> 3] >> (inside & 7) & 1
            summary = self.cssize // self.fsize if group == 0 else 0
            metadata = inside < self.dblkno + summary and not (group and inside < self.sblkno)
            if free == (metadata or fragment in self.fragments):
                found.append(f"fragment {fragment} is {'free' if free else 'used'} in the map")
        totals = struct.unpack_from("<8q", self.sb, 1008)
        summed = [0] * 8
        for group in range(self.ncg):
            for at, value in enumerate(
                struct.unpack("<4i", self.read(self.csaddr * self.fsize + group * 16, 16))
            ):
                summed[at] += value
        if tuple(summed) != totals:
            found.append(f"the totals {totals} are not the groups' {summed}")
        directories = sum(inode[0] >> 12 == DIRECTORY for inode in inodes.values())
        if totals[0] != directories:
            found.append(f"{totals[0]} directories noted, {directories} there")
