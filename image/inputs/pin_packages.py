"""Pin the newest packages of the repository that the lock file names."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from image import lock
from image.download.timeouts import PATIENCE, Patience
from image.inputs import freshness
from image.inputs.base_sets import base_tree
from image.inputs.base_sets import obtain as obtain_sets
from image.inputs.pins import pin
from image.lock import Lock, PackageName, PackagePin, Sha256
from image.overlay import Overlay
from image.packages.catalogue import Catalogue, Listed
from image.packages.location import place
from image.packages.repository import Word, bring, open_repository
from image.packages.selection import Missing, solve_newest
from image.packages.solver import base_shlibs, solve
from image.packages.trust import Keys
from image.seen import Reason
from image.tree import Tree


def update(
    lock_path: Path,
    overlays: Sequence[Overlay],
    cache: Path,
    *,
    allow_older: Reason | None = None,
    patience: Patience = PATIENCE,
) -> str:
    """Pin the newest packages for the pinned base system, and return what changed as text.

    `cache` has the folders ``sets``, ``packages`` and ``unpacked``; `allow_older` is why an older
    catalogue may be taken. Raises Refusal, and leaves the lock file as it was.
    """
    sets = obtain_sets(None, lock_path, cache / "sets", patience=patience)
    base = base_tree(sets, overlays, cache)
    return pin_newest(lock_path, overlays, base, cache / "packages", patience, allow_older)


def pin_newest(
    lock_path: Path,
    overlays: Sequence[Overlay],
    base: Tree,
    cache: Path,
    patience: Patience = PATIENCE,
    allow_older: Reason | None = None,
) -> str:
    """Pin the packages that the overlays ask for and those that they need, verified in `cache`;
    return what changed as text.

    `base` is the tree of the base system: only its keys are trusted. Raises Refusal, and leaves
    the lock file as it was, also for an older catalogue, and for one in which a pinned package is
    gone or older, unless `allow_older` says why.
    """
    old = lock.load(lock_path)
    there = place(old.packages.repository, patience)
    keys = Keys.of_tree(base)
    if old.packages.key:
        keys = keys.only(old.packages.key, f"{lock_path}: packages: key")
    repository = open_repository(there, keys)
    seen = freshness.check_catalogue(
        old.packages.pins or (),
        old.packages.seen,
        repository.catalogue,
        there.where(""),
        allow_older,
    )
    listed, missing = solve_newest(repository, overlays, base)
    word = Word(
        f"listed in a catalogue signed by {repository.signer}",
        "the repository's catalogue",
        "Try again later: the repository is just being renewed",
    )
    needs = _needs(listed, base)
    pins = tuple(
        pin(one, needs[one.listed.package.name]) for one in bring(there, listed, word, cache)
    )
    new = replace(
        old, packages=replace(old.packages, signer=Sha256(repository.signer), pins=pins, seen=seen)
    )
    if new != old:
        lock.write(lock_path, new)
    return summary(old, new, repository.signer_name, missing, lock_path)


def summary(
    old: Lock, new: Lock, signer_name: str, missing: Sequence[Missing], lock_path: Path
) -> str:
    """Describe an update of the packages, one line for each change."""
    before = {one.name: one for one in old.packages.pins or ()}
    after = {one.name: one for one in new.packages.pins or ()}
    if new == old:
        lines = [f"{lock_path}: its {len(after)} packages are still the newest; nothing changed"]
    else:
        was = "the first" if old.packages.pins is None else f"before: {len(before)}"
        lines = [f"{lock_path}: {len(after)} packages are pinned ({was})"]
        lines += [_change(before.get(name), after.get(name)) for name in sorted(before | after)]
    if new.packages.seen and new.packages.seen.built:
        lines.append(f"  the youngest package was built {new.packages.seen.built}")
    if new.packages.signer != old.packages.signer:
        replaces = f", replaces {old.packages.signer}" if old.packages.signer else ""
        lines.append(
            f"  signed by {new.packages.signer} ({signer_name}), which the base trusts{replaces}"
        )
    lines += [f"  {one}" for one in missing]
    return "\n".join(line for line in lines if line)


def _change(before: PackagePin | None, after: PackagePin | None) -> str:
    if after is None:
        assert before
        return f"  removed   {before.name} {before.version}"
    if before is None:
        return f"  added     {after.name} {after.version} ({after.size} bytes)"
    if before.version != after.version:
        return f"  upgraded  {after.name} {before.version} -> {after.version}"
    if before.sha256 != after.sha256:
        return f"  rebuilt   {after.name} {after.version}"
    return ""


def _needs(listed: Sequence[Listed], base: Tree) -> dict[str, tuple[PackageName, ...]]:
    """Return for each package the others that it needs, directly or through another."""
    catalogue, shlibs = Catalogue(tuple(listed)), base_shlibs(base)
    return {
        name: tuple(
            PackageName(other.package.name)
            for other in solve([name], catalogue, shlibs)
            if other.package.name != name
        )
        for name in (one.package.name for one in listed)
    }
