"""The lock file: the build of HardenedBSD for an image, the key that signs it, and the packages.

The project's repository has it without key and pins, because they are unknown until a machine has
reached the mirrors; from then on builds use only what is pinned.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image import atomic_files
from image.download.url import Folder, Url
from image.packages import catalogue, manifest
from image.packages.location import RepositoryUrl
from image.seen import SeenBase, SeenCatalogue
from image.ssh_signature import Principal, PublicKey, Signer

BASE_FILE = "base.txz"
KERNEL_FILE = "kernel.txz"


class Schema(int):
    """The version of the lock file's shape."""

    @classmethod
    def parse(cls, text: str) -> "Schema":
        if text != "1":
            raise ValueError("schema 1, the one that this version of exitisp reads")
        return cls(1)


class Sha256(str):
    """64 hexadecimal digits."""

    @classmethod
    def parse(cls, text: str) -> "Sha256":
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise ValueError("a SHA-256 of 64 hexadecimal digits")
        return cls(text)


class Natural(int):
    """A whole number from 1 on."""

    @classmethod
    def parse(cls, text: str) -> "Natural":
        if not re.fullmatch(r"[1-9][0-9]{0,14}", text):
            raise ValueError("a whole number from 1 on")
        return cls(text)


class PackageName(str):
    """What a package is called, without its version."""

    @classmethod
    def parse(cls, text: str) -> "PackageName":
        if not manifest.NAME.fullmatch(text):
            raise ValueError("a package's name such as tor")
        return cls(text)


class PackageVersion(str):
    """A package's version as pkg writes it, with revision and epoch."""

    @classmethod
    def parse(cls, text: str) -> "PackageVersion":
        if not manifest.VERSION.fullmatch(text):
            raise ValueError("a package's version such as 0.4.8.14_1")
        return cls(text)


class PackagePath(str):
    """Where a package lies in its repository."""

    @classmethod
    def parse(cls, text: str) -> "PackagePath":
        if not catalogue.PATH.fullmatch(text):
            raise ValueError("a path below the repository such as All/tor-0.4.8.pkg")
        return cls(text)


@dataclass(frozen=True, slots=True)
class SetPin:
    """One set: its hash, its size in bytes, and whether it was signed when it was pinned."""

    sha256: Sha256
    size: Natural
    signed: bool


@dataclass(frozen=True, slots=True)
class Pin:
    """A build of the operating system, by number and content."""

    build: Natural
    base: SetPin
    kernel: SetPin

    @property
    def sets(self) -> dict[str, SetPin]:
        """By file name."""
        return {BASE_FILE: self.base, KERNEL_FILE: self.kernel}


