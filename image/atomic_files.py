"""Write a file whole or not at all (temporary name, fsync, rename), and pieces of one whole."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstboot.core.refusal import Refusal


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError from writing at `path` into a Refusal."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise Refusal(
            path,
            f"{'no room to write' if full else 'cannot be written'}: {error.strerror or error}",
            "Free some space there, or raise its limit, and run the same command again"
            if full
            else "Correct the path or its permissions and run the same command again",
        ) from error


def replace(path: Path, data: bytes) -> None:
    """Make `data` the content of `path`. Raises Refusal, and then leaves `path` as it was."""
    part = path.with_name(f".{path.name}.new")
    with writing(path):
        try:
            part.write_bytes(data)
            settle(part, path)
        finally:
            part.unlink(missing_ok=True)


def settle(part: Path, path: Path) -> None:
    """Rename the finished file `part` to `path` so that a power cut loses neither of the two."""
    with writing(path):
        sync(part)
        part.replace(path)
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the file or folder at `path` is on the disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def place(file: int, offset: int, data: bytes) -> None:
    """Write all of `data` into the open file descriptor `file`, `offset` bytes from its start."""
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
