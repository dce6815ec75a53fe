"""Unpack a package into the store, and compare its files with its own manifest.

The manifest decides: it names every file and directory, and its owners, modes and flags replace
those of the archive's headers. A file that only one of the two has, or that has another checksum,
is refused, and nothing of the package stays in the store.
"""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from firstboot.core.refusal import Refusal
from image import store
from image.archive import Form, Member, parse_flags
from image.atomic_files import writing
from image.packages import checksum
from image.packages.catalogue import Listed
from image.packages.checksum import Checksum
from image.packages.manifest import Manifest, PackagedDirectory, PackagedFile, parse_manifest
from image.progress import step
from image.store import Unpacked
from image.tree import Kind

MANIFEST, COMPACT_MANIFEST = "+MANIFEST", "+COMPACT_MANIFEST"

RULES = "package 1"
"""Stands for the rules of `verify` in the key of the store; raise it when they change."""

ATTRIBUTES = re.compile(r"user\..+|system\.hbsd\.(?:pax|hardening)\.[a-z_0-9]+")
"""The extended attributes that a package may have: HardenedBSD's exceptions for single files, and
those of users. Others in the system namespace are access control lists, labels and
capabilities."""


class Verified(Protocol):
    """A package file whose content is verified."""

    @property
    def listed(self) -> Listed: ...
    @property
    def path(self) -> Path: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def provenance(self) -> str: ...

    def open(self) -> IO[bytes]: ...


@dataclass(frozen=True, slots=True)
class Contents:
    """A package in the store. `members` are its files, links and directories, with the manifest's
    facts; they refer to the contents of `unpacked`."""

    package: Verified
    manifest: Manifest
    members: tuple[Member, ...]
    unpacked: Unpacked

    @property
    def name(self) -> str:
        """Name and version: ``tor-0.4.8.14_1``."""
        return self.manifest.package.full_name

    def read(self, path: str) -> bytes:
        """Return the content of the small file at `path`. Raises KeyError if there is none."""
        return self.unpacked.read(path)


def unpack_all(packages: Sequence[Verified], cache: Path) -> tuple[Contents, ...]:
    """Return all `packages`, from `cache` or unpacked into it. Raises Refusal."""
    if not packages:
        return ()
    given_up = threading.Event()
    with (
        writing(cache),
        step("Unpack the packages", sum(one.size for one in packages)) as tell,
        ThreadPoolExecutor(2) as threads,
    ):

        def advance(amount: int) -> None:
            if given_up.is_set():
                raise EOFError("another package is of no use")
            tell(amount)

        try:
            return tuple(threads.map(lambda one: unpack(one, cache, advance), packages))
        except BaseException:
            given_up.set()
            raise


def unpack(
    package: Verified, cache: Path, advance: Callable[[int], None] = lambda _: None
) -> Contents:
    """Return the contents of `package`, from `cache` or unpacked into it. Raises Refusal."""
    unpacked = store.unpack(
        package,
        package.sha256,
        lambda path: path == COMPACT_MANIFEST,
        RULES,
        cache,
        advance,
        Form.PACKAGE,
        partial(verify, package, advance),
    )
    manifest = read_manifest(package, unpacked)
    facts: dict[str, PackagedFile | PackagedDirectory] = {}
    facts.update((one.path, one) for one in manifest.directories)
    facts.update((one.path, one) for one in manifest.files)
    members = tuple(
        told(member, facts[member.path], str(package.path))
        for member in unpacked.members
        if member.path != MANIFEST
    )
    return Contents(package, manifest, members, unpacked)


def read_manifest(package: Verified, unpacked: Unpacked) -> Manifest:
    where = f"{package.path.name}: {MANIFEST}"
    try:
        manifest = parse_manifest(unpacked.read(MANIFEST), where)
    except KeyError:
        raise _refusal(where, "the package has no manifest") from None
    listed = package.listed.package
    if (manifest.package.name, manifest.package.version) != (listed.name, listed.version):
        raise _refusal(
            where,
            f"the manifest is of {manifest.package.full_name}, and {listed.full_name} is listed",
        )
    return manifest


