"""Unpacks what a freeze needs from packages of the target system: Python and the libraries it
loads.

A package is a tar archive, plain or compressed with zstd or xz, whose members have absolute paths.
Nothing in it is run, and only regular files below /usr/local/lib are taken.
"""

import hashlib
import io
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Protocol

import zstandard

from firstboot.core.refusal import Refusal

PREFIX = "usr/local"

TAKEN = re.compile(
    r"lib/(lib[^/]+\.so\.[0-9.]+"
    r"|python3\.[0-9]+/(?!test/|site-packages/)(?:[^/]+/)*[^/]+\.py"
    r"|python3\.[0-9]+/lib-dynload/[^/]+\.so)"
)

LARGEST = 1 << 30
"""Bytes of all files together."""

ZSTD, XZ = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"


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
    room = LARGEST
    for package in archives:
        try:
            with package.open() as file, _tar(file) as archive:
                for member in archive:
                    path = _taken(member.name)
                    if path is None:
                        continue
                    if member.issym():
                        links[prefix / path] = member.linkname
                    elif member.isreg():
                        room -= member.size
                        if room < 0:
                            raise _unreadable(
                                package, f"its files have more than {LARGEST >> 20} MiB"
                            )
                        content = archive.extractfile(member)
                        assert content is not None
                        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
                        (prefix / path).write_bytes(content.read())
        except (tarfile.TarError, zstandard.ZstdError, lzma.LZMAError, EOFError) as error:
            raise _unreadable(package, str(error) or type(error).__name__) from error
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


@contextmanager
def _tar(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    head = file.read(len(XZ))
    file.seek(0)
    with ExitStack() as stack:
        if head.startswith(ZSTD):
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            file = stack.enter_context(io.BufferedReader(reader))
        elif head.startswith(XZ):
            file = stack.enter_context(lzma.LZMAFile(file))
        yield stack.enter_context(tarfile.open(fileobj=file, mode="r|"))


def _unreadable(package: Archive, problem: str) -> Refusal:
    return Refusal(
        package.path,
        f"this is not a tar archive, or a damaged one: {problem}",
        "Fetch the package again",
    )
