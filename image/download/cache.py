"""The folder in which downloaded sets are kept."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import writing


def cache_folder() -> Path:
    """Return the folder of downloaded sets (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "exitisp" / "sets"


@contextmanager
def alone_in(cache: Path) -> Iterator[None]:
    """Lock the cache folder against other builds; make it if necessary. Raises Refusal."""
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        folder = os.open(cache, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refusal(
                cache,
                "another exitisp is writing to this folder",
                "Wait until it has ended, and start again",
            ) from error
        yield
    finally:
        os.close(folder)
