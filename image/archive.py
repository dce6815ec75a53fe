"""Read a base set or a package in one pass over the archive, with its contents into a store.

A set is a tar archive, compressed with xz, as FreeBSD's `make packagesystem` writes it: names
start with ``./``; so do those of a package of Debian (deb(5)). A package is one that is compressed
with zstd or xz, or not at all, as pkg(8) writes it: names start with ``/``, but for those of its
manifests, ``+MANIFEST``. File flags are in the pax record `SCHILY.fflags`, extended attributes in
`SCHILY.xattr.NAMESPACE.NAME` or `LIBARCHIVE.xattr.NAMESPACE.NAME` (tar(5), libarchive-formats(5)).
"""

import base64
import lzma
import queue
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO, Protocol, cast
from urllib.parse import unquote

import zstandard

from firstboot.core.refusal import Refusal
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
"""Compressed bytes read at a time."""

CHUNK = 1 << 20
"""Bytes decompressed at a time."""

DAMAGE = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError)
"""The exceptions of the archive readers for damaged archives."""

END = bytes(1024)
"""The end of every tar archive."""

XZ_MAGIC, ZSTD_MAGIC = b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
"""The first bytes of the compressed files."""

AHEAD = 8
"""Decompressed chunks that may wait for the reader; this limits the memory."""


class Form(Enum):
    """The expected kind of an archive; the value is its wording in messages."""

    SET = "a whole tar archive compressed with xz"
    PACKAGE = "a whole tar archive compressed with zstd or xz"
    DEB = "a whole package of Debian"


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
    """An archive: its path, and a way to open the file that was verified."""

    @property
    def path(self) -> Path: ...

    def open(self) -> IO[bytes]: ...


class Store(Protocol):
    """Takes contents; `append` returns the offset at which the bytes begin."""

    def append(self, source: IO[bytes], size: int) -> int: ...


