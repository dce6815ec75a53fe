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
    """A Python for the target."""

    @property
    def name(self) -> str:
        """What a person knows it by."""

    def digest(self) -> str:
        """Stands for all of it that a freeze reads."""

    def prefix(self, work: Path) -> Path:
        """A folder with `lib/libpythonX.Y.so.1.0` and `lib/pythonX.Y`; `work` is a folder to make
        it in, if need be."""


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
                    expected="a prefix, with the folder lib",
                    found="none",
                    remedy="name the folder that is /usr/local on the target",
                )
            for path in sorted({*stdlib.rglob("*.py"), *stdlib.rglob("*.so"), *lib.glob("*.so*")}):
                data = path.read_bytes()
                digest.update(f"{path.relative_to(lib)}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    def prefix(self, work: Path) -> Path:
        return self.folder


@dataclass(frozen=True, slots=True)
class Packages:
    """Python's package and those of the libraries that it is linked to."""

    archives: tuple[Archive, ...]

    @property
    def name(self) -> str:
        return ", ".join(one.path.name for one in self.archives)

    def digest(self) -> str:
        return unpacking.digest(self.archives)

    def prefix(self, work: Path) -> Path:
        unpacking.unpack(self.archives, work)
        return work
