"""Folders that are gone with the process that made them, however it ends."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from firstboot.box.host import SEARCH


@contextlib.contextmanager
def working_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that root alone can read, in `parent` or where temporary files are.

    A process of its own waits for the end of a pipe, which comes with the end of this process, and
    removes the folder then. Raises OSError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="exitisp-", dir=parent) as name,
        subprocess.Popen(
            ["/bin/sh", "-c", 'cat; exec rm -rf -- "$0"', name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={"PATH": SEARCH},
        ),
    ):
        yield Path(name)
