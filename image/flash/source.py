"""Opens an image: a plain file, or one compressed with xz or zstd."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from firstboot.core.damaged import Damaged
from firstboot.core.limits import UNPACKED_IMAGE
from firstboot.core.refusal import Refusal
from image import decompress, gpt
from image.atomic_files import writing
from image.decompress import Packing
from image.fat import Piece
from image.flash.blockmap import BLOCK, BlockMap, allocated_spans, map_blocks
from image.flash.spans import Span, total, union
from image.layout import Layout
from image.progress import step


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
        return not_an_image(self.name, problem)


@contextmanager
def open_image(path: Path, check_size: Callable[[int], object] = lambda _: None) -> Iterator[Image]:
    """Open the image at `path`. Raises Refusal if it is not an image.

    A compressed image is first decompressed into a temporary file, where holes stay holes. So its
    checksums are verified before a disk is touched. `check_size` is called with its size as soon as
    that is known.
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
        how = decompress.packing(os.pread(file.fileno(), decompress.LONGEST_MAGIC, 0))
        if how not in (Packing.XZ, Packing.ZSTD):
            image = Image(str(path), file)
            check_size(image.size)
            yield image
            return
        with writing(Path(tempfile.gettempdir())):
            spool = tempfile.TemporaryFile()  # noqa: SIM115
        with spool:
            with step(f"Decompress {path.name}", os.fstat(file.fileno()).st_size) as tell:
                chunks = decompress.chunks(file, how, UNPACKED_IMAGE, tell)
                _spool(path, chunks, spool.fileno(), check_size)
            yield Image(str(path), cast(IO[bytes], spool))


def _spool(
    path: Path, chunks: Iterator[bytes], spool: int, check_size: Callable[[int], object]
) -> None:
    """Write `chunks` into the file `spool`, without their zeros, and see early how many there may
    be: the image's own table says so."""
    size = 0
    told = UNPACKED_IMAGE.size
    head = b""
    try:
        for chunk in chunks:
            if len(head) < HEAD:
                head += chunk[: HEAD - len(head)]
                if len(head) == HEAD:
                    told = _told_size(path, head)
                    check_size(told)
            if size + len(chunk) > told:
                raise Damaged(f"it has more than the {told} bytes that its partition table is for")
            with writing(Path(tempfile.gettempdir())):
                _place(spool, size, chunk)
            size += len(chunk)
    except Damaged as error:
        raise Refusal(
            path,
            f"the compressed image is damaged ({error})",
            "Fetch it again",
        ) from error
    with writing(Path(tempfile.gettempdir())):
        os.ftruncate(spool, size)


HEAD = 2 * gpt.BLOCK


def _told_size(path: Path, head: bytes) -> int:
    try:
        told = gpt.told_size(head, path)
    except Refusal as refusal:
        raise not_an_image(path, refusal.problem) from refusal
    if told > UNPACKED_IMAGE.size:
        raise Refusal(
            path,
            f"decompressed, it would have {told} bytes, and {UNPACKED_IMAGE.size} are the most",
            "Decompress it yourself, and name the plain image",
        )
    return told


def _place(spool: int, at: int, chunk: bytes) -> None:
    if chunk == _ZEROS[: len(chunk)]:
        return
    for start in range(0, len(chunk), BLOCK):
        block = chunk[start : start + BLOCK]
        if block != _ZEROS[: len(block)]:
            os.pwrite(spool, block, at + start)


_ZEROS = bytes(decompress.CHUNK)


def not_an_image(name: object, problem: str) -> Refusal:
    return Refusal(
        name,
        f"this is not a whole image made by ./exitisp build: {problem}",
        "Build or fetch the image again",
    )
