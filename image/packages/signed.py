"""Signed archives: a catalogue, with the signatures and public keys that vouch for it.

A tar archive, compressed with zstd or xz or not at all, with the members ``NAME.sig``,
``NAME.pub`` and the data. Whoever offers it decides how large it becomes, so that every size has
a limit. Source: libpkg's pkg_repo.c, whose limits these are.
"""

import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO, cast

import zstandard

from firstboot.refusal import Refusal
from image.packages.trust import Signature

LARGEST = 1 << 30
"""Bytes of an archive when it is decompressed."""

LARGEST_SIGNATURE = 1 << 20
"""Bytes of a signature or key."""

MOST_SIGNATURES = 8
"""Members that are signatures or keys."""

MEMORY = 1 << 28
"""Bytes that a decompressor may need."""

_ZSTD, _XZ = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"


@dataclass(frozen=True, slots=True)
class Signed:
    """The data of a signed archive, nothing verified."""

    data: bytes
    signatures: tuple[Signature, ...]


def read(archive: bytes, member: str, where: str) -> Signed:
    """The data called `member` in `archive`, and what signs it. `where` is what the refusals call
    the archive. Raises Refusal."""
    data: bytes | None = None
    parts: dict[tuple[str, str], bytes] = {}
    with _members(archive, where) as members:
        for name, size, content in members:
            stem, _, ending = name.rpartition(".")
            if name == member:
                if data is not None:
                    raise _refusal(where, f"one {member}", "two")
                data = content.read(size)
            elif ending in ("sig", "pub"):
                if size > LARGEST_SIGNATURE:
                    raise _refusal(
                        f"{where}: {name}", f"at most {LARGEST_SIGNATURE} bytes", f"{size}"
                    )
                parts[stem, ending] = content.read(size)
                if len(parts) > MOST_SIGNATURES:
                    raise _refusal(where, f"at most {MOST_SIGNATURES} signatures and keys", "more")
    if data is None:
        raise _refusal(where, f"a member {member}", "none")
    stems = dict.fromkeys(stem for stem, _ in parts)
    for stem in stems:
        for ending in ("sig", "pub"):
            if (stem, ending) not in parts:
                raise _refusal(where, f"{stem}.{ending} beside the other of the two", "none")
    return Signed(
        data,
        tuple(Signature.of(stem, parts[stem, "sig"], parts[stem, "pub"]) for stem in stems),
    )


@contextmanager
def _members(archive: bytes, where: str) -> Iterator[Iterator[tuple[str, int, IO[bytes]]]]:
    """Name, size and content of each regular file in `archive`, in order."""
    try:
        with (
            _decompressed(archive, where) as raw,
            tarfile.open(fileobj=cast(IO[bytes], _Bounded(raw, where)), mode="r|") as tar,
        ):
            yield _regular(tar)
    except (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, EOFError, ValueError) as error:
        raise _refusal(
            where, "a whole tar archive (zstd, xz or plain)", f"a damaged one ({error})"
        ) from error


def _regular(tar: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for info in tar:
        if info.isreg() and not info.issparse():
            content = tar.extractfile(info)
            assert content
            yield info.name, info.size, content


def _decompressed(archive: bytes, where: str) -> IO[bytes]:
    if archive.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor(max_window_size=MEMORY).stream_reader(
            archive, read_across_frames=True
        )
        return cast(IO[bytes], reader)
    if archive.startswith(_XZ):
        return cast(IO[bytes], lzma.LZMAFile(BytesIO(archive)))
    if archive[257:262] == b"ustar":
        return BytesIO(archive)
    raise _refusal(
        where, "a tar archive, compressed with zstd or xz or not at all", "something else"
    )


class _Bounded:
    """The reading end of a decompressor, which may give LARGEST bytes and no more."""

    def __init__(self, raw: IO[bytes], where: str) -> None:
        self._raw = raw
        self._where = where
        self._left = LARGEST

    def read(self, size: int) -> bytes:
        data = self._raw.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _refusal(self._where, f"at most {LARGEST} bytes when decompressed", "more")
        return data


def _refusal(where: str, expected: str, found: str) -> Refusal:
    return Refusal(
        where,
        expected=expected,
        found=found,
        remedy="fetch it again; if that does not help, do not use this repository",
    )
