"""The files of a Debian package: a tar archive inside an ar archive (deb(5))."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstboot.core.refusal import Refusal

MAGIC = b"!<arch>\n"
HEADER = 60
"""Bytes of the header before each member (ar(5)): name, time, ids, mode, the size in decimal at
byte 48, and an end mark."""

END = b"`\n"


@dataclass(frozen=True, slots=True)
class Deb:
    """The package in the file `path`, as an `image.archive.Source`."""

    path: Path

    def open(self) -> IO[bytes]:
        """Return the package's files as a compressed tar archive. Raises Refusal for anything but a
        package."""
        return io.BytesIO(member(self.path.read_bytes(), "data.tar", self.path))


def member(archive: bytes, prefix: str, subject: object) -> bytes:
    """Return the first member of an ar archive whose name begins with `prefix`. Raises Refusal."""
    at = len(MAGIC)
    while archive.startswith(MAGIC) and at + HEADER <= len(archive):
        header = archive[at : at + HEADER]
        size = header[48:58].strip()
        if header[58:] != END or not size.isdigit():
            break
        end = at + HEADER + int(size)
        if end > len(archive):
            break
        if header[:16].decode("ascii", "replace").startswith(prefix):
            return archive[at + HEADER : end]
        at = end + end % 2
    raise Refusal(
        subject,
        f"this is not a Debian package with a {prefix}, or it is damaged",
        "Remove the file and run the same command again",
    )
