"""What a package file says of itself, without unpacking it: its first member."""

from pathlib import Path
from typing import IO, Protocol

from image.packages import bounded_tar
from image.packages.manifest import Package, parse_object, parse_package

NAME = "+COMPACT_MANIFEST"

LARGEST = 1 << 22
"""Bytes."""


class Source(Protocol):
    """A package file, and a way to open what was verified there."""

    @property
    def path(self) -> Path: ...

    def open(self) -> IO[bytes]: ...


def read_package(source: Source) -> Package:
    """The compact manifest of a package. Raises Refusal if that is not the first member."""
    where = source.path.name
    with source.open() as raw, bounded_tar.members(raw, where) as members:
        name, size, content = next(members, ("nothing", 0, raw))
        if name != NAME or size > LARGEST:
            raise bounded_tar.refusal(
                where, f"its first member is {name}, not {NAME} of at most {LARGEST} bytes"
            )
        return parse_package(parse_object(content.read(size), f"{where}: {NAME}"), where)
