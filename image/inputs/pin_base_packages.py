"""A base system as packages: pin the newest of the repository, and bring the pinned ones."""

import sys
from dataclasses import replace
from pathlib import Path

from image import lock
from image.base import packages
from image.base.packages import BasePackages
from image.download.timeouts import Patience
from image.inputs import freshness
from image.inputs.pins import described, listed, pin
from image.lock import BaseRepository, Sha256
from image.packages.location import Remote, place
from image.packages.repository import Word
from image.packages.repository import bring as bring_verified
from image.seen import Reason


def pin_newest(
    lock_path: Path, cache: Path, patience: Patience, allow_older: Reason | None = None
) -> str:
    """Pin the newest base system of the repository that the lock names, verified in `cache`;
    return what changed as text.

    Raises Refusal, and leaves the lock file as it was, for another key, and for an older system
    unless `allow_older` says why.
    """
    old = lock.load(lock_path)
    known = old.base.packages
    there = place(known.repository, patience)
    found = packages.find(there, known.key, f"{lock_path}: base: packages: key")
    if known.key is None:
        print(f"{known.repository} is signed by {found.signer}", file=sys.stderr)
    seen = freshness.check_catalogue(
        known.pins or (), known.seen, found.catalogue, known.repository, allow_older
    )
    brought = bring_verified(there, found.listed, _word(found.signer, pinned=False), cache)
    pins = tuple(pin(one) for one in brought)
    new = replace(
        old,
        base=replace(
            old.base, packages=replace(known, key=Sha256(found.signer), pins=pins, seen=seen)
        ),
    )
    if new != old:
        lock.write(lock_path, new)
    return _summary(known, new.base.packages, lock_path)


def are_offered(known: BaseRepository, patience: Patience) -> bool:
    """Return whether there is a repository where the lock says. Raises Unreachable if no server
    answers."""
    there = place(known.repository, patience)
    return isinstance(there, Remote) and any(
        there.size(name) is not None for name in packages.CATALOGUES
    )


def bring(known: BaseRepository, cache: Path, patience: Patience) -> BasePackages:
    """Return the pinned packages, from `cache` or the repository. Raises Refusal."""
    assert known.pins
    assert known.key
    there = place(known.repository, patience)
    wanted = [listed(one) for one in known.pins]
    kernel = packages.choose([one.package.name for one in wanted], "the lock file: base: packages")
    brought = bring_verified(there, wanted, _word(known.key, pinned=True), cache)
    return BasePackages(tuple(map(described, brought)), kernel[1])


def _word(signer: str, *, pinned: bool) -> Word:
    return Word(
        f"signed by {signer}, as a part of its catalogue",
        "the lock file" if pinned else "the repository's catalogue",
        "Pin what the repository has now, for mirrors remove old builds: ./exitisp lock --update"
        if pinned
        else "Try again later: the repository is just being renewed",
    )


def _summary(old: BaseRepository, new: BaseRepository, lock_path: Path) -> str:
    pins = new.pins or ()
    if new == old:
        return f"{lock_path}: the base system's {len(pins)} packages are still the newest"
    was = f"before: {len(old.pins)}" if old.pins else "the first"
    main = next(one for one in pins if packages.SET.fullmatch(one.name))
    lines = [
        f"{lock_path}: {main.name} {main.version} is pinned, {len(pins)} packages ({was})",
        f"  signed by {new.key}",
    ]
    if old.key is None:
        lines[-1] += ", seen for the first time: compare it with another source"
    return "\n".join(lines)
