"""Read tar archives of unknown origin with limits: their author decides how large they get.

They are compressed with zstd or xz, or not at all, as their first bytes tell.
"""

import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import zstandard

from firstboot.core.refusal import Refusal

LARGEST = 1 << 30
"""Bytes that one archive may have when decompressed."""

MEMORY = 1 << 28
"""Bytes of memory that a decompressor may need."""

_ZSTD, _XZ, _TAR = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"ustar"


@contextmanager
def members(raw: IO[bytes], where: str) -> Iterator[Iterator[tuple[str, int, IO[bytes]]]]:
    """Yield name, size and content of each regular file in the archive `raw`, in order.

    `where` names the archive in refusals. Raises Refusal for an archive that is damaged or too
    large.
    """
    try:
        with (
            _decompressed(raw, where) as stream,
            tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream, where)), mode="r|") as tar,
        ):
            yield _regular(tar)
    except (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, EOFError, ValueError) as error:
        raise refusal(
            where, f"this is not a whole tar archive (zstd, xz or plain): {error}"
        ) from error


def _regular(tar: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for info in tar:
        if info.isreg() and not info.issparse():
            content = tar.extractfile(info)
            assert content
            yield info.name, info.size, content


def _decompressed(raw: IO[bytes], where: str) -> IO[bytes]:
    head = raw.read(512)
    raw.seek(0)
    if head.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor(max_window_size=MEMORY).stream_reader(
            raw, read_across_frames=True
        )
        return cast(IO[bytes], reader)
    if head.startswith(_XZ):
        return cast(IO[bytes], lzma.LZMAFile(raw))
    if head[257:262] == _TAR:
        return raw
    raise refusal(where, "this is not a tar archive, compressed with zstd or xz or not at all")


class _Bounded:
    """Reads from a decompressor. Raises Refusal after LARGEST bytes."""

    def __init__(self, raw: IO[bytes], where: str) -> None:
        self._raw = raw
        self._where = where
        self._left = LARGEST

    def read(self, size: int) -> bytes:
        data = self._raw.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise refusal(self._where, f"it has more than {LARGEST} bytes when decompressed")
        return data


def refusal(where: str, problem: str) -> Refusal:
    """Return the refusal of an archive of a repository."""
    return Refusal(
        where,
        problem,
        "Fetch it again. If that does not help, do not use this repository",
    )
