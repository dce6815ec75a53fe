"""The packages of an image: from a given repository or pinned, and always verified."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import lock
from image.base.userland import is_hardened
from image.download.timeouts import PATIENCE, Patience
from image.inputs.pin_packages import pin_newest
from image.inputs.pins import described
from image.inputs.pins import listed as listed_as
from image.lock import UPSTREAM, Sha256
from image.overlay import Overlay
from image.packages.catalogue import Catalogue
from image.packages.location import place
from image.packages.repository import (
    VerifiedPackage,
    Word,
    bring,
    open_repository,
)
from image.packages.selection import Missing, choose, solve_newest
from image.packages.solver import base_shlibs, solve
from image.packages.trust import Keys
from image.tree import Tree

NONE = "none"
"""The value of --packages for an image without packages."""


@dataclass(frozen=True, slots=True)
class Given:
    """A repository that a person names: a folder or an address. `keys` is a folder of fingerprints
    to trust. Without it, the base's own keys are trusted; of those of HardenedBSD's base, which
    also trusts FreeBSD's, `key` alone unless it is None."""

    place: str
    keys: Path | None = None
    key: Sha256 | None = UPSTREAM.key


@dataclass(frozen=True, slots=True)
class Pinned:
    """The packages that the lock file pins. If it pins none yet and `first` is true, the newest
    packages are pinned first."""

    lock: Path
    first: bool = False


@dataclass(frozen=True, slots=True)
class Obtained:
    """Packages in the order of their installation, and what the repository lacked."""

    packages: tuple[VerifiedPackage, ...] = ()
    missing: tuple[Missing, ...] = ()


def source(packages: str, keys: str, lock_path: Path, *, first: bool) -> Given | Pinned | None:
    """Return what --packages and --package-keys ask for; None for an image without packages.

    Raises Refusal.
    """
    if keys and packages in ("", NONE):
        raise Refusal(
            "--package-keys",
            f"there is no repository to trust these keys for: --packages is "
            f"{packages or 'not given'}",
            "Give both options or neither. Without --packages, the keys of the base count",
        )
    if packages == NONE:
        return None
    if packages:
        return Given(packages, Path(keys) if keys else None, lock.load(lock_path).packages.key)
    if not first and lock.load(lock_path).packages.pins is None:
        raise _unpinned(lock_path)
    return Pinned(lock_path, first)


def obtain(
    source: Given | Pinned | None,
    overlays: Sequence[Overlay],
    base: Tree,
    cache: Path,
    *,
    patience: Patience = PATIENCE,
) -> Obtained:
    """Return the packages that the overlays ask for, and those that they need.

    `base` is the tree of the base system: its keys are trusted, and its libraries meet needs.
    `cache` is the folder for downloads. Standard error also tells what is missing.
    Raises Refusal.
    """
    if source is None:
        return Obtained()
    if isinstance(source, Given):
        found = _obtain_given(source, overlays, base, cache, patience)
    else:
        found = _obtain_pinned(source, overlays, base, cache, patience)
    for missing in found.missing:
        print(missing, file=sys.stderr)
    return found


def _obtain_given(
    given: Given, overlays: Sequence[Overlay], base: Tree, cache: Path, patience: Patience
) -> Obtained:
    repository = open_repository(place(given.place, patience), _keys(given, base))
    listed, missing = solve_newest(repository, overlays, base)
    truster = "--package-keys" if given.keys else "the base"
    word = Word(
        f"given with --packages, listed in a catalogue signed by {repository.signer} "
        f"({repository.signer_name}), which {truster} trusts",
        "the repository's catalogue",
        "Give a complete repository. One that is just being renewed is complete soon",
    )
    return Obtained(bring(repository.place, listed, word, cache), missing)


def _keys(given: Given, base: Tree) -> Keys:
    if given.keys:
        return Keys.of_folder(given.keys).revoking(base)
    keys = Keys.of_tree(base)
    if given.key and is_hardened(base):
        return keys.only(given.key, "the lock file: packages: key")
    return keys


def _obtain_pinned(
    pinned: Pinned, overlays: Sequence[Overlay], base: Tree, cache: Path, patience: Patience
) -> Obtained:
    locked = lock.load(pinned.lock).packages
    if locked.pins is None:
        if not pinned.first:
            raise _unpinned(pinned.lock)
        print(f"{pinned.lock} pins no packages yet; pinning the newest", file=sys.stderr)
        print(pin_newest(pinned.lock, overlays, base, cache, patience), file=sys.stderr)
        locked = lock.load(pinned.lock).packages
    word = Word(
        f"pinned; the catalogue was signed by {locked.signer} when it was",
        "the lock file",
        "Pin what the repository has now, for mirrors of a rolling branch remove old packages: "
        "./exitisp lock --update",
    )
    pins = {str(pin.name): pin for pin in locked.pins or ()}
    with _among_pins(pinned.lock):
        choice = choose(overlays, pins)
    needed = {name for one in choice.names for name in (one, *pins[one].needs)}
    listed = [listed_as(pin) for name, pin in pins.items() if name in needed]
    packages = [
        described(one) for one in bring(place(locked.repository, patience), listed, word, cache)
    ]
    known = {one.listed.package.name: one for one in packages}
    with _among_pins(pinned.lock):
        catalogue = Catalogue(tuple(one.listed for one in packages))
        solution = solve(choice.names, catalogue, base_shlibs(base))
    return Obtained(tuple(known[one.package.name] for one in solution), choice.missing)


def _unpinned(path: Path) -> Refusal:
    return Refusal(
        path,
        "no packages are pinned",
        f"Pin the newest with ./exitisp lock --update, or name a repository with --packages "
        f"DIR, or build without packages: --packages {NONE}",
    )


@contextmanager
def _among_pins(lock_path: Path) -> Iterator[None]:
    """Say in a refusal that only the pinned packages were searched, and that an update may help."""
    try:
        yield
    except Refusal as refusal:
        raise Refusal(
            refusal.where,
            f"{refusal.problem}, among the packages that {lock_path} pins",
            "Pin the newest packages: ./exitisp lock --update",
        ) from refusal
