"""Read a base set or a package in one pass over the archive, with its contents into a store.

A set is a tar archive, compressed with xz, as FreeBSD's `make packagesystem` writes it: names
start with ``./``; so do those of a package of Debian (deb(5)). A package is one that is compressed
with zstd or xz, or not at all, as pkg(8) writes it: names start with ``/``, but for those of its
manifests, ``+MANIFEST``. File flags are in the pax record `SCHILY.fflags`, extended attributes in
`SCHILY.xattr.NAMESPACE.NAME` or `LIBARCHIVE.xattr.NAMESPACE.NAME` (tar(5), libarchive-formats(5)).
"""

import base64
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO, NamedTuple, Protocol
from urllib.parse import unquote

from firstboot.core import limits, tar
from firstboot.core.damaged import Damaged
from firstboot.core.refusal import Refusal
from image import decompress
from image.decompress import Packing
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


KINDS = {
    tar.FILE: Kind.FILE,
    tar.HARD_LINK: Kind.FILE,
    tar.DIRECTORY: Kind.DIRECTORY,
    tar.SYMBOLIC_LINK: Kind.SYMLINK,
}

BOUNDS = {
    Form.SET: limits.UNPACKED_SET,
    Form.PACKAGE: limits.UNPACKED_PACKAGE,
    Form.DEB: limits.UNPACKED_PACKAGE,
}


class Source(Protocol):
    """An archive: its path, and a way to open the file that was verified."""

    @property
    def path(self) -> Path: ...

    def open(self) -> IO[bytes]: ...