def told(member: Member, fact: PackagedFile | PackagedDirectory, where: str) -> Member:
    """Return `member` with the facts that the manifest has for it."""
    mtime = fact.mtime if isinstance(fact, PackagedFile) else None
    return replace(
        member,
        owner=fact.owner or member.owner,
        group=fact.group or member.group,
        mode=member.mode if fact.mode is None else fact.mode,
        flags=parse_flags(fact.flags, f"{where}: /{member.path}") if fact.flags else member.flags,
        mtime=mtime or member.mtime,
    )


def verify(package: Verified, advance: Callable[[int], None], unpacked: Unpacked) -> None:
    """Raise Refusal unless the archive has exactly the files of its manifest, unchanged.

    `advance` is called with 0 now and then; what it raises ends this.
    """
    manifest = read_manifest(package, unpacked)
    folders = {one.path for one in manifest.directories}
    members: dict[str, Member] = {}
    for member in unpacked.members:
        where = f"{package.path.name}: /{member.path}"
        if member.path in members or not (member.path or member.path in folders):
            raise _refusal(
                where, "the path is there twice" if member.path else "this is the root itself"
            )
        for attribute in member.attributes:
            if not ATTRIBUTES.fullmatch(attribute):
                raise _refusal(
                    where,
                    f"the extended attribute '{attribute}' is neither one of the user's nor one "
                    "of HardenedBSD's",
                )
        members[member.path] = member
    del members[MANIFEST]
    _same(package, {one.path for one in manifest.files} | folders, members)
    for path in folders:
        if members[path].kind is not Kind.DIRECTORY:
            raise _refusal(
                f"{package.path.name}: /{path}",
                "the manifest says that it is a directory, but it is not",
            )
    with unpacked.contents.open("rb") as contents:
        hashed = _Hashed(contents, advance)
        for file in manifest.files:
            _verify_file(f"{package.path.name}: /{file.path}", file, members, hashed)


def _same(package: Verified, listed: set[str], found: Iterable[str]) -> None:
    missing, unlisted = sorted(listed.difference(found)), sorted(set(found) - listed)
    if missing or unlisted:
        raise _refusal(
            package.path.name,
            f"/{missing[0]}, which its manifest lists, is missing"
            if missing
            else f"its manifest does not list /{unlisted[0]}",
        )


def _verify_file(
    where: str, file: PackagedFile, members: dict[str, Member], hashed: "_Hashed"
) -> None:
    member = members[file.path]
    if member.link:
        first = members.get(member.link)
        if first is None or first.kind is not Kind.FILE or first.link:
            raise _refusal(
                where, f"it is a hard link to /{member.link}, which is not a file of the package"
            )
        member = first
    if file.sum is None or member.kind is Kind.DIRECTORY:
        raise _refusal(
            where,
            "the manifest says that it is a file, but it is a directory"
            if member.kind is Kind.DIRECTORY
            else "the manifest has no checksum for it",
        )
    if member.kind is Kind.SYMLINK:
        found = Checksum.of_link(file.sum.kind, member.target)
        if file.target not in (None, member.target):
            raise _refusal(where, f"it is a link to '{member.target}', not to '{file.target}'")
    else:
        found = hashed.sum(file.sum.kind, member)
    if found != file.sum:
        raise _refusal(
            where,
            f"the checksum is {str(found)[:18]}..., but the manifest says {str(file.sum)[:18]}...",
        )


class _Hashed:
    """The files of a package, each hashed once: a file may have any number of hard links."""

    def __init__(self, contents: IO[bytes], advance: Callable[[int], None]) -> None:
        self._contents = contents
        self._advance = advance
        self._known: dict[tuple[str, checksum.Kind], Checksum] = {}

    def sum(self, kind: checksum.Kind, member: Member) -> Checksum:
        key = member.path, kind
        if key not in self._known:
            self._known[key] = self._hash(kind, member)
        return self._known[key]

    def _hash(self, kind: checksum.Kind, member: Member) -> Checksum:
        hashed = kind.new()
        self._contents.seek(member.offset)
        left = member.size
        while left and (data := self._contents.read(min(left, checksum.CHUNK))):
            self._advance(0)
            hashed.update(data)
            left -= len(data)
        return Checksum(kind, hashed.digest())


def _refusal(where: str, problem: str) -> Refusal:
    return Refusal(
        where,
        problem,
        "Do not use this package. Fetch it again from a source that you trust",
    )
