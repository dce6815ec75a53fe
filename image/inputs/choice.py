"""Choose the base system of a build: the real one if it can be had, else the rehearsal."""

import sys
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.artifacts import Base
from image.base.source import BaseSource
from image.download.errors import Unreachable
from image.download.timeouts import PATIENCE, Patience
from image.inputs.base_sets import obtain


def choose(
    wanted: Base | None,
    sets: Path | None,
    lock_path: Path,
    cache: Path,
    *,
    patience: Patience = PATIENCE,
) -> BaseSource | None:
    """Return the base sets to build from, as `obtain` does; None for a rehearsal.

    A rehearsal is built if it is `wanted`, or if nothing is wanted, there are no sets here and no
    mirror can be reached; standard error then says so. Raises Refusal.
    """
    if wanted is Base.REHEARSAL:
        if sets is not None:
            raise Refusal(
                "--sets",
                f"a rehearsal is made of Debian's packages and takes no sets, but {sets} is given",
                "Leave out --sets or --base rehearsal",
            )
        return None
    try:
        return obtain(sets, lock_path, cache, patience=patience)
    except Unreachable as refusal:
        if wanted is not None:
            raise
        print(f"exitisp: {refusal}", file=sys.stderr)
        print(
            "exitisp: THIS BUILDS A REHEARSAL, from Debian's packages on Linux; it is not for the "
            "Internet.",
            file=sys.stderr,
        )
        return None
