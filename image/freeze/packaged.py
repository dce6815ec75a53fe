"""The target's Python from a package repository. It is requested like the packages of an overlay,
but only the freeze uses it, and it is not installed.

This host decides which one, because byte code works with one minor version only. A repository has
several.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from firstboot.core.document import Document
from image.freeze.interpreter import HOST, no_python
from image.freeze.target_python import Packages
from image.overlay import Overlay, Recipe, Wanted
from image.packages.catalogue import Catalogue
from image.packages.repository import VerifiedPackage
from image.packages.selection import choose
from image.packages.solver import solve

MINORS = range(11, 15)
"""Minor versions of Python 3 that a host or a repository may have."""


def package_of(minor: int) -> str:
    """Return the ports tree's name of Python 3.`minor`."""
    return f"python3{minor}"


def python_overlay(minors: Collection[int] = (HOST[1],)) -> Overlay:
    """Return an overlay that requests Python in these minor versions."""
    wanted = tuple(
        Wanted(
            package_of(minor),
            optional=True,
            reason=f"hosts whose Python is 3.{minor} cannot freeze the wizard",
        )
        for minor in minors
    )
    recipe = Recipe("The Python that the wizard is frozen with.", packages=wanted)
    return Overlay("freeze", Path(__file__).parent, Document("the freeze", recipe, {}))


def divide(
    packages: Sequence[VerifiedPackage],
    overlays: Sequence[Overlay],
    shlibs: Collection[str],
) -> tuple[tuple[VerifiedPackage, ...], Packages]:
    """Divide `packages`, which `overlays` and `python_overlay` requested, into those that
    `overlays` need and that are installed, and those that Python needs for the freeze. `shlibs` are
    the base's.

    Raises Refusal if this host's version of Python is not among them.
    """
    known = {one.listed.package.name: one for one in packages}
    python = package_of(HOST[1])
    if python not in known:
        others = (package_of(minor) for minor in MINORS)
        found = ", ".join(name for name in others if name in known)
        raise no_python("the package repository", found or f"no {python}", f"3.{HOST[1]}")
    catalogue = Catalogue(tuple(one.listed for one in packages))

    def needed(names: Sequence[str]) -> tuple[VerifiedPackage, ...]:
        return tuple(known[one.package.name] for one in solve(names, catalogue, shlibs))

    return needed(choose(overlays, known).names), Packages(needed([python]))
