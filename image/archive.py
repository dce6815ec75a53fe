"""Reading a base set: one streaming pass over the archive, contents into a store.

A set is a tar archive, compressed with xz, as FreeBSD's `make packagesystem` writes it: names
start with ``./``, file flags are in the pax record `SCHILY.fflags`, extended attributes in
`SCHILY.xattr.NAMESPACE.NAME` (tar(5), libarchive-formats(5)).
"""

import lzma
import queue
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Protocol, cast

from firstboot.refusal import Refusal
from image.tree import Kind

FLAGS = {
    "nodump": 0x00000001, "uchg": 0x00000002, "uappnd": 0x00000004, "opaque": 0x00000008,
    "uunlnk": 0x00000010, "usystem": 0x00000080, "usparse": 0x00000100, "uoffline": 0x00000200,
    "ureparse": 0x00000400, "uarch": 0x00000800, "rdonly": 0x00001000, "hidden": 0x00008000,
    "arch": 0x00010000, "schg": 0x00020000, "sappnd": 0x00040000, "sunlnk": 0x00100000,
    "uimmutable": 0x00000002, "uchange": 0x00000002, "uappend": 0x00000004,
    "simmutable": 0x00020000, "schange": 0x00020000, "sappend": 0x00040000,
    "archived": 0x00010000, "sunlink": 0x00100000, "uunlink": 0x00000010,
}  # fmt: skip
"""Names of strtofflags(3) and the bits of `<sys/stat.h>`."""

PIECE = 1 << 18
"""Compressed bytes that are read at a time."""

CHUNK = 1 << 20
"""Bytes that are decompressed at a time."""

END = bytes(1024)
"""What every tar archive ends with."""

AHEAD = 8
"""Chunks that may wait between decompressing and reading; bounds the memory."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a set, as the archive has it.

    `owner` and `group` are names, or numbers in decimal where the archive gives no name. `offset`
    and `size` tell where the content lies in the store, in bytes. `link` is the path of which this
    is a hard link; such a member has nothing else.
    """

    path: str
    kind: Kind
    mode: int = 0
    owner: str = ""
    group: str = ""
    flags: int = 0
    mtime: int = 0
    attributes: dict[str, bytes] = field(default_factory=dict)
    offset: int = 0
    size: int = 0
    target: str = ""
    link: str = ""


class Source(Protocol):
    """A set: where it is, and a way to open what was verified there."""

    @property
    def path(self) -> Path: ...

    def open(self) -> IO[bytes]: ...


class Store(Protocol):
    """Where contents go; returns the offset at which the bytes begin."""

    def append(self, source: IO[bytes], size: int) -> int: ...


def read(
    source: Source,
    drop: Callable[[str], bool],
    store: Store,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Member]:
    """All members of the set `source` but the dropped ones, in the archive's order.

    The root directory itself has the path "". A hard link whose first name is dropped becomes the
    file itself. `advance` is told the compressed bytes that were read. Raises Refusal for an
    archive that is damaged, or holds what does not belong into a root tree.
    """
    wanted: frozenset[str] = frozenset()
    while True:
        members, orphans = _pass(source, drop, wanted, store, advance)
        if not orphans:
            return members
        wanted |= orphans


def _pass(
    source: Source,
    drop: Callable[[str], bool],
    wanted: frozenset[str],
    store: Store,
    advance: Callable[[int], None],
) -> tuple[list[Member], frozenset[str]]:
    """One pass; contents of `wanted` files are kept for their hard links although they are
    dropped. Also returns those that should have been wanted."""
    members: list[Member] = []
    orphans = set()
    spare: dict[str, Member] = {}
    heirs: dict[str, str] = {}
    try:
        with (
            _decompressed(source, advance) as stream,
            tarfile.open(
                fileobj=cast(IO[bytes], stream),
                mode="r|",
                bufsize=CHUNK,
                encoding="utf-8",
                errors="surrogateescape",
            ) as archive,
        ):
            for info in archive:
                if info.size < 0:
                    raise EOFError(f"{info.name!r} has a size of {info.size}")
                name = _name(source.path, info.name)
                dropped = drop(name)
                if dropped and name not in wanted:
                    continue
                member = _member(source.path, name, info, archive, store)
                if dropped:
                    spare[name] = member
                    continue
                if member.link and drop(member.link):
                    if member.link in heirs:
                        member = Member(name, Kind.FILE, link=heirs[member.link])
                    elif member.link in spare:
                        heirs[member.link] = name
                        member = replace(spare[member.link], path=name)
                    elif member.link in wanted:
                        raise EOFError(f"{name} is a hard link to nothing")
                    else:
                        orphans.add(member.link)
                members.append(member)
            stream.finish()
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError, OverflowError) as error:
        raise Refusal(
            source.path,
            expected="a whole tar archive compressed with xz",
            found=f"a damaged one ({error})",
            remedy="fetch the set again",
        ) from error
    return members, frozenset(orphans)


