"""A base system that comes as packages (pkgbase) in place of sets.

Its repository is one like any other. It has a package for each part of the base, packages without
files whose dependencies are the parts of a set, and kernels. What base.txz has is the package
``FreeBSD-set-base``, what kernel.txz has is ``FreeBSD-kernel-generic``; other systems put another
name in the place of FreeBSD and of generic. Source: release/packages of FreeBSD 15.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image.archive import Member, without
from image.base.sets import BaseArchive
from image.lock import Base
from image.packages.catalogue import Catalogue, Listed
from image.packages.contents import Contents
from image.packages.location import Local, Remote
from image.packages.repository import VerifiedPackage, Word, bring, check_abi, open_repository
from image.packages.review import unread_scripts
from image.packages.reviewed import Reviewed
from image.packages.scripts.effects import NotUnderstood
from image.packages.scripts.script import Script, scripts
from image.packages.solver import solve
from image.packages.trust import Keys
from image.store import Unpacked
from image.tree import Kind, parents

KERNELS = ("hardenedbsd", "generic")
"""Kernels by the ends of their packages' names; the first that there is."""

CATALOGUES = ("packagesite.pkg", "data.pkg")
"""The files by which a folder is known as a repository."""

SET = re.compile(r"(?P<system>.+)-set-base")
"""The name of a package that needs all of a base system."""

_COMMAND = re.compile(
    r"\s*(?:/usr/s?bin/)?(?P<name>pwd_mkdb|services_mkdb|cap_mkdb|certctl)"
    r"(?: +[-A-Za-z0-9_./${}:+ ]*)?"
)
"""A line of a script of the base. Its arguments say where the system is that is installed."""

CERTIFICATES = "certctl"
"""The command that puts certificates where programs look for them. The others make databases: the
image has none of accounts, and the C library reads the text where there is none of others."""


@dataclass(frozen=True, slots=True)
class BasePackages:
    """The packages of a base system, those that one needs before it. `kernel` is the name of the
    kernel's. They have no build number."""

    packages: tuple[VerifiedPackage, ...]
    kernel: str
    build: None = None

    @property
    def archives(self) -> tuple[BaseArchive, ...]:
        return tuple(
            BaseArchive(f"{one.listed.package.full_name}.pkg", one.sha256, one.size, one.provenance)
            for one in self.packages
        )


def stands_for_base(file: str) -> bool:
    """Return whether a package's file is that of a whole base system: FreeBSD-set-base-15.1.pkg."""
    return re.match(r".+-set-base-[^-]+\.pkg$", file) is not None


def is_repository(folder: Path) -> bool:
    """Return whether there is a package repository in `folder`."""
    return any((folder / name).is_file() for name in CATALOGUES)


_OTHER_KEY = (
    "Do not use this repository, unless upstream has announced a new key: then empty `key` and "
    "`pins` of base: packages: in the lock file"
)


@dataclass(frozen=True, slots=True)
class Found:
    """The packages of a base system in a repository, those that one needs before it; the name of
    its kernel's; the fingerprint of the key that signs the catalogue; and that."""

    listed: tuple[Listed, ...]
    kernel: str
    signer: str
    catalogue: Catalogue


def find(place: Local | Remote, key: str | None, where: str) -> Found:
    """Find the newest base system in the repository at `place`, which must be signed: by the key
    with that fingerprint, which is in the lock file at `where`, or by any if it is None. Raises
    Refusal."""
    keys = Keys({key: where}, {}, remedy=_OTHER_KEY) if key else None
    repository = open_repository(place, keys)
    catalogue = repository.catalogue
    names = choose([one.package.name for one in catalogue.listed], place.where(""))
    solution = solve(names, catalogue, frozenset())
    check_abi(solution)
    return Found(solution, names[1], repository.signer, catalogue)


def open_packages(folder: Path, known: Base, cache: Path) -> BasePackages:
    """Verify the packages of the base system in the repository `folder`, given with --sets.

    If the lock names the key of the base's packages, it has to be that key; else the key is told,
    and trusted as far as whoever named the folder trusts it. Raises Refusal.
    """
    key = known.packages.key
    found = find(Local(folder), key, "the lock file: base: packages: key")
    signed = f"listed in a catalogue signed by {found.signer}"
    word = Word(
        signed if key else f"{signed}, a key that the lock file does not name; given with --sets",
        "the repository's catalogue",
        "Give a complete repository. One that is just being renewed is complete soon",
    )
    return BasePackages(bring(Local(folder), found.listed, word, cache), found.kernel)


