"""A cache of things that take long to make. Each is a folder, and is verified whenever it is taken.

A folder's name is a hash of everything that decides its content, so it is never out of date, only
unused. Beside its files lies `contents.json`: {"files": {path: [mode, SHA-256 in hexadecimal]},
"facts": ...}.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.atomic_files import writing

CONTENTS = "contents.json"

UNUSED_DAYS = 14
"""A folder that was not used for this long is removed."""

OF_A_KIND = 6
"""Of the folders whose names are alike up to the last hyphen this many are kept: those that were
used last."""

Files = dict[str, tuple[int, str]]
"""The files of a folder: path -> mode (07777) and SHA-256 in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of the cache: its files, and the facts that were stored with it."""

    folder: Path
    files: Files
    facts: Mapping[str, Any]


def key(*parts: object) -> str:
    """Return a name for something that is decided by `parts`."""
    text = "\n".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def take(place: Path) -> Kept | None:
    """Return what is cached at `place`. Returns None if nothing is there, or if it was changed;
    then it is removed."""
    try:
        told = json.loads((place / CONTENTS).read_bytes())
        files = {path: (int(mode), str(sha256)) for path, (mode, sha256) in told["files"].items()}
        if files == listing(place):
            os.utime(place / CONTENTS)
            return Kept(place, files, told["facts"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    shutil.rmtree(place, ignore_errors=True)
    return None


@contextmanager
def making(place: Path) -> Iterator[Path]:
    """Return a working folder beside `place`. It is removed at the end, unless it was `put`."""
    with writing(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(place.parent)
        work = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put(made: Path, place: Path, facts: Mapping[str, Any]) -> Kept:
    """Move the folder `made`, with `facts`, to `place`. If another process put the same there
    meanwhile, that one stays. Raises Refusal if it cannot be written."""
    files = listing(made)
    with writing(place):
        text = json.dumps({"files": files, "facts": facts}, indent=1, sort_keys=True)
        (made / CONTENTS).write_text(text)
        try:
            made.rename(place)
        except OSError:
            if (kept := take(place)) is not None:
                return kept
            made.rename(place)
    return Kept(place, files, json.loads(text)["facts"])


def listing(folder: Path) -> Files:
    """Return every file below `folder`. Raises ValueError for anything but files and folders."""
    files: Files = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) or path == folder / CONTENTS:
            continue
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path} is no regular file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[str(path.relative_to(folder))] = (stat.S_IMODE(mode), digest)
    return files


def _remove_unused(cache: Path) -> None:
    oldest = time.time() - UNUSED_DAYS * 86400
    kinds: dict[str, list[tuple[float, Path]]] = {}
    for place in cache.iterdir():
        try:
            marked = place / CONTENTS
            used = (marked if marked.exists() else place).stat().st_mtime
        except OSError:
            continue
        if not place.is_dir():
            continue
        if used < oldest:
            shutil.rmtree(place, ignore_errors=True)
        elif not place.name.startswith("."):
            kinds.setdefault(place.name.rpartition("-")[0], []).append((used, place))
    for kind in kinds.values():
        for _, place in sorted(kind, reverse=True)[OF_A_KIND:]:
            shutil.rmtree(place, ignore_errors=True)
