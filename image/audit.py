"""Finds the known vulnerabilities of an image: compares its bill of materials with a VuXML feed."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import BILL_OF_MATERIALS, UNPACKED_FEED
from firstboot.core.refusal import Refusal
from image import atomic_files
from image.base.packages import stands_for_base
from image.lock import BASE_FILE
from image.packages import vuxml
from image.packages.vuxml import Feed, Range, Vulnerability
from image.sbom import base_software
from image.sbom.components import Part
from image.verified_file import read_regular

HEADINGS = ("package", "installed", "fixed in", "VuXML", "references", "topic")

LISTED_REFERENCES = 3
"""The table shows this many references of an entry."""

COMPARED = (Part.BASE, Part.BASE_SOFTWARE, Part.PACKAGE, Part.FROZEN, Part.MODULE)

SYSTEM_NAMES = ("FreeBSD", "FreeBSD-kernel")
"""VuXML's names of the base system."""

OTHER_NAMES = {"pyyaml": "yaml"}
"""Modules whose port has, or had, another name."""

_RELEASE = re.compile(r"(?P<release>[0-9]+\.[0-9]+)-RELEASE(?:-p(?P<patch>[0-9]+))?(?:-.*)?")
_PORT_OF_MODULE = re.compile(r"py[0-9*]*t?-(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Installed:
    """Something in the image: the base system, software in it, a package, or something that the
    wizard was frozen with."""

    part: Part
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability of something installed. `fixed` is the first version without it."""

    installed: Installed
    vulnerability: Vulnerability
    fixed: str | None


def audit(sbom: Path, feed: Path | None, cache: Path) -> int:
    """Print what `feed` knows about the image that `sbom` describes, and return the number of
    findings.

    A feed is kept in the folder `cache`, and used again when none is given. Raises Refusal.
    """
    installed = read_sbom(sbom)
    known = _obtain(feed, cache)
    findings = compare(installed, known)
    if findings:
        print(table(findings))
    for one in installed:
        if one.part is Part.BASE and system_version(one.version) is None:
            print(
                f"{one.name} is not compared: the feed counts releases, and this is "
                f"{one.version or 'of unknown version'}",
                file=sys.stderr,
            )
    for one in installed:
        if one.part is Part.BASE_SOFTWARE and not one.version:
            print(
                f"{one.name} of the base is not compared: its version is unknown", file=sys.stderr
            )
    if any(finding.installed.part is Part.BASE_SOFTWARE for finding in findings):
        print(
            "The base system may have fixes for its software without a new version: see its "
            "security advisories.",
            file=sys.stderr,
        )
    concerned = len({finding.installed for finding in findings})
    print(
        f"known vulnerabilities: {len(findings)}, in {concerned} of {len(installed)} components "
        f"(entries of the feed: {len(known.vulnerabilities)}, the newest of "
        f"{known.newest or 'no date'})"
    )
    return len(findings)


def read_sbom(path: Path) -> tuple[Installed, ...]:
    """Return the components of the bill of materials at `path` that can be compared. Raises
    Refusal."""
    try:
        data = read_regular(path, BILL_OF_MATERIALS.size)
        told = bounded_json.read(data, BILL_OF_MATERIALS)
        found = tuple(_installed(told["components"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            path,
            "this is not the bill of materials of an image, as ./exitisp build writes it "
            f"({type(error).__name__}: {error})",
            "Name the file beside the image, *.cdx.json",
        ) from None
    packaged = {one.name for one in found if one.part is Part.FROZEN}
    return tuple(
        one for one in found if one.part is not Part.MODULE or _package_of(one) not in packaged
    )


def compare(installed: Iterable[Installed], feed: Feed) -> list[Finding]:
    """Return the findings, in the order of `installed` and then of the feed."""
    return [
        Finding(one, entry, found.fixed)
        for one in installed
        for entry in feed.vulnerabilities
        if (found := _match(one, entry))
    ]


def system_version(version: str) -> str | None:
    """Return the version of a base system in VuXML's form (``15.0_2``). None unless it is a
    release, because fixes on other branches have no number."""
    match = _RELEASE.fullmatch(version)
    return f"{match['release']}_{match['patch'] or 0}" if match else None


def table(findings: Sequence[Finding]) -> str:
    """Return one line for each finding below the HEADINGS."""
    rows = [HEADINGS, *map(_row, findings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(finding: Finding) -> tuple[str, ...]:
    entry = finding.vulnerability
    references = " ".join(entry.references[:LISTED_REFERENCES])
    if more := len(entry.references[LISTED_REFERENCES:]):
        references += f" +{more}"
    cells = (
        finding.installed.name,
        finding.installed.version,
        finding.fixed or "-",
        entry.identifier,
        references or "-",
        entry.topic,
    )
    return tuple("".join(char if char.isprintable() else "?" for char in cell) for cell in cells)


def _match(one: Installed, entry: Vulnerability) -> Range | None:
    """Return the range of `entry` that `one` is in, or None."""
    version = _comparable_version(one)
    if not version:
        return None
    for affected in entry.affected:
        if any(_is_called(one, name) for name in affected.names):
            for versions in affected.ranges or (Range(()),):
                if one.part in (Part.MODULE, Part.BASE_SOFTWARE):
                    versions = versions.without_epochs()
                if versions.has(version):
                    return versions
    return None


def _comparable_version(one: Installed) -> str | None:
    """Return the version as the feed counts it, or None where it cannot be compared."""
    match one.part:
        case Part.BASE:
            return system_version(one.version)
        case Part.BASE_SOFTWARE:
            return base_software.port_version(one.name, one.version)
        case _:
            return one.version


def _is_called(one: Installed, name: str) -> bool:
    """Whether the feed's `name` can mean this component."""
    match one.part:
        case Part.PACKAGE | Part.FROZEN:
            return fnmatchcase(one.name, name)
        case Part.BASE:
            return name in SYSTEM_NAMES
        case Part.BASE_SOFTWARE:
            return any(fnmatchcase(name, port) for port in base_software.ports(one.name))
        case _:
            if _package_of(one):
                return name == _package_of(one)
            own = _normal(one.name)
            port = _PORT_OF_MODULE.fullmatch(_normal(name))
            return port is not None and port["name"] in (own, OTHER_NAMES.get(own))


def _package_of(module: Installed) -> str:
    """Return the package of Python itself, such as python311; "" for every other module."""
    minor = "".join(module.version.split(".")[:2])
    return f"python{minor}" if module.name == "python" else ""


def _normal(name: str) -> str:
    """Normalise a name as PyPI does (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(components: Sequence[Mapping[str, Any]]) -> Iterator[Installed]:
    for one in components:
        said = {each["name"]: each["value"] for each in one.get("properties", ())}
        part = Part(said["exitisp:part"])
        if part is Part.BASE and one["name"] != BASE_FILE and not stands_for_base(one["name"]):
            continue
        if part in COMPARED:
            name, version = one["name"], one.get("version", "")
            if not isinstance(name, str) or not isinstance(version, str):
                raise ValueError("names and versions are text")
            yield Installed(part, name, version)


def _obtain(feed: Path | None, cache: Path) -> Feed:
    kept = cache / "vuln.xml"
    if feed is None:
        if not kept.exists():
            raise Refusal(
                "--feed",
                "no VuXML feed is given, and none is kept from an earlier run",
                f"Fetch {vuxml.PUBLISHED} and name it with --feed",
            )
        return vuxml.parse(BytesIO(read_regular(kept, UNPACKED_FEED.size)), str(kept))
    data = read_regular(feed, UNPACKED_FEED.size)
    known = vuxml.parse(BytesIO(data), str(feed))
    with atomic_files.writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    atomic_files.replace(kept, data)
    return known
