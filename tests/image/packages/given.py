"""Packages as if a repository had given them and they were verified."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from image.packages.catalogue import Listed
from image.packages.checksum import Checksum, Kind
from image.packages.contents import Contents, unpack
from image.packages.manifest import parse_package
from tests.image.packages.repository import Made


@dataclass(frozen=True)
class Given:
    """A package file, said to be `listed`."""

    path: Path
    listed: Listed
    provenance: str = "made by a test"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def open(self) -> IO[bytes]:
        return self.path.open("rb")


def given(folder: Path, made: Made, archive: bytes | None = None) -> Given:
    """`made` as a file in `folder`, or `archive` in its place."""
    data = made.archive() if archive is None else archive
    folder.mkdir(exist_ok=True)
    path = folder / f"{made.full_name}.pkg"
    path.write_bytes(data)
    package = parse_package(made.compact(), "the catalogue")
    return Given(path, Listed(package, made.path, Checksum.of(Kind.SHA256, data), len(data)))


def fixture(path: Path) -> Given:
    """The package file at `path`, whose name says what it is."""
    name, _, version = path.stem.rpartition("-")
    package = parse_package({"name": name, "version": version, "origin": f"misc/{name}"}, "test")
    with path.open("rb") as file:
        total = Checksum.of(Kind.SHA256, file)
    return Given(path, Listed(package, f"All/{path.name}", total, path.stat().st_size))


def unpacked(folder: Path, made: Made) -> Contents:
    """`made`, unpacked into a cache in `folder`."""
    return unpack(given(folder / "given", made), folder / "cache")