def _member(
    archive_path: Path, name: str, info: tarfile.TarInfo, archive: tarfile.TarFile, store: Store
) -> Member:
    if info.islnk():
        return Member(name, Kind.FILE, link=_name(archive_path, info.linkname))
    if info.isdir():
        kind = Kind.DIRECTORY
    elif info.issym():
        kind = Kind.SYMLINK
    elif info.isreg():
        kind = Kind.FILE
    else:
        raise Refusal(
            f"{archive_path}: {info.name!r}",
            expected="a file, directory or link",
            found=f"a tar entry of type {info.type!r}",
            remedy="use a set made for a base system",
        )
    offset = 0
    if kind is Kind.FILE and info.size:
        content = archive.extractfile(info)
        assert content is not None
        offset = store.append(content, info.size)
    return Member(
        name,
        kind,
        info.mode & 0o7777,
        info.uname or str(info.uid),
        info.gname or str(info.gid),
        parse_flags(info.pax_headers.get("SCHILY.fflags", ""), f"{archive_path}: {info.name!r}"),
        int(info.mtime),
        _attributes(info.pax_headers),
        offset,
        info.size if kind is Kind.FILE else 0,
        info.linkname if kind is Kind.SYMLINK else "",
    )


def _name(archive: Path, name: str) -> str:
    """The path of an entry named `name`; "" for the root."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise Refusal(
            f"{archive}: {name!r}",
            expected="entries that stay below the root of the archive",
            found="an absolute path" if name.startswith("/") else "a path that leaves it",
            remedy="do not use this set; fetch it again from a source that you trust",
        )
    return "/".join(parts)


def parse_flags(text: str, subject: str) -> int:
    """File flags from their names, separated by commas. Raises Refusal for unknown ones."""
    flags = 0
    for name in filter(None, text.split(",")):
        if name not in FLAGS:
            raise Refusal(
                subject,
                expected="file flags of chflags(1)",
                found=f"'{name}'",
                remedy="correct the flag's name",
            )
        flags |= FLAGS[name]
    return flags


def _attributes(headers: Mapping[str, str]) -> dict[str, bytes]:
    prefix = "SCHILY.xattr."
    return {
        key.removeprefix(prefix): value.encode("utf-8", "surrogateescape")
        for key, value in headers.items()
        if key.startswith(prefix)
    }


@contextmanager
def _decompressed(source: Source, advance: Callable[[int], None]) -> Iterator["_Stream"]:
    """The decompressed bytes of `source`, made in a thread of their own: xz is what takes the
    time, and it does not hold the interpreter's lock."""
    chunks: queue.Queue[bytes | BaseException] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(item: bytes | BaseException) -> bool:
        while not stop.is_set():
            try:
                chunks.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def decompress() -> None:
        try:
            with source.open() as raw:
                for chunk in _unxz(raw, advance):
                    if not put(chunk):
                        return
            put(b"")
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=decompress, name=f"xz {source.path.name}", daemon=True)
    thread.start()
    try:
        yield _Stream(chunks)
    finally:
        stop.set()
        thread.join()


def _unxz(raw: IO[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """The decompressed bytes of a .xz file of one or more streams (xz(1), "The .xz File Format").

    In large pieces: each time the lock is taken back, the other thread has to let go of it.
    Raises EOFError for a file that ends early, lzma.LZMAError for a damaged one.
    """

    def more() -> bytes:
        data = raw.read(PIECE)
        advance(len(data))
        return data

    data = more()
    while data:
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        while not decompressor.eof:
            if decompressor.needs_input and not data and not (data := more()):
                raise EOFError("it ends early")
            if chunk := decompressor.decompress(data, CHUNK):
                yield chunk
            data = b""
        data = decompressor.unused_data.lstrip(b"\0")
        while not data and (data := more()):
            data = data.lstrip(b"\0")


class _Stream:
    """The reading end of the queue, as a file for tarfile."""

    def __init__(self, chunks: "queue.Queue[bytes | BaseException]") -> None:
        self._chunks = chunks
        self._rest = b""
        self._at = 0
        self._ended = False
        self._last = b""

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0 and not self._ended:
            if self._at == len(self._rest):
                item = self._chunks.get()
                if isinstance(item, BaseException):
                    self._ended = True
                    raise item
                self._rest, self._at = item, 0
                self._ended = not item
            part = self._rest[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        data = b"".join(parts)
        self._last = (self._last + data)[-len(END) :]
        return data

    def finish(self) -> None:
        """Read what is left, for the check sums at the end of xz. Raises EOFError unless the
        archive ends as an archive has to, so that one cut short between members is noticed."""
        while self.read(CHUNK):
            pass
        if self._last != END:
            raise EOFError("it has no end")
