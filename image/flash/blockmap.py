"""What of an image has to be on a disk for the disk to be as good as the image."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from image.flash.free import Read, free_blocks
from image.flash.spans import Span, chunks, union, without
from image.layout import Layout
from image.progress import Advance

BLOCK = 4096
"""Bytes; what is told apart. Spans begin at multiples of it."""

CHUNK = 1 << 20
JOINED = 1 << 16
"""Bytes; fewer zeros than these between data are written along with it."""

SLOTS = ("rootA", "rootB")
"""Read-only systems: what lies in their free blocks is never looked at. Whatever lay in those of
`cfg` would be somebody's keys."""


@dataclass(frozen=True, slots=True)
class BlockMap:
    """Spans of `size` bytes: `data` holds something, `zero` has to read as zeros.

    What is in neither may be anything: it is free in a slot.
    """

    size: int
    data: tuple[Span, ...]
    zero: tuple[Span, ...]


def survey(read: Read, size: int, held: tuple[Span, ...], disk: Layout, tell: Advance) -> BlockMap:
    """The map of an image of `size` bytes that holds something in `held` at most.

    `tell` is told how many bytes of `held` were looked at.
    """
    data = union(_data(read, held, tell), gap=JOINED)
    free: list[Span] = []
    for label in SLOTS:
        free += free_blocks(read, disk.offset(label), disk.length(label))
    return BlockMap(size, data, without([(0, size)], [*data, *free]))


def held(descriptor: int, size: int) -> tuple[Span, ...]:
    """The spans of an open file that are not holes (lseek(2), SEEK_DATA), whole blocks."""
    found: list[Span] = []
    at = 0
    while at < size:
        try:
            first = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(descriptor, first, os.SEEK_HOLE)
        found.append((first - first % BLOCK, min(at + -at % BLOCK, size)))
    return union(found)


def _data(read: Read, spans: tuple[Span, ...], tell: Advance) -> Iterator[Span]:
    zeros = bytes(CHUNK)
    for at, length in chunks(spans, CHUNK):
        chunk = read(at, length)
        tell(length)
        if chunk == zeros[:length]:
            continue
        for start in range(0, length, BLOCK):
            block = chunk[start : start + BLOCK]
            if block != zeros[: len(block)]:
                yield at + start, at + start + len(block)
