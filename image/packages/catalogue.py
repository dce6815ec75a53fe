"""What a repository has: compact manifests, each with path, size and checksum of its package.

pkg(8) publishes the same twice: ``packagesite.yaml``, one JSON object a line, and ``data``, one
object with the same entries as ``packages``, beside ``groups`` and ``expired_packages``, of which
nothing is made here. Source: libpkg's pkg_repo_create.c.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from firstboot.core.limits import CATALOGUE, CATALOGUE_ENTRY, CATALOGUE_LINES
from image.packages.checksum import Checksum
from image.packages.manifest import Package, malformed, parse_object, parse_package, quote

LARGEST_PACKAGE = 4 << 30
"""Bytes."""

PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.,@~:-]*(/[A-Za-z0-9_][A-Za-z0-9_+.,@~:-]*)*")
"""Where a package may lie in its repository."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A package of a repository: where its file is below the repository, what the file's bytes
    hash to, and its size in bytes."""

    package: Package
    path: str
    sum: Checksum
    size: int


@dataclass(frozen=True)
class Catalogue:
    """All packages of a repository, in its order. One name may be there in several versions."""

    listed: tuple[Listed, ...]
    _names: Mapping[str, tuple[Listed, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names: dict[str, tuple[Listed, ...]] = {}
        for one in self.listed:
            names[one.package.name] = (*names.get(one.package.name, ()), one)
        object.__setattr__(self, "_names", names)

    def by_name(self, name: str) -> tuple[Listed, ...]:
        """The versions of the package `name`; none if the repository does not have it."""
        return self._names.get(name, ())


def parse_packagesite(data: bytes, where: str) -> Catalogue:
    """Read ``packagesite.yaml``: a JSON object a line. Raises Refusal with `where`:line."""
    return _catalogue(
        (parse_object(line, f"{where}:{number}", CATALOGUE_ENTRY), f"{where}:{number}")
        for number, line in _lines(data, where)
        if line.strip()
    )


def _lines(data: bytes, where: str) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(BytesIO(data), start=1):
        if number > CATALOGUE_LINES:
            raise malformed(where, f"it has more than {CATALOGUE_LINES} lines")
        yield number, line.removesuffix(b"\n")


def parse_data(data: bytes, where: str) -> Catalogue:
    """Read ``data``: a JSON object with the list ``packages``. Raises Refusal."""
    packages = parse_object(data, where, CATALOGUE).get("packages")
    if not isinstance(packages, list):
        raise malformed(where, f"packages is {quote(packages)}, not a list")
    return _catalogue(
        (one, f"{where}: package {number}") for number, one in enumerate(packages, start=1)
    )


def _catalogue(entries: Iterable[tuple[Any, str]]) -> Catalogue:
    return Catalogue(tuple(_listed(entry, where) for entry, where in entries))


def _listed(entry: Any, where: str) -> Listed:
    if not isinstance(entry, dict):
        raise malformed(where, f"{quote(entry)} is not a JSON object")
    package = parse_package(entry, where)
    where = f"{where} ({package.full_name})"
    path = entry.get("path") or entry.get("repopath")
    if not isinstance(path, str) or not PATH.fullmatch(path):
        raise malformed(
            where, f"{quote(path)} is not a path below the repository such as All/tor-0.4.8.pkg"
        )
    size = entry.get("pkgsize")
    if type(size) is not int or not 0 < size <= LARGEST_PACKAGE:
        raise malformed(
            where, f"pkgsize is {quote(size)}, not a number of bytes from 1 to {LARGEST_PACKAGE}"
        )
    try:
        checksum = Checksum.parse(str(entry.get("sum")))
    except ValueError as error:
        raise malformed(where, f"{quote(entry.get('sum'))} is not {error}") from error
    return Listed(package, path, checksum, size)
