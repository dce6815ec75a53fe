"""The write itself: in such an order that what is not complete does not start.

The first MiB of the image, with the boot sector, the partition table and the boot program of a
BIOS, and the last MiB, with the other copy of the table, are zero on the disk until everything
between them was read back. The first block comes last.
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
SETTLED = 16 * MIB
"""Bytes that may be on their way to the disk, so that the progress told is that of the disk."""


class Disk(Protocol):
    """What is written to. Offsets and lengths are in bytes; all raise OSError."""

    @property
    def size(self) -> int: ...

    def read(self, at: int, length: int) -> bytes:
        """What the medium itself holds."""

    def write(self, at: int, data: bytes) -> None: ...

    def settle(self) -> None:
        """Return when the medium has everything that was written."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Spans in the order in which they are written: `wiped` with zeros, `body`, `zero` where it
    is none yet, `ends`, and the first block."""

    wiped: tuple[Span, ...]
    body: tuple[Span, ...]
    zero: tuple[Span, ...]
    ends: tuple[Span, ...]


FIRST = (0, BLOCK)


def plan(wanted: BlockMap, size: int) -> Plan:
    """What to write to a disk of `size` bytes, which is at least that of the image.

    The end of a larger disk is wiped too: the table, the RAID or the encryption that its last
    owner kept there would be found before the image's.
    """
    head = (0, min(MIB, wanted.size))
    tail = (max(wanted.size - MIB, head[1]), wanted.size)
    beyond = (max(size - size % BLOCK - MIB, wanted.size), size)
    ends = (head, tail)
    return Plan(
        union([*ends, beyond]),
        without(wanted.data, ends),
        without(wanted.zero, ends),
        without([*within(wanted.data, head), *within(wanted.data, tail)], [FIRST]),
    )


def write(disk: Disk, read: Read, wanted: BlockMap, name: str) -> int:
    """Make `disk` hold what `wanted` says of the image that `read` reads; verify that it does.

    Returns how many bytes were verified. Raises Refusal, and then the disk does not start.
    """

    def expected(at: int, length: int) -> bytes:
        return read(at, length) if at < wanted.size else bytes(length)

    steps = plan(wanted, disk.size)
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
                disk.settle()
            raise
    except OSError as error:
        raise incomplete(name, error.strerror or str(error)) from error
    except KeyboardInterrupt:
        raise incomplete(name, "it was interrupted") from None


def incomplete(name: str, found: str) -> Refusal:
    return Refusal(
        name,
        expected="the whole image to be written",
        found=f"{found}; the disk is incomplete and does not start",
        remedy="plug it in again, or take another one, and run the same command again",
    )


def _write_body(disk: Disk, read: Read, steps: Plan, name: str) -> None:
    for at, length in chunks(steps.wiped, CHUNK):
        disk.write(at, bytes(length))
    disk.settle()
    with step(f"Write {name}", total(steps.body) + total(steps.zero)) as tell:
        _put(disk, read, steps.body, tell)
        for at, length in chunks(steps.zero, CHUNK):
            if disk.read(at, length) != bytes(length):
                disk.write(at, bytes(length))
            tell(length)
        disk.settle()


def _put(disk: Disk, read: Read, spans: Iterable[Span], tell: Advance = lambda _: None) -> None:
    waiting = 0
    for at, length in chunks(spans, CHUNK):
        disk.write(at, read(at, length))
        tell(length)
        waiting += length
        if waiting >= SETTLED:
            disk.settle()
            waiting = 0
    disk.settle()


def _verify(disk: Disk, expected: Read, spans: Sequence[Span], name: str, title: str) -> int:
    with step(title, total(spans)) as tell:
        for at, length in chunks(spans, CHUNK):
            found, wanted = disk.read(at, length), expected(at, length)
            if found != wanted:
                pairs = enumerate(zip(found, wanted, strict=False))
                where = at + next((here for here, (a, b) in pairs if a != b), len(found))
                raise Refusal(
                    name,
                    expected="to read what was written",
                    found=f"something else at byte {where}; the disk does not start",
                    remedy="take another one: this one is worn out, or smaller than it says",
                )
            tell(length)
    return total(spans)
