"""Decompresses files of unknown origin: bounded in output, in ratio and in the decoder's memory.

A file may have several streams of xz or frames of zstd one after the other (The .xz File Format
1.2, section 2; RFC 8878, section 3). It is whole if the last one is.
"""

import bz2
import lzma
from collections.abc import Callable, Iterator
from enum import Enum
from typing import IO, Protocol

import zstandard

from firstboot.core.damaged import Damaged
from firstboot.core.limits import SLACK, STREAMS, XZ_MEMORY, ZSTD_MEMORY, Unpacked

CHUNK = 1 << 20
"""Bytes that are yielded at a time, at most."""

PIECE = 1 << 18
"""Compressed bytes read at a time."""

SLICE = 512
"""Bytes of zstd that are decompressed at a time. Four bytes can stand for 128 KiB of zeros (RFC
8878, 3.1.1.2.2), and the library gives all of it at once."""


class Packing(Enum):
    """How a file is compressed; the value is its first bytes."""

    XZ = b"\xfd7zXZ\0"
    ZSTD = b"\x28\xb5\x2f\xfd"
    BZIP2 = b"BZh"
    NONE = b""


LONGEST_MAGIC = max(len(one.value) for one in Packing)

Advance = Callable[[int], object]


def packing(head: bytes) -> Packing:
    """Return how a file with the first bytes `head` is compressed."""
    return next(one for one in Packing if head.startswith(one.value))


def chunks(
    raw: IO[bytes], how: Packing, bounds: Unpacked, advance: Advance = lambda _: None
) -> Iterator[bytes]:
    """Yield the content of the file `raw`, which is compressed as `how` says.

    `advance` is called with the number of compressed bytes that were read, also when they gave
    nothing. Raises Damaged.
    """
    meter = _Meter(bounds)

    def more() -> bytes:
        data = raw.read(PIECE)
        meter.read += len(data)
        advance(len(data))
        return data

    for chunk in _decoders[how](more):
        advance(0)
        meter.count(len(chunk))
        yield chunk


class _Meter:
    """How much was read, and how much it became."""

    def __init__(self, bounds: Unpacked) -> None:
        self._bounds = bounds
        self._became = 0
        self.read = 0

    def count(self, length: int) -> None:
        """Raises Damaged when it is too much."""
        self._became += length
        if self._became > self._bounds.size:
            raise Damaged(f"it has more than {self._bounds.size} bytes when decompressed")
        if self._became > SLACK + self.read * self._bounds.ratio:
            ratio = self._bounds.ratio
            raise Damaged(f"it becomes more than {ratio} times as large when decompressed")


class Reader:
    """The bytes of an iterator of chunks, as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._rest = memoryview(part)
        data, self._rest = self._rest[:size], self._rest[size:]
        return bytes(data)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


More = Callable[[], bytes]


def _plain(more: More) -> Iterator[bytes]:
    while data := more():
        yield data


def _xz(more: More) -> Iterator[bytes]:
    """Decompress streams of xz, which may have zero bytes between and behind them."""
    try:
        data = more()
        for _ in range(STREAMS):
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            yield from _stream(decompressor, decompressor.decompress, data, more)
            data = decompressor.unused_data.lstrip(b"\0")
            while not data:
                if not (data := more()):
                    return
                data = data.lstrip(b"\0")
    except lzma.LZMAError as error:
        raise Damaged(str(error)) from None
    raise Damaged(f"it is in more than {STREAMS} streams")


def _bzip2(more: More) -> Iterator[bytes]:
    try:
        data = more()
        for _ in range(STREAMS):
            decompressor = bz2.BZ2Decompressor()
            yield from _stream(decompressor, decompressor.decompress, data, more)
            if not (data := decompressor.unused_data or more()):
                return
    except OSError as error:
        raise Damaged(str(error)) from None
    raise Damaged(f"it is in more than {STREAMS} streams")


def _stream(
    decompressor: lzma.LZMADecompressor | bz2.BZ2Decompressor,
    decompress: Callable[[bytes, int], bytes],
    data: bytes,
    more: More,
) -> Iterator[bytes]:
    """Decompress one stream that begins with `data`, in chunks: each one costs a change of the
    thread that holds the interpreter's lock."""
    while not decompressor.eof:
        if decompressor.needs_input and not data and not (data := more()):
            raise Damaged("it ends early")
        if chunk := decompress(data, CHUNK):
            yield chunk
        data = b""


def _zstd(more: More) -> Iterator[bytes]:
    """Decompress frames of zstd. Its memory is bounded by the window and by `SLICE`."""
    context = zstandard.ZstdDecompressor(max_window_size=ZSTD_MEMORY)
    frame = None
    frames = 0
    try:
        while read := more():
            for at in range(0, len(read), SLICE):
                data = read[at : at + SLICE]
                while data:
                    if frame is None or frame.eof:
                        frame = context.decompressobj()
                        frames += 1
                    became = frame.decompress(data)
                    for start in range(0, len(became), CHUNK):
                        yield became[start : start + CHUNK]
                    data = frame.unused_data if frame.eof else b""
                    if frames > STREAMS:
                        raise Damaged(f"it is in more than {STREAMS} frames")
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from None
    if frame is None or not frame.eof:
        raise Damaged("it ends early")


_decoders: dict[Packing, Callable[[More], Iterator[bytes]]] = {
    Packing.NONE: _plain,
    Packing.XZ: _xz,
    Packing.ZSTD: _zstd,
    Packing.BZIP2: _bzip2,
}
