"""The root tree as data: path -> entry, contents by reference.

Paths are relative to the root, without a leading or trailing slash, and never empty: ``etc/rc``.
The root directory itself is `Tree.root`. Two paths are hard links of one file if, and only if,
they hold the same `Entry` object; dropping or replacing one path leaves the others alone.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from firstboot.core.limits import IN_MEMORY
from firstboot.core.refusal import Refusal


class Kind(Enum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Extent:
    """`length` bytes at offset `at` of a file; they are at `offset` of `origin`."""

    at: int
    length: int
    origin: Path | bytes
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file: `length` of them, zero wherever no extent lies.

    Extents are in order, within the length, and do not overlap.
    """

    length: int = 0
    extents: tuple[Extent, ...] = ()

    @classmethod
    def of(cls, data: bytes) -> "Content":
        return cls(len(data), (Extent(0, len(data), data),) if data else ())

    def read(self) -> bytes:
        """Return all bytes, with zeros in the holes. Raises Refusal for more than `IN_MEMORY`."""
        if self.length > IN_MEMORY:
            raise Refusal(
                "the root tree",
                f"a file that has to be in memory has {self.length} bytes, more than {IN_MEMORY}",
                "Use the sets of a system that this version knows",
            )
        data = bytearray(self.length)
        for extent in self.extents:
            if isinstance(extent.origin, bytes):
                part = extent.origin[extent.offset : extent.offset + extent.length]
            else:
                with extent.origin.open("rb") as file:
                    file.seek(extent.offset)
                    part = file.read(extent.length)
            if len(part) != extent.length:
                raise EOFError(f"{extent.origin!r} is shorter than its tree says")
            data[extent.at : extent.at + extent.length] = part
        return bytes(data)


NOTHING = Content()


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One inode. Equality is identity: two equal files are still two files.

    `mode` has the permission bits alone (07777). `flags` are those of BSD's chflags(2), as in
    `<sys/stat.h>`. `mtime` is in seconds since 1970. `attributes` are extended attributes, named
    with their namespace: ``system.hbsd.pax.nomprotect``.
    """

    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    flags: int = 0
    mtime: int = 0
    attributes: Mapping[str, bytes] = field(default_factory=dict)
    content: Content = NOTHING
    target: str = ""

    @property
    def size(self) -> int:
        """Size in bytes; of a symbolic link the length of its target in UTF-8."""
        if self.kind is Kind.SYMLINK:
            return len(self.target.encode("utf-8", "surrogateescape"))
        return self.content.length


def directory(mode: int = 0o755, **facts: Any) -> Entry:
    return Entry(Kind.DIRECTORY, mode, **facts)


def file(data: bytes | Content, mode: int = 0o644, **facts: Any) -> Entry:
    content = Content.of(data) if isinstance(data, bytes) else data
    return Entry(Kind.FILE, mode, content=content, **facts)


def symlink(target: str, **facts: Any) -> Entry:
    return Entry(Kind.SYMLINK, 0o755, target=target, **facts)


def parent(path: str) -> str:
    """Return the directory that holds `path`; empty for the root."""
    return path.rpartition("/")[0]


def parents(path: str) -> list[str]:
    """Return the directories that hold `path`, the outermost first, without the root."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


class Tree(MutableMapping[str, Entry]):
    """A root tree. Every path's parents are directories of the tree."""

    def __init__(self, root: Entry | None = None) -> None:
        self.root = root or directory()
        self._entries: dict[str, Entry] = {}

    def __getitem__(self, path: str) -> Entry:
        return self._entries[path]

    def __setitem__(self, path: str, entry: Entry) -> None:
        """Put `entry` at `path`. Raises Refusal if its parent is not a directory, and if it would
        replace a directory that is not empty."""
        check_path(path)
        above = parent(path)
        if above and (above not in self._entries or not self.is_directory(above)):
            found = "nothing" if above not in self._entries else self._entries[above].kind.value
            raise Refusal(
                f"/{path}",
                f"there is no directory /{above} to hold it"
                if found == "nothing"
                else f"/{above}, which should hold it, is a {found}",
                "Add the directory before what is in it",
            )
        old = self._entries.get(path)
        covers = entry.kind is not Kind.DIRECTORY
        if covers and old and old.kind is Kind.DIRECTORY and self.below(path):
            raise Refusal(
                f"/{path}",
                f"a {entry.kind.value} would take the place of a directory that is not empty",
                "Drop the directory first, or use another name",
            )
        self._entries[path] = entry

    def __delitem__(self, path: str) -> None:
        """Remove the entry at `path`, and everything below it."""
        if self._entries.pop(path).kind is Kind.DIRECTORY:
            for below in self.below(path):
                del self._entries[below]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def content_size(self) -> int:
        """Bytes in all files, without holes; hard links count once."""
        once = {id(entry): entry.content for entry in self._entries.values()}
        return sum(extent.length for content in once.values() for extent in content.extents)

    def is_directory(self, path: str) -> bool:
        return not path or self._entries[path].kind is Kind.DIRECTORY

    def below(self, path: str) -> list[str]:
        """Return the paths of everything below the directory `path`, without itself."""
        prefix = f"{path}/" if path else ""
        return [name for name in self._entries if name.startswith(prefix)]

    def amend(self, path: str, **changes: Any) -> None:
        """Change fields of the entry at `path`, for all of its hard links."""
        old = self._entries[path]
        new = replace(old, **changes)
        if old.kind is Kind.DIRECTORY:
            self._entries[path] = new
            return
        for name, entry in self._entries.items():
            if entry is old:
                self._entries[name] = new

    def children(self) -> dict[str, list[tuple[str, Entry]]]:
        """Return for each directory (`""`: the root) its names and entries, sorted by name."""
        listing: dict[str, list[tuple[str, Entry]]] = {"": []}
        for path in sorted(self._entries):
            entry = self._entries[path]
            above, _, name = path.rpartition("/")
            listing[above].append((name, entry))
            if entry.kind is Kind.DIRECTORY:
                listing[path] = []
        return listing


def check_path(path: str) -> str:
    """Return `path`. Raises Refusal unless it is relative and stays below the root."""
    if not path or any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
        raise Refusal(
            repr(path),
            "the path leaves the root, or has empty, '.' or '..' parts",
            "Give a path below the root, such as etc/rc",
        )
    return path
