"""Which base system goes into an image: given by hand, cached, or downloaded; always verified."""

import sys
from pathlib import Path

from image.base import lock
from image.base.cache import alone_in
from image.base.sets import BaseSets, open_local, open_pinned
from image.base.timeouts import PATIENCE, Patience


def obtain(
    sets: Path | None, lock_path: Path, cache: Path, *, patience: Patience = PATIENCE
) -> BaseSets:
    """The base system to build from: `sets` if given, else what the lock pins.

    What is pinned is taken from `cache`, or else downloaded into it. A lock without a pin is
    updated first, and standard error says so. Raises Refusal.

    The client of the mirror is imported where it is needed: most builds do without.
    """
    base = lock.load(lock_path).base
    if sets is not None:
        return open_local(sets, base)
    with alone_in(cache):
        if base.pin is None:
            from image.base.pinning import pin_newest

            print(f"{lock_path} pins no base system yet; pinning the newest build", file=sys.stderr)
            print(pin_newest(lock_path, cache, None, patience), file=sys.stderr)
            base = lock.load(lock_path).base
            assert base.pin
        found = open_pinned(cache, base.pin, base)
        if found is None:
            from image.base.pinning import download

            download(base, base.pin, lock_path, cache, patience)
            found = open_pinned(cache, base.pin, base)
            assert found
        return found
