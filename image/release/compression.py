"""An image compressed for downloads: with zstd, which is fast, and with xz, which is small.

The same image gives the same bytes: they contain no time, no name and no number of processors. Both
formats carry checksums of their content (RFC 8878, section 3.1.1; The .xz File Format 1.2, section
3.4). Pieces of the image are compressed in parallel, each as a frame or stream of its own.
"""

import itertools
import lzma
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import cache
from pathlib import Path
from typing import IO

import zstandard

from image.atomic_files import settle, writing
from image.progress import step

PIECE = 1 << 25
"""Bytes of a frame or stream: several times the window of either format."""

ZSTD_LEVEL = 12
XZ_LEVEL = 6
"""Higher levels take several times as long, or more memory to decompress, and save little."""


class Kind(Enum):
    """A compressed format, by the end of its file name."""

    ZSTD = ".zst"
    XZ = ".xz"


def compress(image: Path, output: Path) -> None:
    """Compress the file at `image` into `output`, in the format that the end of that name says.

    Raises Refusal; an older `output` then stays.
    """
    kind = Kind(output.suffix)
    part = output.with_name(f".{output.name}.{os.getpid()}")
    with writing(output):
        try:
            with (
                image.open("rb") as source,
                part.open("xb") as into,
                step(f"Compress {output.name}", os.fstat(source.fileno()).st_size) as advance,
            ):
                for length, data in _compressed(source, kind):
                    into.write(data)
                    advance(length)
            settle(part, output)
        finally:
            part.unlink(missing_ok=True)


def _compressed(source: IO[bytes], kind: Kind) -> Iterator[tuple[int, bytes]]:
    """Yield how many bytes were read and what they became. A piece of zeros is compressed once."""
    compressor = _COMPRESSORS[kind]
    zeros, processors, pieces = bytes(PIECE), os.cpu_count() or 1, _pieces(source)
    zero_piece = cache(lambda: compressor(zeros))

    def compressed(data: bytes) -> bytes:
        return zero_piece() if data == zeros else compressor(data)

    with ThreadPoolExecutor(processors) as threads:
        while some := list(itertools.islice(pieces, processors)):
            yield from zip(map(len, some), threads.map(compressed, some), strict=True)


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    """Yield at least one piece, even of an empty file."""
    yield source.read(PIECE)
    while data := source.read(PIECE):
        yield data


def _zstd(data: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        ZSTD_LEVEL, write_checksum=True, write_content_size=True
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def _xz(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_SHA256, preset=XZ_LEVEL)


_COMPRESSORS = {Kind.ZSTD: _zstd, Kind.XZ: _xz}
