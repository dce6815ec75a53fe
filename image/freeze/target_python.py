"""Where the target's Python comes from: packages of the target system, or an unpacked prefix."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from firstboot.core.refusal import Refusal
from image.atomic_files import writing
from image.freeze import unpacking
from image.freeze.interpreter import HOST
from image.freeze.unpacking import Archive


class Provided(Protocol):
    """A source of Python for the target."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    def digest(self) -> str:
        """Return a hash of everything that a freeze reads of it."""

    def prefix(self, work: Path) -> Path:
        """Return a folder with `lib/libpythonX.Y.so.1.0` and `lib/pythonX.Y`. It may be made in the
        folder `work`."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A Python that somebody built or unpacked: what is /usr/local on the target."""

    folder: Path

    @property
    def name(self) -> str:
        return str(self.folder)

    def digest(self) -> str:
        lib = self.folder / "lib"
        stdlib = lib / "python{}.{}".format(*HOST)
        digest = hashlib.sha256()
        with writing(self.folder):
            if not lib.is_dir():
                raise Refusal(
                    self.folder,
                    "this is not a prefix: it has no folder lib",
                    "Name the folder that is /usr/local on the target",
                )
            for path in sorted({*stdlib.rglob("*.py"), *stdlib.rglob("*.so"), *lib.glob("*.so*")}):
                data = path.read_bytes()
                digest.update(f"{path.relative_to(lib)}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    def prefix(self, work: Path) -> Path:
        return self.folder


@dataclass(frozen=True, slots=True)
class Packages:
    """The packages of Python and of the libraries that it is linked to."""

    archives: tuple[Archive, ...]

    @property
    def name(self) -> str:
        return ", ".join(one.path.name for one in self.archives)

    def digest(self) -> str:
        return unpacking.digest(self.archives)

    def prefix(self, work: Path) -> Path:
        unpacking.unpack(self.archives, work)
        return work
