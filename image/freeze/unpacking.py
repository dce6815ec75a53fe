"""Unpacks what a freeze needs from packages of the target system: Python and the libraries it
loads.

A package is a tar archive, plain or compressed with zstd or xz, whose members have absolute paths.
Nothing in it is run, and only regular files below /usr/local/lib are taken.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from firstboot.core import tar
from firstboot.core.damaged import Damaged
from firstboot.core.limits import PYTHON, SET, UNPACKED_PACKAGE
from firstboot.core.refusal import Refusal
from image import decompress

PREFIX = "usr/local"

TAKEN = re.compile(
    r"lib/(lib[^/]+\.so\.[0-9.]+"
    r"|python3\.[0-9]+/(?!test/|site-packages/)(?:[^/]+/)*[^/]+\.py"
    r"|python3\.[0-9]+/lib-dynload/[^/]+\.so)"
)


class Archive(Protocol):
    """A package whose content is verified. `sha256` is in hexadecimal."""

    @property
    def path(self) -> Path: ...

    @property
    def sha256(self) -> str: ...

    def open(self) -> IO[bytes]: ...


def unpack(archives: Iterable[Archive], prefix: Path) -> None:
    """Put the files taken from `archives` below `prefix`, where they lie below /usr/local in the
    package.

    Raises Refusal for a package that cannot be read.
    """
    links: dict[Path, str] = {}
    room = PYTHON
    for package in archives:
        try:
            with package.open() as file:
                for header, content in _members(file):
                    path = _taken(header.name)
                    if path is None:
                        continue
                    if header.type == tar.SYMBOLIC_LINK:
                        links[prefix / path] = header.target
                    elif header.type == tar.FILE:
                        room -= header.size
                        if room < 0:
                            raise Damaged(f"its files have more than {PYTHON >> 20} MiB")
                        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
                        with (prefix / path).open("wb") as copy:
                            while data := content.read(tar.CHUNK):
                                copy.write(data)
        except Damaged as error:
            raise Refusal(
                package.path,
                f"this is not a tar archive, or a damaged one: {error}",
                "Fetch the package again",
            ) from error
    for link, target in links.items():
        beside = link.with_name(target.rpartition("/")[2])
        if target == beside.name and beside.is_file() and not link.exists():
            link.write_bytes(beside.read_bytes())


def digest(archives: Iterable[Archive]) -> str:
    """Return a hash of the content of all `archives`."""
    return hashlib.sha256("\n".join(sorted(one.sha256 for one in archives)).encode()).hexdigest()


def _taken(name: str) -> str | None:
    path = name.lstrip("/").removeprefix(f"{PREFIX}/")
    if any(part in ("", ".", "..") for part in path.split("/")):
        return None
    return path if TAKEN.fullmatch(path) else None


def _members(file: IO[bytes]) -> Iterator[tuple[tar.Header, tar.Content]]:
    head = file.read(decompress.LONGEST_MAGIC)
    file.seek(0)
    chunks = decompress.chunks(file, decompress.packing(head), UNPACKED_PACKAGE)
    return tar.members(decompress.Reader(chunks), SET)
