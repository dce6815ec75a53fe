"""Debian's packages as one tree, owned by root, with /bin, /sbin and /lib moved below /usr."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from image import store
from image.archive import Form
from image.populate import entry_of
from image.progress import step
from image.rehearsal.apt import Package
from image.rehearsal.deb import Deb
from image.rehearsal.selection import DROPPED
from image.store import Unpacked
from image.tree import Entry, Kind, Tree, directory, parents

MERGED = ("bin", "sbin", "lib", "lib64")


def unpack(packages: Iterable[Package], cache: Path) -> list[Unpacked]:
    """Return each package unpacked, from the folder `cache` or unpacked into it. Raises Refusal."""
    key = hashlib.sha256("\n".join(DROPPED).encode()).hexdigest()
    chosen = list(packages)
    with step("Unpack Debian's packages", sum(one.chosen.size for one in chosen)) as tell:
        unpacked = []
        for one in chosen:
            deb = Deb(one.path)
            unpacked.append(
                store.unpack(deb, one.chosen.sha256, dropped, key, cache, form=Form.DEB)
            )
            tell(one.chosen.size)
    return unpacked


def dropped(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in DROPPED)


def tree_of(parts: Iterable[Unpacked]) -> Tree:
    """Return all files of the packages. Where two packages have the same file, as dpkg allows with
    a diversion, the first one counts."""
    tree = Tree()
    for part in parts:
        for member in part.members:
            path = merged(member.path)
            if not path or path in tree:
                continue
            entry = (
                tree[merged(member.link)] if member.link else entry_of(member, part.contents, 0, 0)
            )
            plant(tree, path, entry)
    return tree


def plant(tree: Tree, path: str, entry: Entry) -> None:
    """Put `entry` at `path`, and make the folders above it that are missing."""
    for above in parents(path):
        if above not in tree:
            tree[above] = directory(mtime=entry.mtime)
    if entry.kind is not Kind.DIRECTORY or path not in tree:
        tree[path] = entry


def merged(path: str) -> str:
    """Return `path` with the folders in `MERGED` moved below /usr."""
    top = path.partition("/")[0]
    return f"usr/{path}" if top in MERGED else path


def follow(tree: Tree, path: str) -> str:
    """Follow symbolic links from `path` to the end. Raises KeyError if they lead nowhere."""
    for _ in range(16):
        entry = tree[path]
        if entry.kind is not Kind.SYMLINK:
            return path
        target = entry.target if entry.target.startswith("/") else f"{path}/../{entry.target}"
        path = merged(normal(target))
    raise KeyError(path)


def normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)
