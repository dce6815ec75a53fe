"""The components of an image, as its bill of materials lists them."""

import hashlib
from dataclasses import dataclass
from enum import Enum

from image.base.source import BaseSource
from image.base.userland import userland
from image.freeze.frozen import Module
from image.kernel.kernel import KERNEL
from image.packages.repository import VerifiedPackage
from image.sbom.base_software import BaseSoftware
from image.tree import Kind, Tree


class Part(Enum):
    """The part of the image that a component belongs to; the value is that of its property
    ``exitisp:part``."""

    BASE = "base"
    BOOT = "boot"
    KERNEL = "kernel"
    BASE_SOFTWARE = "base-software"
    PACKAGE = "package"
    OVERLAY = "overlay"
    WIZARD = "wizard"
    MODULE = "module"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class BaseSet:
    """A set or package of the base system. `file` is ``base.txz``; `version` is the system's own
    (``15.0-RELEASE-p2``) or empty; `build` is the number of HardenedBSD's build."""

    file: str
    version: str
    sha256: str
    provenance: str
    build: int | None = None


@dataclass(frozen=True, slots=True)
class BaseFile:
    """A program of the base system that is a component of its own: `part` is BOOT or KERNEL, and
    `version` that of the system, or of the kernel."""

    part: Part
    path: str
    version: str
    sha256: str


BOOT = ("boot/pmbr", "boot/gptboot", "boot/gptboot.efi", "boot/loader", "boot/loader.efi")
"""The boot programs of an image, as far as the base has them."""


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
    files: tuple[BaseFile, ...] = ()


def base_files(base: Tree, kernel: str) -> tuple[BaseFile, ...]:
    """Return the boot programs and the kernel of a base system; `kernel` is the kernel's
    release."""
    version = userland(base)
    named = [*((Part.BOOT, path, version) for path in BOOT), (Part.KERNEL, KERNEL, kernel)]
    return tuple(
        BaseFile(part, path, known, hashlib.sha256(base[path].content.read()).hexdigest())
        for part, path, known in named
        if path in base and base[path].kind is Kind.FILE
    )


def base_sets(source: BaseSource, base: Tree) -> tuple[BaseSet, ...]:
    """Return the archives of the base system as components. `base` is its tree."""
    version = userland(base)
    return tuple(
        BaseSet(one.file, version, one.sha256, one.provenance, source.build)
        for one in source.archives
    )
