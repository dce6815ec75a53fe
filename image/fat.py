"""A FAT16 or FAT32 file system with long names: the EFI system partition, and what people edit.

Everything on the disk is little-endian, sectors are 512 bytes, times are UTC. Source: Microsoft's
"FAT: General Overview of On-Disk Format" 1.03 (fatgen103), whose field names stand in the comments
beside the numbers they explain.

Every file and directory occupies consecutive clusters, directories first, in the order of their
paths, so that equal input gives equal bytes.
"""

import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import place
from image.tree import Content, check_path

SECTOR = 512
COPIES = 2
MEDIA = 0xF8
"""A fixed disk."""
FIRST_CLUSTER = 2
END_MARK = b"\x55\xaa"

ROOT_ENTRIES = 512
"""Of FAT16, whose root directory lies before the clusters."""
FSINFO_SECTOR = 1
BACKUP_SECTOR = 6
"""Of FAT32: the three boot sectors are repeated from here on."""

SMALLEST = 8400
"""Sectors. Up to this size fatgen103 prescribes FAT12, which firmware need not read."""
CLUSTER_SIZES = (
    (32680, 16, 2),
    (66600, 16, 4),
    (532480, 32, 1),
    (16777216, 32, 8),
    (33554432, 32, 16),
    (67108864, 32, 32),
    (0xFFFFFFFF, 32, 64),
)
"""Up to so many sectors: bits of a FAT entry, sectors in a cluster (fatgen103, DskTableFAT16 and
DskTableFAT32; FAT32 is taken wherever it is possible, as UEFI asks of a hard disk)."""

LARGEST_FILE = 0xFFFFFFFF
LARGEST_DIRECTORY = 65536
"""Entries of 32 bytes."""
LONGEST_NAME = 255
"""UTF-16 units."""

SHORT_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$%'-_@~`!(){}^#&")
NEVER_IN_NAMES = frozenset('"*/:<>?\\|\x7f\uffff') | frozenset(map(chr, range(32)))

BOOT_SECTOR = struct.Struct("<3s8sHBHBHHBHHHII")
"""BS_jmpBoot to BPB_TotSec32: 36 bytes, common to both widths."""
BOOT_SECTOR_32 = struct.Struct("<IHHIHH12x")
"""BPB_FATSz32 to BPB_Reserved."""
BOOT_SECTOR_END = struct.Struct("<BBBI11s8s")
"""BS_DrvNum to BS_FilSysType."""
NOT_BOOTABLE = b"\xcd\x18\xf4\xeb\xfd"
"""int 0x18 tells a BIOS to try the next disk; then hlt, jmp."""
FSINFO = struct.Struct("<4s480x4sII12xI")

ENTRY = struct.Struct("<11sBxBHHHHHHHI")
LONG_ENTRY = struct.Struct("<B10sBxB12s2x4s")
LONG_ENTRY_BYTES = 26
LAST_LONG_ENTRY = 0x40
VOLUME_ID, DIRECTORY, ARCHIVE, LONG_NAME = 0x08, 0x10, 0x20, 0x0F

