"""From a tree to numbered inodes: who is linked how often, which directory holds what."""

from dataclasses import dataclass, field

from image.tree import Entry, Kind, Tree
from image.ufs2.structs import (
    DIRECTORY_MODE,
    FILE_MODE,
    LONGEST_NAME,
    MOST_LINKS,
    SYMLINK_MODE,
)

ROOT = 2
"""Number of the root directory's inode (`UFS_ROOTINO`); 0 and 1 are reserved."""

TYPES = {
    Kind.DIRECTORY: DIRECTORY_MODE,
    Kind.FILE: FILE_MODE,
    Kind.SYMLINK: SYMLINK_MODE,
}


@dataclass(slots=True)
class Inode:
    """One inode to be: its entry, its number, and for a directory what it holds.

    `records` are (inode number, mode, name) in the order in which they are written; `depth` is
    the number of directories above it.
    """

    number: int
    entry: Entry
    links: int = 0
    depth: int = 0
    records: list[tuple[int, int, bytes]] = field(default_factory=list)

    @property
    def mode(self) -> int:
        return TYPES[self.entry.kind] | self.entry.mode


def number(tree: Tree) -> list[Inode]:
    """The inodes of `tree`, by number from ROOT on, in the order of the sorted paths.

    Raises ValueError for names and link counts that UFS2 cannot hold.
    """
    root = Inode(ROOT, tree.root, links=2)
    root.records = [(ROOT, root.mode, b"."), (ROOT, root.mode, b"..")]
    inodes = [root]
    directories = {"": root}
    shared: dict[int, Inode] = {}
    for path in sorted(tree):
        entry = tree[path]
        above, _, text = path.rpartition("/")
        holder = directories[above]
        name = text.encode("utf-8", "surrogateescape")
        if len(name) > LONGEST_NAME:
            raise ValueError(f"/{path} has a name of {len(name)} bytes, {LONGEST_NAME} is most")
        known = shared.get(id(entry))
        if known is None:
            known = Inode(ROOT + len(inodes), entry)
            inodes.append(known)
            if entry.kind is Kind.DIRECTORY:
                directories[path] = known
                known.depth = holder.depth + 1
                known.links = 1
                known.records = [
                    (known.number, known.mode, b"."),
                    (holder.number, holder.mode, b".."),
                ]
                holder.links += 1
            else:
                shared[id(entry)] = known
        known.links += 1
        holder.records.append((known.number, known.mode, name))
    for inode in inodes:
        if inode.links > MOST_LINKS:
            raise ValueError(f"a file or directory has {inode.links} links, {MOST_LINKS} is most")
    return inodes
