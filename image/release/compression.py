"""An image compressed for those who fetch it: zstd, which is quick, and xz, which is small.

The same image gives the same bytes: no time, no name and no number of processors is in them. Both
carry check sums of what they hold (RFC 8878, section 3.1.1; The .xz File Format 1.2, section 3.4).
"""

import lzma
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import zstandard

from image.progress import step
from image.writing import settle, writing

CHUNK = 1 << 20
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
                press, finish = _compressor(kind, os.fstat(source.fileno()).st_size)
                while data := source.read(CHUNK):
                    into.write(press(data))
                    tell(len(data))
                into.write(finish())
            settle(part, output)
        finally:
            part.unlink(missing_ok=True)


def _compressor(kind: Kind, size: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if kind is Kind.ZSTD:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL, write_checksum=True, write_content_size=True
        )
        zstd = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
        return zstd.compress, zstd.flush
    xz = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_SHA256, preset=XZ_LEVEL)
    return xz.compress, xz.flush
