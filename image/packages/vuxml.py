"""VuXML, the format of FreeBSD's list of known vulnerabilities of packages (vuxml.org).

``vuln.xml`` has elements ``vuln``, each with a ``topic``, references, and in ``affects`` the
packages by name and by ranges of versions: ``lt``, ``le``, ``gt``, ``ge`` and ``eq``, which must
all hold. Names may be patterns of fnmatch(3), as in pkg. A ``cancelled`` entry is ignored.
"""

import bz2
import lzma
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, cast
from xml.etree.ElementTree import Element, TreeBuilder

from defusedxml.common import DefusedXmlException, EntitiesForbidden
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from firstboot.core.refusal import Refusal
from image.packages import version

LARGEST = 1 << 28
"""Bytes of a feed, decompressed."""

CHUNK = 1 << 20

PUBLISHED = "https://vuxml.freebsd.org/freebsd/vuln.xml.xz"

NAMESPACE = "{http://www.vuxml.org/apps/vuxml-1}"

BOUNDS: Mapping[str, Callable[[int], bool]] = {
    "lt": lambda order: order < 0,
    "le": lambda order: order <= 0,
    "eq": lambda order: order == 0,
    "ge": lambda order: order >= 0,
    "gt": lambda order: order > 0,
}
"""Whether a version is within a bound, by the result of comparing it with the bound's version."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_XZ, _BZIP2 = b"\xfd7zXZ\0", b"BZh"


@dataclass(frozen=True, slots=True)
class Range:
    """Versions within all `bounds`: names from BOUNDS, each with a version."""

    bounds: tuple[tuple[str, str], ...]

    def has(self, installed: str) -> bool:
        return all(BOUNDS[bound](version.compare(installed, limit)) for bound, limit in self.bounds)

    def without_epochs(self) -> "Range":
        """Return the range for software that is not a port and so never had an epoch."""
        return Range(tuple((bound, limit.partition(",")[0]) for bound, limit in self.bounds))

    @property
    def fixed(self) -> str | None:
        """The first version above the range, if the feed has it."""
        return next((limit for bound, limit in self.bounds if bound == "lt"), None)


@dataclass(frozen=True, slots=True)
class Affected:
    """Packages by name, and the affected versions; without ranges all versions are."""

    names: tuple[str, ...]
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """One entry. `references` are names such as CVE-2026-1504 or FreeBSD-SA-26:02.jail."""

    identifier: str
    topic: str
    affected: tuple[Affected, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """All entries, and the date of the newest (``2026-01-28``; empty if there is none)."""

    vulnerabilities: tuple[Vulnerability, ...]
    newest: str


def parse(raw: IO[bytes], where: str) -> Feed:
    """Read a feed. `where` names it in refusals.

    Raises Refusal for anything but one whole VuXML document, for one that is too large, and for
    one with entities in it, which could make it larger still or read other files.
    """
    builder = _Builder()
    parser = _Parser(target=builder)
    try:
        stream = _decompressed(raw)
        left = LARGEST
        while data := stream.read(CHUNK):
            left -= len(data)
            if left < 0:
                raise _refusal(where, f"it has more than {LARGEST} bytes when decompressed")
            parser.feed(data)
        root = parser.close()
    except DefusedXmlException as error:
        raise _refusal(where, f"the XML has entities ({type(error).__name__})") from None
    except (ParseError, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        raise _refusal(where, f"this is not a whole VuXML document ({error})") from None
    if root.tag != f"{NAMESPACE}vuxml":
        raise _refusal(where, f"this is XML, but not VuXML ({root.tag})")
    if builder.bad:
        raise _refusal(where, builder.bad)
    return Feed(tuple(builder.found), builder.newest)


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    head = raw.read(len(_XZ))
    raw.seek(0)
    if head.startswith(_XZ):
        return cast(IO[bytes], lzma.LZMAFile(raw))
    if head.startswith(_BZIP2):
        return cast(IO[bytes], bz2.BZ2File(raw))
    return raw


class _Parser(DefusedXMLParser):
    """Accepts declarations of entities in other files, because the published feed still has some
    for the files that it was assembled from. Using such an entity is refused."""

    def defused_entity_decl(
        self,
        name: str,
        is_parameter_entity: bool,
        value: str | None,
        base: str | None,
        sysid: str | None,
        pubid: str | None,
        notation_name: str | None,
    ) -> None:
        if is_parameter_entity or value is not None:
            raise EntitiesForbidden(name, value, base, sysid, pubid, notation_name)


class _Builder(TreeBuilder):
    """Keeps the needed parts of each entry and frees the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Vulnerability] = []
        self.newest = ""
        self.bad = ""

    def end(self, tag: str) -> Element:
        element = super().end(tag)
        if tag == f"{NAMESPACE}vuln":
            self._take(element)
            element.clear()
        return element

    def _take(self, element: Element) -> None:
        dates = map(_text, element.iterfind(f"{NAMESPACE}dates/*"))
        self.newest = max(self.newest, *filter(_DATE.fullmatch, dates), "")
        if element.find(f"{NAMESPACE}cancelled") is not None:
            return
        identifier = element.get("vid", "")
        topic = element.find(f"{NAMESPACE}topic")
        if not re.fullmatch(r"[0-9A-Za-z.-]{1,64}", identifier) or topic is None:
            self.bad = f"an entry has no vid or no topic ('{identifier[:64]}')"
            return
        self.found.append(
            Vulnerability(
                identifier,
                _text(topic),
                tuple(map(_affected, element.iterfind(f"{NAMESPACE}affects/{NAMESPACE}package"))),
                tuple(_references(element)),
            )
        )


def _affected(package: Element) -> Affected:
    return Affected(
        tuple(_text(name) for name in package.iterfind(f"{NAMESPACE}name")),
        tuple(
            Range(
                tuple(
                    (bound, _text(limit))
                    for limit in one
                    if (bound := limit.tag.removeprefix(NAMESPACE)) in BOUNDS
                )
            )
            for one in package.iterfind(f"{NAMESPACE}range")
        ),
    )


def _references(element: Element) -> list[str]:
    prefixes = {"cvename": "", "freebsdsa": "FreeBSD-", "certvu": "VU#"}
    return [
        f"{prefixes[kind]}{_text(one)}"
        for one in element.iterfind(f"{NAMESPACE}references/*")
        if (kind := one.tag.removeprefix(NAMESPACE)) in prefixes
    ]


def _text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _refusal(where: str, problem: str) -> Refusal:
    return Refusal(where, problem, f"Fetch it again: {PUBLISHED}")
