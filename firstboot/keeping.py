"""Writing what has to survive a power cut: a file is the old one or the new one, never a part."""

import os
from pathlib import Path


def keep(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make `data` the content of `path`, on the disk when this returns. Raises OSError, and then
    `path` is what it was."""
    part = path.with_name(f".{path.name}.new")
    write(part, data, mode)
    part.replace(path)
    settle(path.parent)


def write(path: Path, data: bytes, mode: int) -> None:
    """Write `path` anew and wait until the disk has what is in it; its name may still be lost."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def settle(folder: Path) -> None:
    """Wait until the disk has the names in `folder`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
