"""A base system from its archives, which are sets or packages, to what a root tree is made of."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from image import store
from image.atomic_files import writing
from image.base.packages import BasePackages, parts
from image.base.sets import BaseSets, VerifiedSet
from image.packages.contents import Contents, unpack_all
from image.progress import step
from image.store import Unpacked

BaseSource = BaseSets | BasePackages


@dataclass(frozen=True, slots=True)
class UnpackedBase:
    """A base system in the store: what is planted, each part with its archive's name, in this
    order; and what is in the store. `packages` are the packages that it came as."""

    parts: tuple[tuple[str, Unpacked], ...]
    stored: tuple[Unpacked, ...]
    packages: tuple[Contents, ...] = ()

    @property
    def time(self) -> int:
        """The time of the youngest file, in seconds since 1970."""
        return max((one.mtime for _, part in self.parts for one in part.members), default=0)


def unpack(
    source: BaseSource,
    drop: Callable[[str], bool],
    drop_key: str,
    cache: Path,
    *,
    kernel: bool = True,
) -> UnpackedBase:
    """Unpack `source` into `cache`, without what `drop` says and `drop_key` stands for, and
    without its kernel unless `kernel`. Raises Refusal."""
    if isinstance(source, BaseSets):
        sets = (source.base, source.kernel) if kernel else (source.base,)
        unpacked = _unpack_sets(sets, drop, drop_key, cache)
        named = ((one.path.name, part) for one, part in zip(sets, unpacked, strict=True))
        return UnpackedBase(tuple(named), unpacked)
    wanted = [one for one in source.packages if kernel or one.listed.package.name != source.kernel]
    packages = unpack_all(wanted, cache)
    stored = tuple(one.unpacked for one in packages)
    return UnpackedBase(tuple(parts(packages, drop)), stored, packages)


def _unpack_sets(
    sets: tuple[VerifiedSet, ...], drop: Callable[[str], bool], drop_key: str, cache: Path
) -> tuple[Unpacked, ...]:
    """Unpack the sets in parallel, because xz is slow."""
    given_up = threading.Event()
    title = f"Unpack {' and '.join(one.path.name for one in sets)}"
    with (
        writing(cache),
        step(title, sum(one.size for one in sets)) as tell,
        ThreadPoolExecutor(2) as threads,
    ):

        def advance(amount: int) -> None:
            if given_up.is_set():
                raise EOFError("the other set is of no use")
            tell(amount)

        try:
            return tuple(
                threads.map(
                    lambda one: store.unpack(one, one.sha256, drop, drop_key, cache, advance), sets
                )
            )
        except BaseException:
            given_up.set()
            raise
