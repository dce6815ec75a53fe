"""Which bytes of an image have to be on a disk so that the disk works like the image."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from image.flash.free import Read, free_blocks
from image.flash.spans import Span, chunks, union, without
from image.layout import Layout
from image.progress import Advance

BLOCK = 4096
"""Bytes. The granularity of the map: every span begins at a multiple of it."""

CHUNK = 1 << 20
"""Bytes read at a time."""

JOINED = 1 << 16
"""Bytes. A run of zeros shorter than this between two runs of data is written with them."""

SLOTS = ("rootA", "rootB")
"""Read-only file systems. Nothing ever reads their free blocks, so these may keep what the disk
had. The free blocks of `cfg` may not: they could hold keys of the disk's last owner."""


@dataclass(frozen=True, slots=True)
class BlockMap:
    """Spans of an image of `size` bytes: those in `data` hold something, those in `zero` must read
    as zeros.

    A byte in neither is in a free block of a slot and may have any value.
    """

    size: int
    data: tuple[Span, ...]
    zero: tuple[Span, ...]


def map_blocks(
    read: Read, size: int, allocated: tuple[Span, ...], disk: Layout, advance: Advance
) -> BlockMap:
    """Return the block map of an image of `size` bytes, of which only the spans `allocated` may
    hold something but zeros.

    `advance` is called with the number of bytes of `allocated` that were looked at.
    """
    data = union(_data(read, allocated, advance), gap=JOINED)
    free: list[Span] = []
    for label in SLOTS:
        free += free_blocks(read, disk.offset(label), disk.length(label))
    return BlockMap(size, data, without([(0, size)], [*data, *free]))


def allocated_spans(descriptor: int, size: int) -> tuple[Span, ...]:
    """Return the spans of an open file that are not holes (SEEK_DATA, lseek(2)), extended to whole
    blocks."""
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


def _data(read: Read, spans: tuple[Span, ...], advance: Advance) -> Iterator[Span]:
    zeros = bytes(CHUNK)
    for at, length in chunks(spans, CHUNK):
        chunk = read(at, length)
        advance(length)
        if chunk == zeros[:length]:
            continue
        for start in range(0, length, BLOCK):
            block = chunk[start : start + BLOCK]
            if block != zeros[: len(block)]:
                yield at + start, at + start + len(block)
