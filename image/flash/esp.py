"""Adds a file to the root folder of an existing FAT volume.

All other bytes of the volume stay as they are. The result is a list of pieces, each made of whole
sectors, to be written over the volume. `image.fat` describes the format and names its source.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from firstboot.core.limits import FAT, FAT_FOLDER
from firstboot.core.refusal import Refusal
from image import fat
from image.fat import COPIES, ENTRY, FIRST_CLUSTER, SECTOR, Geometry, Piece

Read = Callable[[int, int], bytes]
"""read(offset, length) returns `length` bytes of the volume from `offset` on."""

PARTITION = "the FAT partition of the image"

DELETED = 0xE5
FREE_COUNT = struct.Struct("<II")
FREE_COUNT_AT = 488
"""Bytes into the FSInfo sector, where FSI_Free_Count and FSI_Nxt_Free are."""
UNKNOWN = 0xFFFFFFFF
"""FSI_Nxt_Free of a full volume."""

RESERVED_BITS = 0xF0000000
"""Of an entry of a FAT32 allocation table. They are never changed."""


def add_file(read: Read, size: int, name: str, content: bytes, time: int) -> list[Piece]:
    """Return the pieces that make `content` the file `name` in the root folder of a volume of
    `size` bytes.

    An existing file of that name, in upper or lower case, is replaced. `time` is the modification
    time, in seconds since 1970. Raises Refusal for a volume that is full or damaged, or that
    `image.fat` did not write.
    """
    return _Update(read, size).add_file(name, content, time)


@dataclass(frozen=True, slots=True)
class _Slot:
    """The short directory entry of a file, and its offset in the root folder."""

    at: int
    entry: bytes

    @property
    def alias(self) -> bytes:
        return self.entry[:11]

    @property
    def attributes(self) -> int:
        return self.entry[11]

    @property
    def first(self) -> int:
        high, low = struct.unpack_from("<H4xH", self.entry, 20)
        return int(high << 16 | low)


class _Update:
    """A volume with its planned changes: new sectors and new entries of the allocation table."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._shape, self._fsinfo = _shape(read(0, SECTOR), size)
        shape = self._shape
        length = shape.fat_sectors * SECTOR
        tables = [read(shape.reserved * SECTOR + copy * length, length) for copy in range(COPIES)]
        if len(set(tables)) != 1:
            raise _broken("the two copies of its allocation table differ")
        self._before = tables[0]
        self._code = "I" if shape.bits == 32 else "H"
        self._mask = 0x0FFFFFFF if shape.bits == 32 else 0xFFFF
        count = length * 8 // shape.bits
        self._table = list(struct.unpack(f"<{count}{self._code}", self._before))
        self._places = self._root_places()
        self._root = bytearray(b"".join(read(at, length) for at, length in self._places))
        self._pieces: list[Piece] = []

    def add_file(self, name: str, content: bytes, time: int) -> list[Piece]:
        found = self._find(name)
        if found is not None and found.attributes & (fat.DIRECTORY | fat.VOLUME_ID):
            raise _broken(f"it has a folder called {name}, where the file has to go")
        if found is not None:
            self._release(found.first)
        clusters = self._allocate(-(-len(content) // self._shape.cluster_bytes))
        stamp = fat.stamp_of(time)
        first = clusters[0] if clusters else 0
        if found is not None:
            entry = fat.short_entry(found.alias, fat.ARCHIVE, stamp, first, len(content))
            self._root[found.at : found.at + ENTRY.size] = entry
        else:
            alias = self._alias(name)
            entry = fat.short_entry(alias, fat.ARCHIVE, stamp, first, len(content))
            self._add(fat.long_entries(name, alias) + entry)
        per_cluster = self._shape.cluster_bytes
        for number, cluster in enumerate(clusters):
            part = content[number * per_cluster : (number + 1) * per_cluster]
            self._pieces.append((self._shape.place(cluster), part.ljust(per_cluster, b"\0")))
        self._finish()
        return sorted(self._pieces)

    def _root_places(self) -> list[tuple[int, int]]:
        shape = self._shape
        if shape.root_entries:
            return [(shape.place(0), shape.root_entries * ENTRY.size)]
        chain = self._chain(FIRST_CLUSTER)
        if len(chain) * shape.cluster_bytes > FAT_FOLDER:
            raise _broken(f"its root folder has more than {FAT_FOLDER} bytes")
        return [(shape.place(one), shape.cluster_bytes) for one in chain]

    def _chain(self, first: int) -> list[int]:
        chain: list[int] = []
        cluster = first
        while cluster < self._mask & ~7:
            if not FIRST_CLUSTER <= cluster < FIRST_CLUSTER + self._shape.clusters:
                raise _broken(f"a chain of clusters leads to {cluster}, which does not exist")
            if len(chain) > self._shape.clusters:
                raise _broken("a chain of clusters is a ring and never ends")
            chain.append(cluster)
            cluster = self._table[cluster] & self._mask
        return chain

    def _link(self, cluster: int, to: int) -> None:
        kept = self._table[cluster] & RESERVED_BITS if self._shape.bits == 32 else 0
        self._table[cluster] = kept | to

    def _release(self, first: int) -> None:
        for cluster in self._chain(first) if first else []:
            self._link(cluster, 0)

    def _allocate(self, count: int) -> list[int]:
        end = FIRST_CLUSTER + self._shape.clusters
        free = (one for one in range(FIRST_CLUSTER, end) if not self._table[one] & self._mask)
        taken = list(islice(free, count))
        if len(taken) < count:
            raise Refusal(
                PARTITION,
                f"the file needs {count} clusters of {self._shape.cluster_bytes} bytes, and "
                f"{len(taken)} are free",
                "Remove other files from that partition, or build the image again",
            )
        for at, cluster in enumerate(taken):
            self._link(cluster, taken[at + 1] if at + 1 < count else self._mask)
        return taken

    def _slots(self) -> Iterator[tuple[int, bytes]]:
        for at in range(0, len(self._root), ENTRY.size):
            entry = bytes(self._root[at : at + ENTRY.size])
            if not entry[0]:
                return
            yield at, entry

    def _find(self, name: str) -> _Slot | None:
        """Return the file called `name`, which may be its long name or its 8.3 name."""
        parts: dict[int, bytes] = {}
        for at, entry in self._slots():
            if entry[0] == DELETED:
                parts = {}
            elif entry[11] == fat.LONG_NAME:
                if entry[0] & fat.LAST_LONG_ENTRY:
                    parts = {}
                parts[entry[0] & 0x3F] = entry[1:11] + entry[14:26] + entry[28:32]
            else:
                units = b"".join(part for _, part in sorted(parts.items()))
                long = units.decode("utf-16-le", "replace").partition("\0")[0]
                parts = {}
                if entry[11] & fat.VOLUME_ID:
                    continue
                if name.upper() in (long.upper(), _shown(entry[:11])):
                    return _Slot(at, entry)
        return None

    def _alias(self, name: str) -> bytes:
        taken = {entry[:11] for _, entry in self._slots()}
        short = fat.short_name(name)
        if short is not None:
            return short
        stem, extension = fat.short_parts(name)
        number = 0
        while short is None or short in taken:
            number += 1
            tail = b"~%d" % number
            short = (stem[: 8 - len(tail)] + tail).ljust(8) + extension
        return short

    def _add(self, entries: bytes) -> None:
        """Write `entries` over deleted ones if enough are in a row, or else at the end, which a
        zero byte marks."""
        slots = list(self._slots())
        end = len(slots) * ENTRY.size
        used = [at for at, entry in slots if entry[0] != DELETED]
        after = [0, *(at + ENTRY.size for at in used)]
        before = [*used, max(end, after[-1] + len(entries))]
        at = next(
            first
            for first, next_ in zip(after, before, strict=True)
            if next_ - first >= len(entries)
        )
        while at + len(entries) > len(self._root):
            self._extend()
        self._root[at : at + len(entries)] = entries
        new_end = at + len(entries)
        if end < new_end < len(self._root):
            self._root[new_end] = 0

    def _extend(self) -> None:
        """Add one cluster to the root folder."""
        if self._shape.root_entries:
            raise Refusal(
                PARTITION,
                f"all {self._shape.root_entries} entries of its root folder are taken",
                "Remove other files from that partition, or build the image again",
            )
        last = self._chain(FIRST_CLUSTER)[-1]
        (new,) = self._allocate(1)
        self._link(last, new)
        self._places.append((self._shape.place(new), self._shape.cluster_bytes))
        self._root += bytes(self._shape.cluster_bytes)

    def _finish(self) -> None:
        """Add the changed sectors of the root folder, of both allocation tables, and of FSInfo."""
        shape = self._shape
        at = 0
        for place, length in self._places:
            part = bytes(self._root[at : at + length])
            self._put_changed(place, self._read(place, length), part)
            at += length
        after = struct.pack(f"<{len(self._table)}{self._code}", *self._table)
        for copy in range(COPIES):
            place = (shape.reserved + copy * shape.fat_sectors) * SECTOR
            self._put_changed(place, self._before, after)
        if self._fsinfo:
            end = FIRST_CLUSTER + shape.clusters
            free = [one for one in range(FIRST_CLUSTER, end) if not self._table[one] & self._mask]
            counts = FREE_COUNT.pack(len(free), free[0] if free else UNKNOWN)
            for sector in (fat.FSINFO_SECTOR, fat.FSINFO_SECTOR + fat.BACKUP_SECTOR):
                old = self._read(sector * SECTOR, SECTOR)
                new = old[:FREE_COUNT_AT] + counts + old[FREE_COUNT_AT + len(counts) :]
                self._put_changed(sector * SECTOR, old, new)

    def _put_changed(self, place: int, before: bytes, after: bytes) -> None:
        for at in range(0, len(after), SECTOR):
            if before[at : at + SECTOR] != after[at : at + SECTOR]:
                self._pieces.append((place + at, after[at : at + SECTOR]))


def _shape(boot: bytes, size: int) -> tuple[Geometry, bool]:
    """Return the geometry that a boot sector describes, and whether the volume has an FSInfo
    sector."""
    fields = fat.BOOT_SECTOR.unpack_from(boot)
    _, _, sector, per_cluster, reserved, copies, entries, small, _, narrow, *_, large = fields
    wide, _, _, root, _, _ = fat.BOOT_SECTOR_32.unpack_from(boot, fat.BOOT_SECTOR.size)
    bits = 16 if narrow else 32
    sectors = small or large
    if boot[510:] != fat.END_MARK or sector != SECTOR or not per_cluster:
        raise _broken("it is not a FAT volume with sectors of 512 bytes")
    shape = Geometry(bits, sectors, per_cluster, narrow or wide)
    needed = (shape.clusters + FIRST_CLUSTER) * bits // 8
    if (
        (reserved, copies, entries) != (shape.reserved, COPIES, shape.root_entries)
        or (bits == 32 and root != FIRST_CLUSTER)
        or not 0 < sectors * SECTOR <= size
        or not 0 < needed <= shape.fat_sectors * SECTOR <= FAT
    ):
        raise _broken("its geometry is not the one that ./exitisp build writes")
    return shape, bits == 32


def _shown(alias: bytes) -> str:
    return fat.displayed(alias) if alias.isascii() else ""


def _broken(problem: str) -> Refusal:
    return Refusal(PARTITION, problem, "Build the image again")