class Store(Protocol):
    """Takes contents; `append` returns the offset at which the bytes begin."""

    def append(self, source: tar.Content, size: int) -> int: ...


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
    bytes that were read, which in the end is the size of the file, and with 0 now and then; what it
    raises ends this soon. Raises Refusal for an archive that is damaged, or has something that does
    not belong into a root tree.
    """
    members: list[Member] = []
    dropped: set[str] = set()
    attributes = 0
    try:
        with _decompressed(source, advance, form) as stream:
            for header, content in tar.members(stream, limits.SET):
                name = _name(source.path, header.name, form)
                if drop(name):
                    dropped.add(name)
                    if header.type == tar.HARD_LINK:
                        dropped.add(_name(source.path, header.target, form))
                    continue
                member = _member(source.path, name, header, content, store, form)
                if member.link and drop(member.link) and member.link not in dropped:
                    raise Damaged(f"{name} is a hard link to nothing")
                attributes += sum(map(len, member.attributes.values()))
                if attributes > limits.ATTRIBUTES:
                    raise Damaged(f"it has more than {limits.ATTRIBUTES} bytes of attributes")
                members.append(member)
    except (ValueError, EOFError) as error:
        raise _damaged(source, form, error) from error
    return _without(members, dropped)


def _damaged(source: Source, form: Form, error: Exception) -> Refusal:
    return Refusal(
        source.path,
        f"not {form.value}, or damaged ({error})",
        f"Fetch the {form.name.lower()} again",
    )


class Found(NamedTuple):
    """A file of an archive, and the time of its last change in seconds since 1970."""

    data: bytes
    mtime: int


def find(source: Source, paths: Collection[str], form: Form = Form.SET) -> dict[str, Found]:
    """Return the files among `paths` that the archive `source` has. Raises Refusal for a damaged
    archive, and for such a file that is there twice or larger than IN_MEMORY."""
    found: dict[str, Found] = {}
    try:
        with _decompressed(source, lambda _: None, form) as stream:
            for header, content in tar.members(stream, limits.SET):
                name = _name(source.path, header.name, form)
                if name not in paths or header.type != tar.FILE:
                    continue
                if name in found or header.size > limits.IN_MEMORY:
                    raise Damaged(f"{name} is there twice, or larger than {limits.IN_MEMORY} bytes")
                found[name] = Found(tar.whole(content), header.mtime)
    except (ValueError, EOFError) as error:
        raise _damaged(source, form, error) from error
    return found


def without(members: Sequence[Member], drop: Callable[[str], bool]) -> list[Member]:
    """Return `members` without those that `drop` names, as `read` leaves them out of an archive."""
    dropped = set()
    for member in members:
        if drop(member.path):
            dropped |= {member.path, member.link or member.path}
    return _without(members, dropped)


def _without(members: Sequence[Member], dropped: set[str]) -> list[Member]:
    """Leave out the other names of `dropped` files, and symbolic links that lead to one.

    A hard link may name another hard link, and a symbolic link another symbolic link, before or
    after it in the archive.
    """
    follow: dict[str, list[str]] = {}
    for one in members:
        if one.link:
            follow.setdefault(one.link, []).append(one.path)
            follow.setdefault(one.path, []).append(one.link)
        elif one.kind is Kind.SYMLINK:
            follow.setdefault(target(one), []).append(one.path)
    gone = set(dropped)
    waiting = list(dropped)
    while waiting:
        for path in follow.get(waiting.pop(), ()):
            if path not in gone:
                gone.add(path)
                waiting.append(path)
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
    header: tar.Header,
    content: tar.Content,
    store: Store,
    form: Form,
) -> Member:
    where = f"{archive_path}: {header.name!r}"
    kind = KINDS.get(header.type)
    if kind is None:
        raise Refusal(
            where,
            f"a tar entry of type {header.type!r}, which is neither a file, a directory nor a link",
            f"Use a {form.name.lower()} that was made for this system",
        )
    if not name and header.type != tar.DIRECTORY:
        raise Refusal(
            where,
            f"the root itself is a {kind.value}, and not a directory",
            f"Do not use this {form.name.lower()}",
        )
    if header.type == tar.HARD_LINK:
        return Member(name, kind, link=_name(archive_path, header.target, form))
    flags = header.records.get("SCHILY.fflags", b"").decode("utf-8", "replace")
    return Member(
        name,
        kind,
        header.mode,
        header.owner or str(header.uid),
        header.group or str(header.gid),
        parse_flags(flags, where),
        header.mtime,
        _attributes(header.records),
        store.append(content, header.size) if header.size and kind is Kind.FILE else 0,
        header.size if kind is Kind.FILE else 0,
        header.target if kind is Kind.SYMLINK else "",
    )


def _name(archive: Path, name: str, form: Form) -> str:
    """Return the path of an entry named `name`; "" for the root, which tarfile calls so itself.
    Raises Refusal."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    is_manifest = form is Form.PACKAGE and name.startswith("+") and parts == [name]
    misplaced = name != "" and name.startswith("/") != (form is Form.PACKAGE)
    strange = misplaced and not is_manifest
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


def _attributes(records: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the extended attributes. libarchive writes each twice: in base64 without padding and
    with a percent-encoded name, and raw; the raw one is used."""
    encoded, raw = "LIBARCHIVE.xattr.", "SCHILY.xattr."
    return {
        unquote(key.removeprefix(encoded)): base64.b64decode(value + b"=" * (-len(value) % 4))
        for key, value in records.items()
        if key.startswith(encoded)
    } | {key.removeprefix(raw): value for key, value in records.items() if key.startswith(raw)}


@contextmanager
def _decompressed(
    source: Source, advance: Callable[[int], None], form: Form
) -> Iterator[decompress.Reader]:
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

    def work() -> None:
        try:
            with source.open() as raw:
                head = raw.read(decompress.LONGEST_MAGIC)
                raw.seek(0)
                how = Packing.XZ if form is Form.SET else decompress.packing(head)
                for chunk in decompress.chunks(raw, how, BOUNDS[form], advance):
                    if not put(chunk):
                        return
            put(b"")
        except BaseException as error:
            put(error)

    def came() -> Iterator[bytes]:
        while item := chunks.get():
            advance(0)
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=work, name=f"xz {source.path.name}", daemon=True)
    thread.start()
    try:
        yield decompress.Reader(came())
    finally:
        stop.set()
        thread.join()
