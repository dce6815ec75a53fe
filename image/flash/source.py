"""An image to read from: a plain file, or one compressed with xz or zstd."""

import lzma
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from firstboot.core.refusal import Refusal
from image import gpt
from image.atomic_files import writing
from image.fat import Piece
from image.flash.blockmap import BLOCK, BlockMap, held, survey
from image.flash.spans import Span, total, union
from image.layout import Layout
from image.progress import Advance, step

CHUNK = 1 << 20

XZ = b"\xfd7zXZ\0"
ZSTD = b"\x28\xb5\x2f\xfd"
"""What compressed files begin with: The .xz File Format 1.2, 2.1.1.1; RFC 8878, 3.1.1."""

SLICE = 1024
"""Bytes of zstd at a time, which four of can mean 128 KiB of zeros (RFC 8878, 3.1.1.2.2)."""

LARGEST = 1 << 40
"""Bytes; what says to be larger once it is decompressed is no image."""


class Image:
    """An image that is open, with pieces laid over it."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self._descriptor = file.fileno()
        self.size = os.fstat(self._descriptor).st_size
        self._pieces: list[Piece] = []
        self.disk = self._layout()

    def read(self, at: int, length: int) -> bytes:
        """`length` bytes from `at` on. Raises Refusal if the image has become shorter."""
        data = bytearray(os.pread(self._descriptor, length, at))
        if len(data) != length:
            raise self._broken(f"{self.size} bytes", "fewer")
        for place, piece in self._pieces:
            first, end = max(at, place), min(at + length, place + len(piece))
            if first < end:
                data[first - at : end - at] = piece[first - place : end - place]
        return bytes(data)

    def lay_over(self, pieces: Sequence[Piece]) -> None:
        self._pieces = sorted([*self._pieces, *pieces])

    def map(self) -> BlockMap:
        spans: list[Span] = list(held(self._descriptor, self.size))
        for place, piece in self._pieces:
            end = place + len(piece)
            spans.append((place - place % BLOCK, min(end + -end % BLOCK, self.size)))
        with step("Read the image", total(spans)) as tell:
            return survey(self.read, self.size, union(spans), self.disk, tell)

    def _layout(self) -> Layout:
        try:
            table = gpt.read(Path(f"/proc/self/fd/{self._descriptor}"))
        except Refusal as refusal:
            raise self._broken(refusal.expected, refusal.found) from refusal
        labels = {one.label for one in table.partitions}
        for label in ("efi", "rootA", "rootB", "cfg"):
            if label not in labels:
                raise self._broken(f"a partition labelled {label}", "none")
        if table.blocks * gpt.BLOCK != self.size:
            raise self._broken(f"{table.blocks * gpt.BLOCK} bytes", f"{self.size}")
        return Layout(table)

    def _broken(self, expected: str, found: str) -> Refusal:
        return Refusal(
            self.name,
            expected=f"an image made by ./exitisp build, whole: {expected}",
            found=found,
            remedy="build or fetch it again",
        )


@contextmanager
def opened(path: Path) -> Iterator[Image]:
    """The image at `path`. Raises Refusal if it is none.

    A compressed one is decompressed into a temporary file, holes kept, so that its check sums are
    verified before a disk is touched.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        file = path.open("rb") if regular else None
    except OSError as error:
        raise Refusal(
            path,
            expected="an image",
            found=error.strerror or str(error),
            remedy="make one: ./exitisp build",
        ) from error
    if file is None:
        raise Refusal(path, expected="an image", found="no file", remedy="name a file")
    with file:
        magic = os.pread(file.fileno(), len(XZ), 0)
        if not magic.startswith((XZ, ZSTD)):
            yield Image(str(path), file)
            return
        with writing(Path(tempfile.gettempdir())):
            spool = tempfile.TemporaryFile()  # noqa: SIM115
        with spool:
            with step(f"Decompress {path.name}", os.fstat(file.fileno()).st_size) as tell:
                _spool(path, _Told(file, tell), spool, magic.startswith(XZ))
            yield Image(str(path), cast(IO[bytes], spool))


class _Told:
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], tell: Advance) -> None:
        self._file = file
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._tell(len(data))
        return data


def _spool(path: Path, file: _Told, spool: IO[bytes], xz: bool) -> None:
    zeros = bytes(CHUNK)
    size = 0
    try:
        for chunk in _unxz(file) if xz else _unzstd(file):
            if size + len(chunk) > LARGEST:
                raise ValueError("there is no end to it")
            with writing(Path(tempfile.gettempdir())):
                for at in range(0, len(chunk), BLOCK):
                    block = chunk[at : at + BLOCK]
                    if block != zeros[: len(block)]:
                        os.pwrite(spool.fileno(), block, size + at)
            size += len(chunk)
        with writing(Path(tempfile.gettempdir())):
            os.ftruncate(spool.fileno(), size)
    except (lzma.LZMAError, zstandard.ZstdError, EOFError, ValueError) as error:
        raise Refusal(
            path,
            expected="a whole image, compressed with xz or zstd",
            found=f"a damaged one ({error})",
            remedy="fetch it again",
        ) from error


def _unxz(file: _Told) -> Iterator[bytes]:
    with lzma.open(cast(IO[bytes], file)) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _unzstd(file: _Told) -> Iterator[bytes]:
    """All frames of a file. Raises EOFError if the last one is cut."""
    decompressor = None
    while read := file.read(CHUNK):
        for at in range(0, len(read), SLICE):
            data = read[at : at + SLICE]
            while data:
                if decompressor is None or decompressor.eof:
                    decompressor = zstandard.ZstdDecompressor().decompressobj()
                yield decompressor.decompress(data)
                data = decompressor.unused_data if decompressor.eof else b""
    if decompressor is None or not decompressor.eof:
        raise EOFError("it ends early")
