"""Writes an image in such an order that an incomplete disk does not boot.

The first MiB of the image has the boot sector, the partition table and the boot program of a BIOS.
The last MiB has the second copy of the table. Both stay zero on the disk until everything between
them was read back. The first block is written last.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from firstboot.core.refusal import Refusal
from image.flash.blockmap import BLOCK, BlockMap
from image.flash.free import Read
from image.flash.spans import Span, chunks, total, union, within, without
from image.progress import Advance, step

MIB = 1 << 20
CHUNK = MIB
FLUSH_EVERY = 16 * MIB
"""Bytes written between two flushes, so that the progress shown is that of the disk and not of the
page cache."""


class Disk(Protocol):
    """A disk to write to. Offsets and lengths are in bytes. All methods raise OSError."""

    @property
    def size(self) -> int: ...

    def read(self, at: int, length: int) -> bytes:
        """Read from the medium itself, not from a cache."""

    def write(self, at: int, data: bytes) -> None: ...

    def flush(self) -> None:
        """Return when the medium has everything that was written."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Spans in the order in which they are written: `wiped` with zeros, `body`, `zero` where it is
    not zero already, `ends`, and then the first block."""

    wiped: tuple[Span, ...]
    body: tuple[Span, ...]
    zero: tuple[Span, ...]
    ends: tuple[Span, ...]


FIRST = (0, BLOCK)


def plan(block_map: BlockMap, size: int) -> Plan:
    """Plan the write to a disk of `size` bytes, which is at least as large as the image.

    The end of a larger disk is wiped as well. Otherwise the partition table, RAID or encryption
    that the last owner had there would be found before the image's own.
    """
    head = (0, min(MIB, block_map.size))
    tail = (max(block_map.size - MIB, head[1]), block_map.size)
    beyond = (max(size - size % BLOCK - MIB, block_map.size), size)
    ends = (head, tail)
    return Plan(
        union([*ends, beyond]),
        without(block_map.data, ends),
        without(block_map.zero, ends),
        without([*within(block_map.data, head), *within(block_map.data, tail)], [FIRST]),
    )


def write(disk: Disk, read: Read, block_map: BlockMap, name: str) -> int:
    """Write the blocks of `block_map`, read with `read`, to `disk` and verify them. Return how many
    bytes were verified.

    Raises Refusal; the disk then does not boot.
    """

    def expected(at: int, length: int) -> bytes:
        return read(at, length) if at < block_map.size else bytes(length)

    steps = plan(block_map, disk.size)
    try:
        _write_body(disk, read, steps, name)
        title = f"Read {name} back"
        verified = _verify(disk, expected, [*steps.body, *steps.zero], name, title)
        try:
            _put(disk, read, steps.ends)
            _put(disk, read, (FIRST,))
            title = f"Read the ends of {name} back"
            return verified + _verify(disk, expected, steps.wiped, name, title)
        except BaseException:
            with suppress(OSError):
                disk.write(0, bytes(BLOCK))
                disk.flush()
            raise
    except OSError as error:
        raise incomplete(name, error.strerror or str(error)) from error
    except KeyboardInterrupt:
        raise incomplete(name, "the command was interrupted") from None


def incomplete(name: str, cause: str) -> Refusal:
    return Refusal(
        name,
        f"the image was not written completely: {cause}. The disk does not boot",
        "Plug it in again, or take another one, and run the same command again",
    )


def _write_body(disk: Disk, read: Read, steps: Plan, name: str) -> None:
    for at, length in chunks(steps.wiped, CHUNK):
        disk.write(at, bytes(length))
    disk.flush()
    with step(f"Write {name}", total(steps.body) + total(steps.zero)) as advance:
        _put(disk, read, steps.body, advance)
        for at, length in chunks(steps.zero, CHUNK):
            if disk.read(at, length) != bytes(length):
                disk.write(at, bytes(length))
            advance(length)
        disk.flush()


def _put(disk: Disk, read: Read, spans: Iterable[Span], advance: Advance = lambda _: None) -> None:
    waiting = 0
    for at, length in chunks(spans, CHUNK):
        disk.write(at, read(at, length))
        advance(length)
        waiting += length
        if waiting >= FLUSH_EVERY:
            disk.flush()
            waiting = 0
    disk.flush()


def _verify(disk: Disk, expected: Read, spans: Sequence[Span], name: str, title: str) -> int:
    with step(title, total(spans)) as advance:
        for at, length in chunks(spans, CHUNK):
            found, wanted = disk.read(at, length), expected(at, length)
            if found != wanted:
                pairs = enumerate(zip(found, wanted, strict=False))
                where = at + next((here for here, (a, b) in pairs if a != b), len(found))
                raise Refusal(
                    name,
                    f"byte {where} reads back different from what was written. The disk does "
                    "not boot",
                    "Take another disk: this one is worn out, or smaller than it claims to be",
                )
            advance(length)
    return total(spans)
