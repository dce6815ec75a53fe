"""Putting many small pieces into one big file with few, large writes."""

import os
from pathlib import Path

from image.progress import Advance
from image.tree import Content

BUFFER = 4 << 20
"""Bytes; all the memory that writing needs, however large the file."""

GAP = 4096
"""Bytes; pieces nearer than this are joined by writing the zeros between them."""


class Pieces:
    """Pieces of contents on their way to a region of an open file.

    Offsets count from `offset`, the start of the region, which must read as zeros: holes and the
    gaps between pieces are not written. Pieces must not overlap.
    """

    def __init__(self, target: int, offset: int) -> None:
        self._target = target
        self._offset = offset
        self._pieces: list[tuple[int, int, Path | bytes, int]] = []

    def add(self, at: int, content: Content, start: int, length: int) -> None:
        """Put `length` bytes of `content` from `start` on, or what it has of them, to `at`."""
        end = min(start + length, content.length)
        for extent in content.extents:
            first = max(extent.at, start)
            last = min(extent.at + extent.length, end)
            if first < last:
                self._pieces.append(
                    (
                        at + first - start,
                        last - first,
                        extent.origin,
                        extent.offset + first - extent.at,
                    )
                )

    def add_bytes(self, at: int, data: bytes) -> None:
        self._pieces.append((at, len(data), data, 0))

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(length for _, length, _, _ in self._pieces)

    def write(self, advance: Advance) -> None:
        """Write all pieces; `advance` is told how many bytes of them. Raises OSError, and EOFError
        where an origin is shorter than its extents say."""
        origins: dict[Path, int] = {}
        buffer = memoryview(bytearray(BUFFER))
        start = end = untold = 0

        def flush() -> None:
            nonlocal untold
            done = start
            while done < end:
                done += os.pwrite(
                    self._target, buffer[done - start : end - start], self._offset + done
                )
            advance(untold)
            untold = 0

        try:
            for at, size, origin, offset in sorted(self._pieces, key=lambda piece: piece[0]):
                length = size
                if at - end > GAP:
                    flush()
                    start = end = at
                if end < at:
                    if at - start > BUFFER:
                        flush()
                        start = end = at
                    buffer[end - start : at - start] = bytes(at - end)
                    end = at
                while length:
                    if end - start == BUFFER:
                        flush()
                        start = end
                    part = min(length, BUFFER - (end - start))
                    into = buffer[end - start : end - start + part]
                    if isinstance(origin, bytes):
                        into[:] = origin[offset : offset + part]
                    else:
                        if origin not in origins:
                            origins[origin] = os.open(origin, os.O_RDONLY | os.O_CLOEXEC)
                        if os.preadv(origins[origin], [into], offset) != part:
                            raise EOFError(f"{origin} ended early")
                    offset += part
                    length -= part
                    end += part
                    untold += part
            flush()
        finally:
            for descriptor in origins.values():
                os.close(descriptor)
