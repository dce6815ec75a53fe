"""Opens an image: a plain file, or one compressed with xz or zstd."""

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
from image.flash.blockmap import BLOCK, BlockMap, allocated_spans, map_blocks
from image.flash.spans import Span, total, union
from image.layout import Layout
from image.progress import Advance, step

CHUNK = 1 << 20

XZ = b"\xfd7zXZ\0"
ZSTD = b"\x28\xb5\x2f\xfd"
"""The first bytes of compressed files: The .xz File Format 1.2, 2.1.1.1; RFC 8878, 3.1.1."""

SLICE = 1024
"""Bytes of zstd that are decompressed at a time. Four bytes can stand for 128 KiB of zeros (RFC
8878, 3.1.1.2.2), so a small slice bounds the memory."""

LARGEST = 1 << 40
"""Bytes. A file that decompresses to more than this is not an image."""


class Image:
    """An open image, with pieces that replace some of its bytes."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self._descriptor = file.fileno()
        self.size = os.fstat(self._descriptor).st_size
        self._pieces: list[Piece] = []
        self.disk = self._layout()

    def read(self, at: int, length: int) -> bytes:
        """Return `length` bytes from `at` on. Raises Refusal if the file has become shorter."""
        data = bytearray(os.pread(self._descriptor, length, at))
        if len(data) != length:
            raise self._broken(f"it had {self.size} bytes and has become shorter")
        for place, piece in self._pieces:
            first, end = max(at, place), min(at + length, place + len(piece))
            if first < end:
                data[first - at : end - at] = piece[first - place : end - place]
        return bytes(data)

    def patch(self, pieces: Sequence[Piece]) -> None:
        self._pieces = sorted([*self._pieces, *pieces])

    def block_map(self) -> BlockMap:
        spans: list[Span] = list(allocated_spans(self._descriptor, self.size))
        for place, piece in self._pieces:
            end = place + len(piece)
            spans.append((place - place % BLOCK, min(end + -end % BLOCK, self.size)))
        with step("Read the image", total(spans)) as tell:
            return map_blocks(self.read, self.size, union(spans), self.disk, tell)

    def _layout(self) -> Layout:
        try:
            table = gpt.read(Path(f"/proc/self/fd/{self._descriptor}"))
        except Refusal as refusal:
            raise self._broken(refusal.problem) from refusal
        labels = {one.label for one in table.partitions}
        for label in ("efi", "rootA", "rootB", "cfg"):
            if label not in labels:
                raise self._broken(f"it has no partition labelled {label}")
        if table.blocks * gpt.BLOCK != self.size:
            raise self._broken(
                f"it has {self.size} bytes, and its partition table is for "
                f"{table.blocks * gpt.BLOCK}"
            )
        return Layout(table)

    def _broken(self, problem: str) -> Refusal:
        return Refusal(
            self.name,
            f"this is not a whole image made by ./exitisp build: {problem}",
            "Build or fetch the image again",
        )


@contextmanager
def open_image(path: Path) -> Iterator[Image]:
    """Open the image at `path`. Raises Refusal if it is not an image.

    A compressed image is first decompressed into a temporary file, where holes stay holes. So its
    checksums are verified before a disk is touched.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        file = path.open("rb") if regular else None
    except OSError as error:
        raise Refusal(
            path,
            f"the image cannot be read: {error.strerror or error}",
            "Make one with ./exitisp build",
        ) from error
    if file is None:
        raise Refusal(path, "this is not a file", "Name the file of an image")
    with file:
        magic = os.pread(file.fileno(), len(XZ), 0)
        if not magic.startswith((XZ, ZSTD)):
            yield Image(str(path), file)
            return
        with writing(Path(tempfile.gettempdir())):
            spool = tempfile.TemporaryFile()  # noqa: SIM115
        with spool:
            with step(f"Decompress {path.name}", os.fstat(file.fileno()).st_size) as tell:
                _decompress(path, _ProgressReader(file, tell), spool, magic.startswith(XZ))
            yield Image(str(path), cast(IO[bytes], spool))


class _ProgressReader:
    """A file that reports how much of it was read."""

    def __init__(self, file: IO[bytes], tell: Advance) -> None:
        self._file = file
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._tell(len(data))
        return data


def _decompress(path: Path, file: _ProgressReader, spool: IO[bytes], xz: bool) -> None:
    zeros = bytes(CHUNK)
    size = 0
    try:
        for chunk in _unxz(file) if xz else _unzstd(file):
            if size + len(chunk) > LARGEST:
                raise ValueError(f"it has more than {LARGEST >> 30} GiB")
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
            f"the compressed image is damaged ({error})",
            "Fetch it again",
        ) from error


def _unxz(file: _ProgressReader) -> Iterator[bytes]:
    with lzma.open(cast(IO[bytes], file)) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _unzstd(file: _ProgressReader) -> Iterator[bytes]:
    """Yield the content of all frames of a file. Raises EOFError if the last frame is cut off."""
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
