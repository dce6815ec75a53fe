"""What is there when packages are asked for: overlays, a base system, a lock file."""

from pathlib import Path

from image import lock, overlay
from image.base.userland import HARDENED
from image.download.url import Folder, Url
from image.lock import Base, Lock, PackagePin, Packages, Schema
from image.packages.location import RepositoryUrl
from image.packages.trust import FOLDER
from image.ssh_signature import Principal
from image.tree import Tree, directory, file, parents
from tests.image.packages.repository import Signer, fingerprint_file

HBSD_VERSION = b'#!/bin/sh\nUSERLAND_VERSION="15.1-STABLE-HBSD"\n'
"""freebsd-version(1) of HardenedBSD's base."""


def asking(folder: Path, *rules: str) -> overlay.Overlay:
    """An overlay that asks for packages as `rules` of its overlay.yaml say."""
    folder.mkdir(parents=True)
    lines = "".join(f"- {rule}\n" for rule in rules)
    (folder / "overlay.yaml").write_text(f"description: x\npackages:\n{lines}")
    return overlay.load(folder)


def base_system(*trusted: Signer, revoked: tuple[Signer, ...] = ()) -> Tree:
    """A base system with fingerprints, and with libc.so.7."""
    tree = Tree()
    for path in ("lib", "usr", "usr/share", "usr/share/keys", FOLDER):
        tree[path] = directory()
    tree["lib/libc.so.7"] = file(b"")
    for kind, signers in (("trusted", trusted), ("revoked", revoked)):
        tree[f"{FOLDER}/{kind}"] = directory()
        for number, signer in enumerate(signers):
            tree[f"{FOLDER}/{kind}/key{number}"] = file(fingerprint_file(signer).encode())
    return tree


def hardened(base: Tree, *, by_version: bool) -> Tree:
    """Make `base` HardenedBSD's: its version says so, or one of HardenedBSD's programs is there."""
    path, data = ("bin/freebsd-version", HBSD_VERSION) if by_version else (HARDENED, b"")
    for above in parents(path):
        if above not in base:
            base[above] = directory()
    base[path] = file(data)
    return base


def write_lock(
    path: Path,
    repository: str,
    pins: tuple[PackagePin, ...] | None = None,
    signer: lock.Sha256 | None = None,
) -> Path:
    url = "https://mirror.example.org/pub/"
    base = Base(Folder(url), Url(f"{url}key"), Principal("builder"))
    packages = Packages(RepositoryUrl(repository), signer, pins)
    lock.write(path, Lock(Schema(1), base, packages))
    return path
