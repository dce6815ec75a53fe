"""SHA-256 of large files, several at once: hashlib lets go of the interpreter's lock."""

import hashlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path

from image import progress

CHUNK = 1 << 20
"""Bytes read at a time."""


def sha256(files: Mapping[Path, FileIO]) -> dict[Path, str]:
    """The digests of open files, in hexadecimal, each read from its beginning to its end.

    Progress goes to standard error under the files' names.
    """
    stop = threading.Event()
    counting = threading.Lock()

    def hash_one(file: FileIO) -> str:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(CHUNK))
        file.seek(0)
        while (length := file.readinto(buffer)) and not stop.is_set():
            digest.update(buffer[:length])
            with counting:
                advance(length)
        return digest.hexdigest()

    names = (path.name.removeprefix(".").removesuffix(".part") for path in files)
    title = "hash " + " and ".join(names)
    total = sum(file.seek(0, 2) for file in files.values())
    with progress.step(title, total) as advance, ThreadPoolExecutor(len(files)) as threads:
        try:
            return dict(zip(files, threads.map(hash_one, files.values()), strict=True))
        finally:
            stop.set()