def read(
    source: Source,
    drop: Callable[[str], bool],
    store: Store,
    advance: Callable[[int], None] = lambda _: None,
    form: Form = Form.SET,
) -> list[Member]:
    """Return all members of the archive `source` but the dropped files, in the archive's order.

    A file is dropped if `drop` says so of any of its names; its other names, which are hard links,
    and symbolic links to it are dropped with it. So a compiler does not stay under another name.
    The root directory itself has the path "". `advance` is called with the number of compressed
    bytes that were read, which in the end is the size of the file. Raises Refusal for an archive
    that is damaged, or has something that does not belong into a root tree.
    """
    members: list[Member] = []
    dropped: set[str] = set()
    try:
        with (
            _decompressed(source, advance, form) as stream,
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
                name = _name(source.path, info.name, form)
                if drop(name):
                    dropped.add(name)
                    if info.islnk():
                        dropped.add(_name(source.path, info.linkname, form))
                    continue
                member = _member(source.path, name, info, archive, store, form)
                if member.link and drop(member.link) and member.link not in dropped:
                    raise EOFError(f"{name} is a hard link to nothing")
                members.append(member)
            stream.finish()
    except (*DAMAGE, EOFError, ValueError, OverflowError) as error:
        raise Refusal(
            source.path,
            f"not {form.value}, or damaged ({error})",
            f"Fetch the {form.name.lower()} again",
        ) from error
    return _without(members, dropped)


def _without(members: list[Member], dropped: set[str]) -> list[Member]:
    """Leave out the other names of `dropped` files, and symbolic links that lead to one.

    A hard link may name another hard link, and a symbolic link another symbolic link, before or
    after it in the archive.
    """
    gone = set(dropped)
    links = {one.path: one.link for one in members if one.link}
    links |= {one.path: target(one) for one in members if one.kind is Kind.SYMLINK}
    files = {one.path: one.link for one in members if one.link}
    before = -1
    while before != len(gone):
        before = len(gone)
        gone |= {path for path, to in links.items() if to in gone}
        gone |= {to for path, to in files.items() if path in gone}
    return [one for one in members if one.path not in gone]


def target(link: Member) -> str:
    """Return the path that a symbolic link leads to, without the links that are on the way."""
    parts: list[str] = [] if link.target.startswith("/") else link.path.split("/")[:-1]
    for part in link.target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _member(
    archive_path: Path,
    name: str,
    info: tarfile.TarInfo,
    archive: tarfile.TarFile,
    store: Store,
    form: Form,
) -> Member:
    if info.islnk():
        return Member(name, Kind.FILE, link=_name(archive_path, info.linkname, form))
    if info.isdir():
        kind = Kind.DIRECTORY
    elif info.issym():
        kind = Kind.SYMLINK
    elif info.isreg():
        kind = Kind.FILE
    else:
        raise Refusal(
            f"{archive_path}: {info.name!r}",
            f"a tar entry of type {info.type!r}, which is neither a file, a directory nor a link",
            f"Use a {form.name.lower()} that was made for this system",
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


def _name(archive: Path, name: str, form: Form) -> str:
    """Return the path of an entry named `name`; "" for the root. Raises Refusal."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    is_manifest = form is Form.PACKAGE and name.startswith("+") and parts == [name]
    strange = name.startswith("/") != (form is Form.PACKAGE) and not is_manifest
    if strange or ".." in parts:
        absolute = name.startswith("/")
        raise Refusal(
            f"{archive}: {name!r}",
            f"{'an absolute' if absolute else 'a relative'} path, as a {form.name.lower()} "
            f"never has"
            if strange
            else "the path leaves the root",
            f"Do not use this {form.name.lower()}. Fetch it again from a source that you trust",
        )
    return "/".join(parts)


def parse_flags(text: str, subject: str) -> int:
    """File flags from their names, separated by commas. Raises Refusal for unknown ones."""
    flags = 0
    for name in filter(None, text.split(",")):
        if name not in FLAGS:
            raise Refusal(
                subject, f"'{name}' is no file flag of chflags(1)", "Correct the name of the flag"
            )
        flags |= FLAGS[name]
    return flags


def _attributes(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Return the extended attributes. libarchive writes each twice: in base64 without padding and
    with a percent-encoded name, and raw; the raw one is used."""
    encoded, raw = "LIBARCHIVE.xattr.", "SCHILY.xattr."
    return {
        unquote(key.removeprefix(encoded)): base64.b64decode(value + "=" * (-len(value) % 4))
        for key, value in headers.items()
        if key.startswith(encoded)
    } | {
        key.removeprefix(raw): value.encode("utf-8", "surrogateescape")
        for key, value in headers.items()
        if key.startswith(raw)
    }


@contextmanager
def _decompressed(
    source: Source, advance: Callable[[int], None], form: Form
) -> Iterator["_Stream"]:
    """Decompress `source` in a thread of its own: this takes most of the time, and does not hold
    the interpreter's lock."""
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
                for chunk in _decompress(raw, advance, form):
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


def _decompress(raw: IO[bytes], advance: Callable[[int], None], form: Form) -> Iterator[bytes]:
    """The decompressed bytes of the file `raw`. Raises what is in DAMAGE, and EOFError."""
    head = raw.read(len(XZ_MAGIC))
    raw.seek(0)
    if form is Form.SET or head == XZ_MAGIC:
        return _unxz(raw, advance)
    if head.startswith(ZSTD_MAGIC):
        return _unzstd(raw, advance)
    return _plain(raw, advance)


def _plain(raw: IO[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    while data := raw.read(CHUNK):
        advance(len(data))
        yield data


def _unzstd(raw: IO[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """Decompress one or more zstd frames (RFC 8878). A truncated frame just ends; the check for the
    end of the tar archive finds that."""
    with zstandard.ZstdDecompressor().stream_reader(
        raw, read_across_frames=True, closefd=False
    ) as reader:
        told = 0
        while chunk := reader.read(CHUNK):
            yield chunk
            advance(raw.tell() - told)
            told = raw.tell()


def _unxz(raw: IO[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """The decompressed bytes of a .xz file of one or more streams (xz(1), "The .xz File Format").

    It yields large chunks, because each one costs a change of the thread that holds the lock.
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
