"""The base system of an image: given by hand, cached or downloaded, and always verified."""

import sys
from collections.abc import Sequence
from pathlib import Path

from image import lock
from image.base.packages import is_repository, open_packages
from image.base.plant import plant_all
from image.base.sets import open_local, open_pinned
from image.base.source import BaseSource, unpack
from image.download.cache import alone_in
from image.download.timeouts import PATIENCE, Patience
from image.inputs import pin_base, pin_base_packages
from image.overlay import Overlay, dropping
from image.tree import Tree


def obtain(
    sets: Path | None, lock_path: Path, cache: Path, *, patience: Patience = PATIENCE
) -> BaseSource:
    """Return the base system to build from: `sets` if given, else the one that the lock pins.

    The folder `sets` may also be a repository with the packages of a base system. The pinned sets
    are taken from `cache`, or else downloaded into it. A lock without a pin is updated first, and
    standard error says so. Raises Refusal.
    """
    base = lock.load(lock_path).base
    if sets is not None:
        if is_repository(sets):
            return open_packages(sets, base, cache)
        return open_local(sets, base)
    with alone_in(cache):
        if base.pin is None and base.packages.pins is None:
            print(f"{lock_path} pins no base system yet; pinning the newest build", file=sys.stderr)
            print(pin_base.pin_newest(lock_path, cache, None, patience), file=sys.stderr)
            base = lock.load(lock_path).base
        if base.pin is None:
            return pin_base_packages.bring(base.packages, cache / pin_base.PACKAGES, patience)
        found = open_pinned(cache, base.pin, base)
        if found is None:
            pin_base.download(base, base.pin, lock_path, cache, patience)
            found = open_pinned(cache, base.pin, base)
            assert found
        return found


def base_tree(base: BaseSource, overlays: Sequence[Overlay], cache: Path) -> Tree:
    """Return the base system without its kernel as a tree, without what the overlays drop. Raises
    Refusal."""
    unpacked = unpack(base, *dropping(overlays), cache, kernel=False)
    for one in unpacked.stored:
        if not one.fresh:
            one.verify()
    tree, _ = plant_all(unpacked)
    return tree
