"""An image compressed for those who fetch it: zstd, which is quick, and xz, which is small.

The same image gives the same bytes: no time, no name and no number of processors is in them. Both
carry check sums of what they hold (RFC 8878, section 3.1.1; The .xz File Format 1.2, section 3.4).
Both are slow, so pieces of the image are compressed at once, each a frame or a stream of its own.
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
"""Bytes of a frame or a stream: several times the dictionary of either."""

ZSTD_LEVEL = 12
XZ_LEVEL = 6
"""The higher ones take several times as long, or more memory to decompress, and gain little."""


class Kind(Enum):
    """By the end of its name."""

    ZSTD = ".zst"
    XZ = ".xz"


def compress(image: Path, output: Path) -> None:
    """Compress the file at `image` into `output`, as the end of that name says.

    Raises Refusal, and then what was there is as it was.
    """
    kind = Kind(output.suffix)
    part = output.with_name(f".{output.name}.{os.getpid()}")
    with writing(output):
        try:
            with (
                image.open("rb") as source,
                part.open("xb") as into,
                step(f"Compress {output.name}", os.fstat(source.fileno()).st_size) as tell,
            ):
                for length, data in _compressed(source, kind):
                    into.write(data)
                    tell(length)
            settle(part, output)
        finally:
            part.unlink(missing_ok=True)


def _compressed(source: IO[bytes], kind: Kind) -> Iterator[tuple[int, bytes]]:
    """How much was read, and what it became; pieces of zeros are compressed once."""
    press = _PRESSES[kind]
    zeros, processors, pieces = bytes(PIECE), os.cpu_count() or 1, _pieces(source)
    nothing = cache(lambda: press(zeros))

    def pressed(data: bytes) -> bytes:
        return nothing() if data == zeros else press(data)

    with ThreadPoolExecutor(processors) as threads:
        while some := list(itertools.islice(pieces, processors)):
            yield from zip(map(len, some), threads.map(pressed, some), strict=True)


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    """At least one."""
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


_PRESSES = {Kind.ZSTD: _zstd, Kind.XZ: _xz}