@dataclass(frozen=True, slots=True)
class PackagePin:
    """A package by its content. `path` is its path in the repository, `size` is in bytes. `needs`
    names the other packages that it needs, directly or through another."""

    name: PackageName
    version: PackageVersion
    path: PackagePath
    sha256: Sha256
    size: Natural
    needs: tuple[PackageName, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseRepository:
    """A repository with a base system as packages, the fingerprint of the only key that may sign
    it, the newest catalogue that was seen, and the pinned packages, the needs of one before it; all
    None until they are known."""

    repository: RepositoryUrl
    key: Sha256 | None = None
    pins: tuple[PackagePin, ...] | None = None
    seen: SeenCatalogue | None = None


UPSTREAM_BASE = BaseRepository(
    RepositoryUrl("https://pkgbase.hardenedbsd.org/pkgbase/HardenedBSD/${ABI}/")
)
"""What a lock file means that does not speak of a base system as packages."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where the base system comes from; its key, its pin and the newest that was seen, once they
    are known. `packages` is where it comes from as packages."""

    location: Folder
    key_location: Url
    principal: Principal
    key: PublicKey | None = None
    pin: Pin | None = None
    packages: BaseRepository = UPSTREAM_BASE
    seen: SeenBase | None = None

    @property
    def signer(self) -> Signer | None:
        return Signer(self.principal, self.key) if self.key else None


@dataclass(frozen=True, slots=True)
class Packages:
    """The repository and the pinned packages; the needs of a package come before it.

    `key` is the fingerprint of the only key that may sign the repository's catalogue; without one,
    any key does that the base trusts. `signer` is the fingerprint of the key that had signed the
    catalogue when the packages were pinned, `seen` the newest catalogue so far. No `pins` at all is
    not the same as an empty list of them.
    """

    repository: RepositoryUrl
    signer: Sha256 | None = None
    pins: tuple[PackagePin, ...] | None = None
    key: Sha256 | None = None
    seen: SeenCatalogue | None = None


UPSTREAM = Packages(
    RepositoryUrl("https://pkg.hardenedbsd.org/HardenedBSD/pkg/${ABI}/"),
    key=Sha256("3ebc94fa484c6fa28112b6fa66cb2fc82388b8976a7a9558babf39b13da814da"),
)
"""What a lock file means that does not speak of packages."""


@dataclass(frozen=True, slots=True)
class Lock:
    schema: Schema
    base: Base
    packages: Packages = UPSTREAM


def load(path: Path) -> Lock:
    """Read the lock file. Raises Refusal, also for pins without the key of their signer, and for
    a package that is pinned twice."""
    read = document.load(path, Lock)
    base, packages = read.value.base, read.value.packages
    if base.pin and not base.key:
        raise Refusal(
            read.where("base", "pin"),
            "the build is pinned, but the signer's key is missing",
            "Restore the file from its repository, or empty pin and run ./exitisp lock --update",
        )
    if base.packages.pins and not base.packages.key:
        raise Refusal(
            read.where("base", "packages", "pins"),
            "packages are pinned, but the fingerprint of the repository's key is missing",
            "Empty pins and run ./exitisp lock --update",
        )
    if packages.pins and not packages.signer:
        raise Refusal(
            read.where("packages", "pins"),
            "packages are pinned, but the fingerprint of the repository's key (signer) is missing",
            "Empty pins and run ./exitisp lock --update",
        )
    for place, pins in (
        (("base", "packages", "pins"), base.packages.pins),
        (("packages", "pins"), packages.pins),
    ):
        _check_pins(read, place, pins or ())
    return read.value


def _check_pins(read: Document[Lock], place: tuple[str, ...], pins: tuple[PackagePin, ...]) -> None:
    seen = set()
    for at, pin in enumerate(pins):
        if pin.name in seen:
            raise Refusal(
                read.where(*place, at),
                f"{pin.name} is pinned twice",
                "Empty pins and run ./exitisp lock --update",
            )
        seen.add(pin.name)
    for at, pin in enumerate(pins):
        if lost := [name for name in pin.needs if name not in seen]:
            raise Refusal(
                read.where(*place, at, "needs"),
                f"{pin.name} needs {lost[0]}, which is not pinned",
                "Empty pins and run ./exitisp lock --update",
            )


def write(path: Path, lock: Lock) -> None:
    """Write the lock file with its comments. Raises Refusal, and then leaves the old file."""
    atomic_files.replace(path, render(lock).encode())


def render(lock: Lock) -> str:
    base, packages = lock.base, lock.packages
    pin = f"\n{_render_pin(base.pin)}" if base.pin else ""
    return _TEXT.format(
        schema=lock.schema,
        location=base.location,
        key_location=base.key_location,
        principal=base.principal,
        key=f" {base.key}" if base.key else "",
        pin=pin,
        seen=_render_seen_base(base.seen),
        base_repository=base.packages.repository,
        base_package_key=f" {base.packages.key}" if base.packages.key else "",
        base_seen=indent(_render_seen_catalogue(base.packages.seen), "  "),
        base_pins=indent(_render_packages(base.packages.pins), "  "),
        repository=packages.repository,
        package_key=f" {packages.key}" if packages.key else "",
        signer=f" {packages.signer}" if packages.signer else "",
        packages_seen=_render_seen_catalogue(packages.seen),
        pins=_render_packages(packages.pins),
    )


def _render_packages(pins: tuple[PackagePin, ...] | None) -> str:
    if not pins:
        return "" if pins is None else " []"
    return "".join(
        f'\n    - {{name: "{one.name}", version: "{one.version}", size: {one.size},\n'
        f"       sha256: {one.sha256},\n"
        f'       path: "{one.path}"{_render_needs(one)}}}'
        for one in pins
    )


def _render_needs(pin: PackagePin) -> str:
    names = ", ".join(f'"{name}"' for name in pin.needs)
    return f",\n       needs: [{names}]" if names else ""


def _render_seen_base(seen: SeenBase | None) -> str:
    if seen is None:
        return ""
    return (
        f'\n    release: "{seen.release}"\n    number: {seen.number}\n    base: "{seen.base}"\n'
        f'    kernel: "{seen.kernel}"{_render_older(seen)}'
    )


def _render_seen_catalogue(seen: SeenCatalogue | None) -> str:
    if seen is None:
        return ""
    built = f' "{seen.built}"' if seen.built else ""
    return f"\n    built:{built}{_render_older(seen)}"


def _render_older(seen: SeenBase | SeenCatalogue) -> str:
    return f'\n    older: "{seen.older}"' if seen.older else ""


def _render_pin(pin: Pin) -> str:
    lines = [f"    build: {pin.build}"]
    for name, one in (("base", pin.base), ("kernel", pin.kernel)):
        lines += [
            f"    {name}:",
            f"      sha256: {one.sha256}",
            f"      size: {one.size}",
            f"      signed: {'yes' if one.signed else 'no'}",
        ]
    return "\n".join(lines)


_TEXT = """\
# What an image is made from, to the byte. `./exitisp lock --update` writes this file (comments of
# your own are not kept); whoever shares it shares the decision. Commit it.
schema: {schema}

base:
  # The folder on the mirror that holds the build-N folders. LATEST beside them moves, and is
  # never used.
  location: {location}

  # Where the public key of the build server is published, and the name that it signs under.
  key_location: {key_location}
  principal: {principal}

  # That key (OpenSSH). Empty until a machine has reached the mirror: the first update reads it
  # over TLS and shows its fingerprint. From then on another key is refused; to replace it on
  # purpose: ./exitisp lock --update --accept-key FINGERPRINT
  key:{key}

  # The build, and the hash and size in bytes of its sets. `signed: no`: upstream offered no
  # signature when the set was pinned, and the image's manifest says so. An update never goes from
  # signed to unsigned; to do that on purpose, empty `pin` first.
  pin:{pin}

  # The newest build so far, by what is inside of its sets: its release, its number
  # (__FreeBSD_version), and when base and kernel were built. An update goes back to nothing older;
  # to do that on purpose: ./exitisp lock --update --allow-older REASON, and the reason stays here.
  seen:{seen}

  # Where the base system comes as packages (pkgbase). An update pins these if no build is pinned
  # and the folder above has none, or if they are pinned.
  packages:
    repository: {base_repository}

    # The fingerprint of the only key that may sign the catalogue. Empty until a machine has reached
    # the repository: the first update takes the key that signs there, and shows it. From then on
    # another key is refused; to replace it on purpose, empty `key` and `pins` first.
    key:{base_package_key}

    # The newest catalogue so far: when the youngest of its packages was built, if they tell.
    seen:{base_seen}

    # The packages of the base system and its kernel.
    pins:{base_pins}

packages:
  # The repository; ${{ABI}} stands for FreeBSD:15:amd64. Its catalogue must be signed by a key
  # that the base trusts (/usr/share/keys/pkg).
  repository: {repository}

  # The fingerprint of the only key that may sign the catalogue. HardenedBSD's base trusts the keys
  # of two projects; only one of them signs this repository. Empty: any key that the base trusts.
  key:{package_key}

  # The fingerprint of the key that had signed the catalogue when the packages were pinned.
  signer:{signer}

  # The newest catalogue so far: when the youngest of its packages was built, if they tell. An older
  # one is refused unless --allow-older REASON is given, and the reason stays here.
  seen:{packages_seen}

  # The packages that the overlays ask for, Python for the freeze, and what those need; a build
  # takes of them what it asks for. The repository is a rolling one: it forgets old packages. An
  # update loses none of them and goes back to no older version, unless --allow-older REASON is
  # given.
  pins:{pins}
"""
