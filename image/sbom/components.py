"""The components of an image, as its bill of materials lists them."""

from dataclasses import dataclass
from enum import Enum

from image.base.sets import BaseSets
from image.base.userland import userland
from image.freeze.frozen import Module
from image.packages.repository import VerifiedPackage
from image.sbom.base_software import BaseSoftware
from image.tree import Tree


class Part(Enum):
    """The part of the image that a component belongs to; the value is that of its property
    ``exitisp:part``."""

    BASE = "base"
    BASE_SOFTWARE = "base-software"
    PACKAGE = "package"
    OVERLAY = "overlay"
    WIZARD = "wizard"
    MODULE = "module"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class BaseSet:
    """A set of the base system. `file` is ``base.txz``; `version` is the system's own
    (``15.0-RELEASE-p2``) or empty; `build` is the number of HardenedBSD's build."""

    file: str
    version: str
    sha256: str
    provenance: str
    build: int | None = None


@dataclass(frozen=True, slots=True)
class AppliedOverlay:
    """An overlay, and the SHA-256 of everything in it."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Wizard:
    """The frozen program: the SHA-256 of all of it, third-party modules in it, and the packages
    that its interpreter and libraries come from. Those are not installed."""

    sha256: str
    modules: tuple[Module, ...]
    packages: tuple[VerifiedPackage, ...] = ()


@dataclass(frozen=True, slots=True)
class Sbom:
    """What an image was made of. `time`, in seconds since 1970, is the modification time of its new
    files."""

    image: str
    time: int
    base: tuple[BaseSet, ...]
    software: tuple[BaseSoftware, ...] = ()
    packages: tuple[VerifiedPackage, ...] = ()
    overlays: tuple[AppliedOverlay, ...] = ()
    wizard: Wizard | None = None


def base_sets(sets: BaseSets, base: Tree) -> tuple[BaseSet, ...]:
    """Return both sets as components. `base` is the tree of the base system."""
    version = userland(base)
    return tuple(
        BaseSet(one.path.name, version, one.sha256, one.provenance, sets.build)
        for one in (sets.base, sets.kernel)
    )