def choose(offered: Iterable[str], where: str) -> tuple[str, str]:
    """Return which of the names `offered` are those of the packages that stand for base.txz and for
    kernel.txz. Raises Refusal."""
    names = set(offered)
    systems = sorted(match["system"] for match in map(SET.fullmatch, names) if match)
    if len(systems) != 1:
        raise Refusal(
            where,
            f"the packages of {len(systems)} base systems: {', '.join(systems)}"
            if systems
            else "no package such as FreeBSD-set-base, which stands for a whole base system",
            "Name the repository of one base system, or a folder with base.txz and kernel.txz",
        )
    (system,) = systems
    for kernel in KERNELS:
        if f"{system}-kernel-{kernel}" in names:
            return f"{system}-set-base", f"{system}-kernel-{kernel}"
    others = sorted(name for name in names if name.startswith(f"{system}-kernel-"))
    raise Refusal(
        where,
        f"no package {system}-kernel-{' or '.join(KERNELS)}, only "
        f"{', '.join(others) or 'no kernel at all'}",
        "Use a repository with the kernel that HardenedBSD or FreeBSD builds by default",
    )


def parts(packages: Sequence[Contents], drop: Callable[[str], bool]) -> list[tuple[str, Unpacked]]:
    """Return what `packages` have, as sets have it: directories first, and without dropped files,
    whatever their names are. Directories that no package describes belong to root.

    Raises Refusal for a directory that two packages describe differently.
    """
    members = [member for one in packages for member in one.members]
    kept = {member.path for member in without(members, drop)}
    folders: dict[str, tuple[str, Member]] = {}
    for one in packages:
        for member in one.members:
            if member.kind is not Kind.DIRECTORY or member.path not in kept:
                continue
            other, first = folders.setdefault(member.path, (one.name, member))
            if _facts(first) != _facts(member):
                raise Refusal(
                    f"{one.name}: /{member.path}",
                    f"{other} gives this directory another mode, owner or group",
                    "Use packages of one build",
                )
    for member in members:
        if member.path in kept:
            for above in parents(member.path):
                folders.setdefault(above, ("", _folder(above, member.mtime)))
    ordered = [folders[path][1] for path in sorted(folders)]
    return [
        (packages[0].name, replace(packages[0].unpacked, members=ordered)),
        *((one.name, replace(one.unpacked, members=list(_files(one, kept)))) for one in packages),
    ]


def _files(contents: Contents, kept: set[str]) -> Iterator[Member]:
    return (one for one in contents.members if one.kind is not Kind.DIRECTORY and one.path in kept)


def _facts(member: Member) -> tuple[int, str, str, int]:
    return member.mode, member.owner, member.group, member.flags


def _folder(path: str, time: int) -> Member:
    return Member(path, Kind.DIRECTORY, 0o755, "root", "wheel", mtime=time)


def commands(script: Script) -> set[str]:
    """Return the names of the commands of a script of the base. Raises NotUnderstood for anything
    but the commands that base packages have."""
    if not script.name.endswith(".sh"):
        raise NotUnderstood("is no script for sh(1)")
    found = set()
    for line in filter(str.strip, script.text.split("\n")):
        command = _COMMAND.fullmatch(line)
        if not command:
            raise NotUnderstood(f"runs '{line.strip()}'")
        found.add(command["name"])
    return found


def review(packages: Sequence[Contents], reviewed: Document[Reviewed]) -> set[str]:
    """Return the commands in the scripts of a base system's packages. Raises Refusal with all
    scripts that are neither understood nor reviewed; standard error has their texts."""
    known = {one.sha256 for one in reviewed.value.scripts}
    found, unread = set[str](), []
    for contents in packages:
        for script in scripts(contents):
            if script.sha256 in known:
                continue
            try:
                found |= commands(script)
            except NotUnderstood as why:
                unread.append((contents.name, script, str(why)))
    if unread:
        raise unread_scripts(reviewed.name, unread)
    return found