EARLIEST = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())
LATEST = int(datetime(2107, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())

CHUNK = 1 << 20
"""Bytes of a file held in memory at a time."""
ENTRIES_AT_A_TIME = 1 << 16

Piece = tuple[int, bytes]
"""Bytes, and how many bytes from the beginning of the volume they lie."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system of `size` bytes.

    `label` has up to eleven capitals. `serial` (32 bits) tells volumes apart. `time` is that of
    every file, in seconds since 1970; FAT knows the years 1980 to 2107 and takes the nearest.
    `hidden` (32 bits) is the first sector of its partition.
    """

    label: str
    size: int
    serial: int
    time: int
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where things lie, in sectors, and how wide an entry of the FAT is, in bits."""

    bits: int
    sectors: int
    cluster_sectors: int
    fat_sectors: int

    @property
    def reserved(self) -> int:
        return 32 if self.bits == 32 else 1

    @property
    def root_entries(self) -> int:
        """Of the fixed root directory; 0 where the root directory has clusters."""
        return 0 if self.bits == 32 else ROOT_ENTRIES

    @property
    def root(self) -> int:
        return self.reserved + COPIES * self.fat_sectors

    @property
    def data(self) -> int:
        return self.root + self.root_entries * ENTRY.size // SECTOR

    @property
    def clusters(self) -> int:
        return (self.sectors - self.data) // self.cluster_sectors

    @property
    def cluster_bytes(self) -> int:
        return self.cluster_sectors * SECTOR

    def place(self, cluster: int) -> int:
        """The offset of `cluster` in bytes; 0 stands for the root directory of FAT16."""
        if not cluster:
            return self.root * SECTOR
        return self.data * SECTOR + (cluster - FIRST_CLUSTER) * self.cluster_bytes


@dataclass(frozen=True, slots=True)
class Run:
    """The consecutive clusters of one file or directory; none, from 0, if it is empty."""

    first: int
    clusters: int


Listing = dict[str, dict[str, Content | None]]
"""For each directory (`""`: the root) its names; None stands for a directory."""


def geometry(size: int) -> Geometry:
    """The layout of a volume of `size` bytes. Raises Refusal if FAT16 and FAT32 cannot have it."""
    sectors = size // SECTOR
    if size % SECTOR or not SMALLEST < sectors <= CLUSTER_SIZES[-1][0]:
        raise Refusal(
            "FAT volume",
            f"{size} bytes is not a size for FAT: whole sectors of {SECTOR} bytes, more than "
            f"{SMALLEST} and at most {CLUSTER_SIZES[-1][0]} of them",
            "Give its partition another size",
        )
    bits, per_cluster = next(row[1:] for row in CLUSTER_SIZES if sectors <= row[0])
    bare = Geometry(bits, sectors, per_cluster, fat_sectors=0)
    # The least f that satisfies f * entries_per_sector >= (left - 2 * f) / per_cluster + 2.
    left = sectors - bare.data
    entries_per_sector = SECTOR * 8 // bits
    needed = -(-(left + 2 * per_cluster) // (entries_per_sector * per_cluster + COPIES))
    return Geometry(bits, sectors, per_cluster, needed)


def encode(volume: Volume, files: Mapping[str, bytes | Content]) -> Iterator[Piece]:
    """What the volume is made of, piece by piece; between the pieces it is zero.

    `files` maps paths such as ``EFI/BOOT/BOOTX64.EFI`` to contents; directories follow from them.
    Raises Refusal, before the first piece, for a path or label FAT cannot hold, for two names that
    differ in case alone, and for more than fits; EOFError if a file is shorter than it was.
    """
    shape = geometry(volume.size)
    label = _label(volume.label)
    listing = _listing(files)
    aliases = {path: _aliases(path, names) for path, names in listing.items()}
    runs = _allocate(shape, listing, aliases)
    return chain(
        _boot_sectors(shape, volume, label, _used(runs)),
        _fats(shape, runs),
        _directories(shape, volume, label, listing, aliases, runs),
        _contents(shape, listing, runs),
    )


def write(file: int, at: int, volume: Volume, files: Mapping[str, bytes | Content]) -> None:
    """Write the volume into the open file descriptor `file`, `at` bytes from its beginning.

    What lies there has to read as zeros; a shorter file grows to the volume's end. See `encode`
    for `files` and the errors raised; after a Refusal the file is as it was.
    """
    for offset, data in encode(volume, files):
        place(file, at + offset, data)
    if os.fstat(file).st_size < at + volume.size:
        os.truncate(file, at + volume.size)


def _label(label: str) -> bytes:
    held = label.encode("ascii", "replace")
    if (
        not 1 <= len(label) <= 11
        or label != label.strip()
        or not (set(held) <= SHORT_CHARACTERS | set(b" "))
    ):
        raise Refusal(
            f"FAT label {label!r}",
            f"a label is 1 to 11 capitals, digits, spaces or $%'-_@~`!(){{}}^#&, not these "
            f"{len(label)} characters",
            "Shorten it and write it in capitals",
        )
    return held.ljust(11)


def _listing(files: Mapping[str, bytes | Content]) -> Listing:
    listing: Listing = {"": {}}
    for path in sorted(files):
        above = ""
        *parents, name = check_path(path).split("/")
        for part in parents:
            if listing[above].setdefault(part, None) is not None:
                raise Refusal(
                    path, f"{part!r} in this path is a file, not a directory", "Rename one of them"
                )
            above = f"{above}/{part}" if above else part
            listing.setdefault(above, {})
        given = files[path]
        content = Content.of(given) if isinstance(given, bytes) else given
        if content.length > LARGEST_FILE:
            raise Refusal(
                path,
                f"{content.length} bytes; a file of FAT has at most {LARGEST_FILE}",
                "Leave it out",
            )
        listing[above][name] = content
    return {path: dict(sorted(listing[path].items())) for path in sorted(listing)}


def _aliases(directory: str, names: Mapping[str, object]) -> dict[str, bytes]:
    """The 8.3 name of each name, eleven bytes, unlike any other in the directory."""
    folded: dict[str, str] = {}
    for name in names:
        _check_name(directory, name)
        same = folded.setdefault(name.upper(), name)
        if same != name:
            raise Refusal(
                _join(directory, name),
                f"{same!r} in the same directory differs from it only in case",
                "Rename one of them",
            )
    aliases = {name: short for name in names if (short := short_name(name))}
    taken = set(aliases.values())
    numbers: Counter[tuple[bytes, bytes]] = Counter()
    for name in names:
        if name in aliases:
            continue
        stem, extension = short_parts(name)
        key = (stem[:6], extension)
        alias = None
        while alias is None or alias in taken:
            numbers[key] += 1
            tail = b"~%d" % numbers[key]
            alias = (stem[: 8 - len(tail)] + tail).ljust(8) + extension
        aliases[name] = alias
        taken.add(alias)
    return aliases


def _check_name(directory: str, name: str) -> None:
    try:
        units = len(name.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        units = 0
    if (
        not 1 <= units <= LONGEST_NAME
        or NEVER_IN_NAMES.intersection(name)
        or name != name.strip(" ").rstrip(".")
    ):
        raise Refusal(
            repr(_join(directory, name)),
            f"FAT cannot hold the name {name!r}: it allows at most {LONGEST_NAME} UTF-16 "
            f'units, no control characters, none of "*/:<>?\\|, no spaces around it and no '
            f"period at its end",
            "Rename it",
        )


def short_name(name: str) -> bytes | None:
    """The 8.3 form of a name that needs no numeric tail for it."""
    stem, dot, extension = name.partition(".")
    capitals = (stem + extension).upper().encode("ascii", "replace")
    if (
        name.isascii()
        and 1 <= len(stem) <= 8
        and len(dot) <= len(extension) <= 3
        and SHORT_CHARACTERS.issuperset(capitals)
    ):
        return stem.upper().ljust(8).encode() + extension.upper().ljust(3).encode()
    return None


def short_parts(name: str) -> tuple[bytes, bytes]:
    """What an alias of any other name is made of: fatgen103's "basis-name" and extension."""
    bare = name.replace(" ", "").lstrip(".")
    stem, dot, extension = bare.rpartition(".")
    if not dot:
        stem, extension = bare, ""
    return _short_part(stem.replace(".", ""), 8), _short_part(extension, 3).ljust(3)


def _short_part(text: str, length: int) -> bytes:
    capitals = (character.upper().encode("ascii", "replace") for character in text[:length])
    return b"".join(
        one if len(one) == 1 and one[0] in SHORT_CHARACTERS else b"_" for one in capitals
    )


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def displayed(alias: bytes) -> str:
    stem, extension = alias[:8].decode().rstrip(), alias[8:].decode().rstrip()
    return f"{stem}.{extension}" if extension else stem


def _allocate(
    shape: Geometry, listing: Listing, aliases: Mapping[str, Mapping[str, bytes]]
) -> dict[str, Run]:
    """The clusters of every path, in their order; the root's path is empty."""
    runs: dict[str, Run] = {}
    free = FIRST_CLUSTER

    def take(path: str, length: int) -> None:
        nonlocal free
        clusters = -(-length // shape.cluster_bytes)
        runs[path] = Run(free if clusters else 0, clusters)
        free += clusters

    for path in listing:
        entries = (2 if path else 1) + sum(
            1 + len(long_entries(name, alias)) // LONG_ENTRY.size
            for name, alias in aliases[path].items()
        )
        fixed = not path and shape.root_entries
        most = fixed or LARGEST_DIRECTORY
        if entries > most:
            raise Refusal(
                f"FAT directory /{path}",
                f"{entries} entries, of which a long name takes several; at most {most} fit",
                "Put the files into subdirectories",
            )
        take(path, 0 if fixed else entries * ENTRY.size)
    for path, names in listing.items():
        for name, content in names.items():
            if content is not None:
                take(_join(path, name), content.length)
    if free - FIRST_CLUSTER > shape.clusters:
        raise Refusal(
            "FAT volume",
            f"its files take {free - FIRST_CLUSTER} clusters of {shape.cluster_bytes} bytes; "
            f"there are {shape.clusters}",
            "Make its partition larger or leave files out",
        )
    return runs


def _used(runs: Mapping[str, Run]) -> int:
    return sum(run.clusters for run in runs.values())


def _boot_sectors(shape: Geometry, volume: Volume, label: bytes, used: int) -> Iterator[Piece]:
    wide = shape.bits == 32
    small = not wide and shape.sectors < 0x10000
    common = BOOT_SECTOR.pack(
        b"\xeb\x58\x90" if wide else b"\xeb\x3c\x90",
        b"MSWIN4.1",  # BS_OEMName: what fatgen103 advises, some readers want it
        SECTOR,
        shape.cluster_sectors,
        shape.reserved,
        COPIES,
        shape.root_entries,
        shape.sectors if small else 0,
        MEDIA,
        0 if wide else shape.fat_sectors,
        63,  # BPB_SecPerTrk
        255,  # BPB_NumHeads
        volume.hidden,
        0 if small else shape.sectors,
    )
    if wide:
        common += BOOT_SECTOR_32.pack(
            shape.fat_sectors, 0, 0, FIRST_CLUSTER, FSINFO_SECTOR, BACKUP_SECTOR
        )
    end = BOOT_SECTOR_END.pack(
        0x80, 0, 0x29, volume.serial, label, b"FAT32   " if wide else b"FAT16   "
    )
    boot = (common + end + NOT_BOOTABLE).ljust(SECTOR - len(END_MARK), b"\0") + END_MARK
    if not wide:
        yield 0, boot
        return
    free = shape.clusters - used
    next_free = FIRST_CLUSTER + used if free else 0xFFFFFFFF
    info = FSINFO.pack(b"RRaA", b"rrAa", free, next_free, 0xAA550000)
    three = boot + info + END_MARK.rjust(SECTOR, b"\0")
    yield 0, three
    yield BACKUP_SECTOR * SECTOR, three


def _fats(shape: Geometry, runs: Mapping[str, Run]) -> Iterator[Piece]:
    mask, code = (0x0FFFFFFF, "I") if shape.bits == 32 else (0xFFFF, "H")
    entries = chain((mask & ~0xFF | MEDIA, mask), _chains(runs, end=mask))
    at = shape.reserved * SECTOR
    while some := list(islice(entries, ENTRIES_AT_A_TIME)):
        data = struct.pack(f"<{len(some)}{code}", *some)
        for copy in range(COPIES):
            yield at + copy * shape.fat_sectors * SECTOR, data
        at += len(data)


def _chains(runs: Mapping[str, Run], end: int) -> Iterator[int]:
    for run in runs.values():
        if run.clusters:
            yield from range(run.first + 1, run.first + run.clusters)
            yield end


def _directories(
    shape: Geometry,
    volume: Volume,
    label: bytes,
    listing: Listing,
    aliases: Mapping[str, Mapping[str, bytes]],
    runs: Mapping[str, Run],
) -> Iterator[Piece]:
    stamp = stamp_of(volume.time)
    for path, names in listing.items():
        if path:
            above = path.rpartition("/")[0]
            entries = [
                short_entry(b".".ljust(11), DIRECTORY, stamp, runs[path].first),
                short_entry(b"..".ljust(11), DIRECTORY, stamp, runs[above].first if above else 0),
            ]
        else:
            entries = [short_entry(label, VOLUME_ID, stamp)]
        for name, content in names.items():
            alias = aliases[path][name]
            first = runs[_join(path, name)].first
            entries.append(long_entries(name, alias))
            if content is None:
                entries.append(short_entry(alias, DIRECTORY, stamp, first))
            else:
                entries.append(short_entry(alias, ARCHIVE, stamp, first, content.length))
        yield shape.place(runs[path].first), b"".join(entries)


def stamp_of(time: int) -> tuple[int, int, int]:
    """A FAT date, a FAT time of two-second steps, and the hundredths of a second it leaves off."""
    when = datetime.fromtimestamp(min(max(time, EARLIEST), LATEST), UTC)
    date = (when.year - 1980) << 9 | when.month << 5 | when.day
    return date, when.hour << 11 | when.minute << 5 | when.second // 2, when.second % 2 * 100


def short_entry(
    alias: bytes, attributes: int, stamp: tuple[int, int, int], first: int = 0, size: int = 0
) -> bytes:
    """A directory entry; created, read and written at `stamp`."""
    date, time, hundredths = stamp
    return ENTRY.pack(
        alias,
        attributes,
        hundredths,
        time,
        date,
        date,
        first >> 16,
        time,
        date,
        first & 0xFFFF,
        size,
    )


def long_entries(name: str, alias: bytes) -> bytes:
    """The entries before the short one, last part first; none if the alias says it all.

    The NUL after the name is left out if the name fills its last entry.
    """
    if name == displayed(alias):
        return b""
    units = name.encode("utf-16-le")
    count = -(-len(units) // LONG_ENTRY_BYTES)
    units = (units + b"\0\0").ljust(count * LONG_ENTRY_BYTES, b"\xff")
    checksum = _checksum(alias)
    entries = []
    for order in range(count, 0, -1):
        part = units[(order - 1) * LONG_ENTRY_BYTES : order * LONG_ENTRY_BYTES]
        flag = LAST_LONG_ENTRY if order == count else 0
        entries.append(
            LONG_ENTRY.pack(order | flag, part[:10], LONG_NAME, checksum, part[10:22], part[22:])
        )
    return b"".join(entries)


def _checksum(alias: bytes) -> int:
    """Ties long entries to their short one (fatgen103, ChkSum)."""
    total = 0
    for byte in alias:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    return total


def _contents(shape: Geometry, listing: Listing, runs: Mapping[str, Run]) -> Iterator[Piece]:
    for path, names in listing.items():
        for name, content in names.items():
            if content is not None and content.length:
                at = shape.place(runs[_join(path, name)].first)
                for offset, data in _read(content):
                    yield at + offset, data


def _read(content: Content) -> Iterator[Piece]:
    for extent in content.extents:
        if isinstance(extent.origin, bytes):
            yield extent.at, extent.origin[extent.offset : extent.offset + extent.length]
        else:
            for done, data in _read_file(extent.origin, extent.offset, extent.length):
                yield extent.at + done, data


def _read_file(path: Path, offset: int, length: int) -> Iterator[Piece]:
    with path.open("rb") as file:
        file.seek(offset)
        for done in range(0, length, CHUNK):
            wanted = min(CHUNK, length - done)
            data = file.read(wanted)
            if len(data) != wanted:
                raise EOFError(f"{path} is shorter than its tree says")
            yield done, data
