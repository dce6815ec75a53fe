"""Reads the small tar archives of a repository: catalogues, and what a package says of itself.

They are compressed with zstd or xz, or not at all, as their first bytes tell.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from firstboot.core import tar
from firstboot.core.damaged import Damaged
from firstboot.core.limits import Tar, Unpacked
from firstboot.core.refusal import Refusal
from image import decompress
from image.decompress import Reader


@contextmanager
def members(
    raw: IO[bytes], where: str, bounds: Tar, unpacked: Unpacked
) -> Iterator[Iterator[tuple[str, int, tar.Content]]]:
    """Yield name, size and content of each regular file in the archive `raw`, in order.

    `where` names the archive in refusals. Raises Refusal for an archive that is damaged or goes
    beyond `bounds` or `unpacked`.
    """
    head = raw.read(decompress.LONGEST_MAGIC)
    raw.seek(0)
    try:
        stream = Reader(decompress.chunks(raw, decompress.packing(head), unpacked))
        yield _regular(tar.members(stream, bounds))
    except Damaged as error:
        raise refusal(
            where, f"this is not a whole tar archive (zstd, xz or plain): {error}"
        ) from error


def _regular(
    found: Iterator[tuple[tar.Header, tar.Content]],
) -> Iterator[tuple[str, int, tar.Content]]:
    for header, content in found:
        if header.type == tar.FILE:
            yield header.name, header.size, content


def refusal(where: str, problem: str) -> Refusal:
    """Return the refusal of an archive of a repository."""
    return Refusal(
        where,
        problem,
        "Fetch it again. If that does not help, do not use this repository",
    )
