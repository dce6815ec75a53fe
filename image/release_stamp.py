"""Write into the root tree which release an image is, and which keys sign its upgrades."""

import re
from dataclasses import dataclass
from pathlib import Path

from firstboot.core import release_info
from firstboot.core.limits import SMALL_FILE
from firstboot.core.refusal import Refusal
from firstboot.core.release_info import SIGNERS, VERSION, Stamp
from firstboot.site.model import SCHEMA
from image.base.userland import is_hardened, userland
from image.ssh_signature import PublicKey
from image.tree import Tree, directory, file, parents
from image.verified_file import read_regular

COMPARABLE = re.compile(
    r"[0-9]+(\.[0-9]+)*(-[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*)?(\+[A-Za-z0-9]+(\.[A-Za-z0-9]+)*)?"
)
"""Of it boxes know which of two is the later (`release_info.order`)."""

LONGEST_VERSION = 31


@dataclass(frozen=True, slots=True)
class Release:
    """The version, the commit that it is built from (empty if unknown), and the keys that may sign
    its upgrades: without a key it takes none."""

    version: str = VERSION
    keys: tuple[PublicKey, ...] = ()
    commit: str = ""


UNRELEASED = Release()


def stamp_of(release: Release, tree: Tree) -> Stamp:
    """Return the release information of an image; `tree` has the base."""
    system = "HardenedBSD" if is_hardened(tree) else "FreeBSD"
    return Stamp(release.version, f"{system} {userland(tree)}".strip(), SCHEMA, release.commit)


def plant(tree: Tree, release: Release, time: int) -> None:
    """Put the release information into the root tree; `time` is the mtime of its files."""
    files = {release_info.PLACE: release_info.render(stamp_of(release, tree))}
    if release.keys:
        files[SIGNERS] = release_info.allowed_signers(map(str, release.keys))
    for path, data in files.items():
        for above in parents(path):
            if above not in tree:
                tree[above] = directory(mtime=time)
        tree[path] = file(data, mtime=time)


def release(version: str, commit: str, keys: Path | None) -> Release:
    """Return the release of `version`, or the unreleased one if it is empty; `keys` is a file of
    its public keys. Raises Refusal."""
    if version:
        check_version(version)
    if not re.fullmatch("([0-9a-f]{7,64})?", commit):
        raise Refusal("--commit", f"'{commit}' is not the hash of a commit", "Take that of git log")
    return Release(version or VERSION, read_keys(keys) if keys else (), commit)


def read_keys(path: Path) -> tuple[PublicKey, ...]:
    """Read the public keys in the file at `path`, one a line. Raises Refusal."""
    try:
        lines = read_regular(path, SMALL_FILE).decode("utf-8", "replace").splitlines()
        keys = tuple(PublicKey.parse(line) for line in lines if line and not line.startswith("#"))
    except ValueError as error:
        raise _no_keys(path, str(error)) from error
    if not keys:
        raise _no_keys(path, "none")
    return keys


def _no_keys(path: Path, found: str) -> Refusal:
    return Refusal(
        path,
        f"no OpenSSH public keys, one a line: {found}",
        "Name the .pub file of the key that signs the releases",
    )


def check_version(version: str) -> None:
    """Raise Refusal for a version that boxes cannot compare with others, or that is no name."""
    if not COMPARABLE.fullmatch(version) or len(version) > LONGEST_VERSION:
        raise Refusal(
            f"version {version!r}",
            "a version is numbers with dots between them, then perhaps a hyphen and a pre-release, "
            f"or a plus and a build; at most {LONGEST_VERSION} characters",
            "Name it as in 2026.11 or 2026.11-rc1",
        )
