"""The base system of an image: given by hand, cached or downloaded, and always verified."""

import sys
from collections.abc import Sequence
from pathlib import Path

from image import lock, progress, store
from image.atomic_files import writing
from image.base.sets import BaseSets, VerifiedSet, open_local, open_pinned
from image.download.cache import alone_in
from image.download.timeouts import PATIENCE, Patience
from image.inputs import pin_base
from image.overlay import Overlay, dropping
from image.populate import plant, read_accounts
from image.tree import Tree


def obtain(
    sets: Path | None, lock_path: Path, cache: Path, *, patience: Patience = PATIENCE
) -> BaseSets:
    """Return the base system to build from: `sets` if given, else the one that the lock pins.

    The pinned sets are taken from `cache`, or else downloaded into it. A lock without a pin is
    updated first, and standard error says so. Raises Refusal.
    """
    base = lock.load(lock_path).base
    if sets is not None:
        return open_local(sets, base)
    with alone_in(cache):
        if base.pin is None:
            print(f"{lock_path} pins no base system yet; pinning the newest build", file=sys.stderr)
            print(pin_base.pin_newest(lock_path, cache, None, patience), file=sys.stderr)
            base = lock.load(lock_path).base
            assert base.pin
        found = open_pinned(cache, base.pin, base)
        if found is None:
            pin_base.download(base, base.pin, lock_path, cache, patience)
            found = open_pinned(cache, base.pin, base)
            assert found
        return found


def base_tree(base: VerifiedSet, overlays: Sequence[Overlay], cache: Path) -> Tree:
    """Return the base system as a tree, without what the overlays drop. Raises Refusal."""
    drop, drop_key = dropping(overlays)
    with writing(cache), progress.step(f"Unpack {base.path.name}", base.size) as advance:
        unpacked = store.unpack(base, base.sha256, drop, drop_key, cache, advance)
    if not unpacked.fresh:
        unpacked.verify()
    tree = Tree()
    plant(tree, unpacked, read_accounts(unpacked), base.path.name)
    return tree
