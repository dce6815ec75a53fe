"""Open a verified file again only if it has not changed.

The bytes that are unpacked must be those that were hashed: the code that verifies a file remembers
its identity (device, inode, size, time of change of content and of inode), and `reopen` refuses a
file that has changed. An open descriptor would guarantee less, because the file behind it can be
overwritten. Neither protects against somebody who runs as the same user during a build.
"""

import os
import stat
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from firstboot.core.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Identity:
    """Tells a file from another one at the same path, and from its own earlier content."""

    device: int
    inode: int
    size: int
    changed_ns: tuple[int, int]

    @classmethod
    def of(cls, file: FileIO) -> "Identity":
        facts = os.fstat(file.fileno())
        changed = (facts.st_mtime_ns, facts.st_ctime_ns)
        return cls(facts.st_dev, facts.st_ino, facts.st_size, changed)


def reopen(path: Path, identity: Identity) -> FileIO:
    """Open the file that was verified. Raises Refusal if it has changed since."""
    file = open_regular(path)
    if Identity.of(file) != identity:
        file.close()
        raise Refusal(
            path,
            "the file was changed or replaced after it had been verified",
            "Leave the file alone while the image is built, and start again",
        )
    return file


def read_regular(path: Path, largest: int, remedy: str = "Name another file") -> bytes:
    """Read a regular file of at most `largest` bytes. Raises Refusal, with `remedy` for more."""
    with open_regular(path) as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise Refusal(path, f"larger than {largest} bytes", remedy)
    return data


def open_regular(path: Path) -> FileIO:
    """Open a regular file; reading anything else could block for ever. Raises Refusal."""
    try:
        file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
        found = "something that is no regular file"
    except OSError as error:
        found = error.strerror or str(error)
    raise Refusal(path, f"cannot be read: {found}", "Check the path and its permissions")
