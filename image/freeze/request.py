"""A freeze as the command line requests it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.freeze.freezing import freeze
from image.freeze.frozen import Frozen
from image.freeze.packaged import divide, python_overlay
from image.freeze.target import Target
from image.freeze.target_python import Prefix
from image.freeze.verify import base_libraries
from image.inputs.base_sets import base_tree
from image.inputs.base_sets import obtain as obtain_sets
from image.inputs.packages import Given, Pinned, obtain
from image.overlay import Overlay
from image.packages.solver import base_shlibs


@dataclass(frozen=True, slots=True)
class Request:
    """FreeBSD's Python comes from `prefix`, or else from `packages`. `sets` is the folder of the
    base; without one, packages need the base that the file `lock` pins."""

    lock: Path
    sets: Path | None = None
    prefix: Path | None = None
    packages: Given | Pinned | None = None


def freeze_requested(
    target: Target, request: Request, overlays: Sequence[Overlay], cache: Path
) -> Frozen:
    """Return the wizard for `target`. `cache` has the folders ``sets``, ``packages``, ``freeze``
    and ``unpacked``. Raises Refusal."""
    place = cache / "freeze"
    if target is Target.LINUX or not (request.prefix or request.packages):
        return freeze(target, place)
    if request.prefix and not request.sets:
        return freeze(target, place, python=Prefix(request.prefix))
    sets = obtain_sets(request.sets, request.lock, cache / "sets")
    base = base_tree(sets, overlays, cache)
    libraries = base_libraries(base)
    if request.prefix:
        return freeze(target, place, python=Prefix(request.prefix), base=libraries)
    wanted = [*overlays, python_overlay()]
    obtained = obtain(request.packages, wanted, base, cache / "packages")
    _, python = divide(obtained.packages, overlays, base_shlibs(base))
    return freeze(target, place, python=python, base=libraries)
