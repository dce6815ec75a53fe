"""What a package file says of itself, without unpacking it: its first member."""

from io import BytesIO
from pathlib import Path
from typing import IO, Protocol

from firstboot.core import tar
from firstboot.core.limits import COMPACT_MANIFEST, SET, UNPACKED_PACKAGE
from image.packages import bounded_tar
from image.packages.manifest import Package, parse_object, parse_package

NAME = "+COMPACT_MANIFEST"


class Source(Protocol):
    """A package file, and a way to open what was verified there."""

    @property
    def path(self) -> Path: ...

    def open(self) -> IO[bytes]: ...


def read_package(source: Source) -> Package:
    """The compact manifest of a package. Raises Refusal if that is not the first member."""
    where = source.path.name
    with (
        source.open() as raw,
        bounded_tar.members(raw, where, SET, UNPACKED_PACKAGE) as members,
    ):
        name, size, content = next(members, ("nothing", 0, BytesIO()))
        most = COMPACT_MANIFEST.size
        if name != NAME or size > most:
            raise bounded_tar.refusal(
                where, f"its first member is {name}, not {NAME} of at most {most} bytes"
            )
        facts = parse_object(tar.whole(content), f"{where}: {NAME}", COMPACT_MANIFEST)
        return parse_package(facts, where)
