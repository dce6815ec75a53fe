"""Packages into the tree, as pkg(8) would install them, but for their scripts, which never run.

A directory that an overlay puts elsewhere with a symbolic link, such as usr/local/etc, takes what
packages bring at the place that the link leads to.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image.accounts import Accounts
from image.archive import Member
from image.overlay import Overlay
from image.packages.contents import Contents
from image.packages.review import Sample
from image.packages.reviewed import Reviewed, check_set_id
from image.packages.scripts.effects import MakeHome
from image.populate import entry_of
from image.tree import Entry, Kind, Tree, directory, parent, parents

RC = "usr/local/etc/rc.d"
"""Where packages have their scripts of rc(8)."""


def detours(overlays: Iterable[Overlay]) -> dict[str, str]:
    """The symbolic links of `overlays`, each with the path below the root that it leads to."""
    found = {}
    for overlay in overlays:
        for link in overlay.recipe.value.symlinks:
            target = posixpath.normpath(posixpath.join("/", parent(link.path), link.target))
            found[link.path] = target.lstrip("/")
    return found


def place(path: str, ways: Mapping[str, str]) -> str:
    """Where `path` is in the tree, on the detours `ways`."""
    for link, target in ways.items():
        if path == link or path.startswith(f"{link}/"):
            return target + path.removeprefix(link)
    return path


def install(
    tree: Tree,
    packages: Sequence[Contents],
    reviewed: Document[Reviewed],
    accounts: Accounts,
    ways: Mapping[str, str],
    time: int,
) -> dict[str, str]:
    """Put `packages` into `tree`; folders that nobody describes are as old as `time`.

    Returns which package brought each file, by path. Raises Refusal for a file that base or another
    package has too, for a directory of which two packages say different things, for an unknown
    owner, and for a program that may change its user or group without being reviewed.
    """
    based = frozenset(tree)
    owners: dict[str, str] = {}
    described: dict[str, tuple[str, Entry]] = {}
    for contents in packages:
        one = _Installation(
            contents, tree, reviewed, accounts, ways, time, based, owners, described
        )
        for member in contents.members:
            one.put(member)
    return owners


def copy_samples(
    tree: Tree, samples: Iterable[Sample], ways: Mapping[str, str], rendered: Iterable[str]
) -> None:
    """Copy each of `samples`, unless the tree has the copy, or it is one of the files that are
    `rendered` on the box. Raises Refusal if a sample is missing."""
    later = set(rendered)
    for sample in samples:
        source, copy = place(sample.source, ways), place(sample.copy, ways)
        if source not in tree or tree[source].kind is not Kind.FILE:
            raise Refusal(
                f"/{sample.source}",
                "the package whose script copies this sample does not have it",
                "Correct 'samples' of the reviewed script",
            )
        if copy not in tree and copy not in later:
            tree[copy] = replace(tree[source], flags=0)


def left_out(
    packages: Iterable[Contents], tree: Tree, ways: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """The scripts of rc(8) that packages have and `tree` has not: package and name of each."""
    return tuple(
        (contents.name, member.path.removeprefix(f"{RC}/"))
        for contents in packages
        for member in contents.members
        if parent(member.path) == RC and place(member.path, ways) not in tree
    )


def make_homes(
    tree: Tree,
    homes: Iterable[MakeHome],
    accounts: Accounts,
    ways: Mapping[str, str],
    time: int,
) -> None:
    """Make the homes of users that neither a package nor an overlay brings."""
    for home in homes:
        path = place(home.path.strip("/"), ways)
        if path in tree:
            continue
        for above in parents(path):
            if above not in tree:
                tree[above] = directory(mtime=time)
        uid, gid = accounts.uid(home.owner), accounts.gid(home.group)
        tree[path] = directory(uid=uid, gid=gid, mtime=time)


@dataclass(frozen=True)
class _Installation:
    """A package on its way into the tree. `based` are base's paths, `owners` says which package
    brought which file, `described` which one describes which directory, and how."""

    contents: Contents
    tree: Tree
    reviewed: Document[Reviewed]
    accounts: Accounts
    ways: Mapping[str, str]
    time: int
    based: frozenset[str]
    owners: dict[str, str]
    described: dict[str, tuple[str, Entry]]

    def put(self, member: Member) -> None:
        path = place(member.path, self.ways)
        self._make_way(path, member)
        if member.kind is Kind.DIRECTORY:
            self._directory(path, member)
            return
        if path in self.tree:
            raise self._refusal(member, f"{self.owners.get(path, 'the base')} has the same file")
        if member.link:
            self.tree[path] = self.tree[place(member.link, self.ways)]
        else:
            where = f"{self.contents.name}: /{member.path}"
            name = self.contents.manifest.package.name
            if member.kind is Kind.FILE:
                check_set_id(self.reviewed, name, member.path, member.mode, where)
            self.tree[path] = self._entry(member)
        self.owners[path] = self.contents.name

    def _make_way(self, path: str, member: Member) -> None:
        """Make the directories that hold `path`."""
        for above in parents(path):
            if above not in self.tree:
                self.tree[above] = directory(mtime=self.time)
            elif not self.tree.is_directory(above):
                what = f"a {self.tree[above].kind.value} of {self.owners.get(above, 'the base')}"
                raise self._refusal(member, f"/{above}, which should hold it, is {what}")

    def _directory(self, path: str, member: Member) -> None:
        if path in self.tree and not self.tree.is_directory(path):
            what = f"a {self.tree[path].kind.value} of {self.owners.get(path, 'the base')}"
            raise self._refusal(member, f"a directory here, but {what} has the same path")
        if not path or path in self.based:
            return
        entry = self._entry(member)
        other, first = self.described.setdefault(path, (self.contents.name, entry))
        if _facts(first) != _facts(entry):
            raise self._refusal(
                member, f"{other} gives this directory another mode, owner or group"
            )
        self.tree[path] = first

    def _entry(self, member: Member) -> Entry:
        try:
            uid, gid = self.accounts.uid(member.owner), self.accounts.gid(member.group)
        except KeyError as error:
            raise self._refusal(
                member,
                f"neither the base nor the package brings its owner or group {error.args[0]!r}",
                "Leave the package out",
            ) from error
        return entry_of(member, self.contents.unpacked.contents, uid, gid)

    def _refusal(
        self, member: Member, problem: str, remedy: str = "Leave one of the two out"
    ) -> Refusal:
        return Refusal(f"{self.contents.name}: /{member.path}", problem, remedy)


def _facts(entry: Entry) -> tuple[int, int, int, int]:
    return entry.mode, entry.uid, entry.gid, entry.flags
