"""A compressed cpio archive in the format ``newc``, which the kernel unpacks into its initial root.

Sources: Documentation/driver-api/early-userspace/buffer-format.rst of Linux; zstd is RFC 8878.
Entries are sorted by path, so equal input gives equal bytes.
"""

import stat
from collections.abc import Iterator

import zstandard

from image.tree import Entry, Kind, Tree

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
LEVEL = 9
"""Of zstd. Higher levels take much longer and save little."""

KINDS = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
}


def compressed(tree: Tree, time: int) -> bytes:
    """Return `tree` as a compressed archive. `time`, in seconds since 1970, is the modification
    time of every entry."""
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return packer.compress(b"".join(archive(tree, time)))


def archive(tree: Tree, time: int) -> Iterator[bytes]:
    """Yield the uncompressed archive. Each name of a hard link becomes a separate file.

    The root itself comes first: without it Linux leaves it writable for everybody, and sshd(8)
    trusts no key below it.
    """
    entries = [(".", tree.root), *((path, tree[path]) for path in sorted(tree))]
    for number, (path, entry) in enumerate(entries, 1):
        data = content(entry)
        yield header(path, KINDS[entry.kind] | entry.mode, entry, len(data), number, time)
        yield data
        yield bytes(-len(data) % 4)
    yield header(TRAILER, 0, None, 0, 0, 0)


def header(path: str, mode: int, entry: Entry | None, size: int, number: int, time: int) -> bytes:
    """Return the header of an entry: the magic and thirteen numbers of eight hexadecimal digits
    (110 bytes), the name, and padding to four bytes."""
    name = path.encode("utf-8", "surrogateescape") + b"\0"
    links = 2 if entry and entry.kind is Kind.DIRECTORY else 1
    owner = (entry.uid, entry.gid) if entry else (0, 0)
    numbers = (number, mode, *owner, links, time, size, 0, 0, 0, 0, len(name), 0)
    head = MAGIC + b"".join(b"%08X" % one for one in numbers) + name
    return head + bytes(-len(head) % 4)


def content(entry: Entry) -> bytes:
    if entry.kind is Kind.SYMLINK:
        return entry.target.encode("utf-8", "surrogateescape")
    return entry.content.read() if entry.kind is Kind.FILE else b""
