"""VuXML, the format of FreeBSD's list of known vulnerabilities of packages (vuxml.org).

``vuln.xml`` has elements ``vuln``, each with a ``topic``, references, and in ``affects`` the
packages by name and by ranges of versions: ``lt``, ``le``, ``gt``, ``ge`` and ``eq``, which must
all hold. Names may be patterns of fnmatch(3), as in pkg. A ``cancelled`` entry is ignored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO
from xml.etree.ElementTree import Element, TreeBuilder

from defusedxml.common import DefusedXmlException, EntitiesForbidden
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from firstboot.core.damaged import Damaged
from firstboot.core.limits import FEED, UNPACKED_FEED
from firstboot.core.refusal import Refusal
from image import decompress
from image.packages import version

CHUNK = 1 << 16
"""Bytes that the parser is given at a time."""

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

_WORD = re.compile(r"[!-~]{1,128}")
"""A name of a package or a pattern of names, a version, a reference. Nothing else can be one."""

LONGEST_TOPIC = 300
"""Characters of a topic that are kept."""


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
    head = raw.read(decompress.LONGEST_MAGIC)
    raw.seek(0)
    try:
        stream = decompress.Reader(decompress.chunks(raw, decompress.packing(head), UNPACKED_FEED))
        given = 0
        while data := stream.read(CHUNK):
            parser.feed(data)
            given += len(data)
            if given - parser.parser.CurrentByteIndex > FEED.part:
                raise Damaged(f"a tag or a comment has more than {FEED.part} bytes")
        root = parser.close()
    except DefusedXmlException as error:
        raise _refusal(where, f"the XML has entities ({type(error).__name__})") from None
    except (ParseError, ValueError, LookupError) as error:
        raise _refusal(where, f"this is not a whole VuXML document ({error})") from None
    if root.tag != f"{NAMESPACE}vuxml":
        raise _refusal(where, f"this is XML, but not VuXML ({root.tag})")
    if builder.bad:
        raise _refusal(where, builder.bad)
    if not builder.entries:
        raise _refusal(where, "it has no entry, so it says nothing about any package")
    return Feed(tuple(builder.found), builder.newest)


class _Parser(DefusedXMLParser):
    """Accepts declarations of entities in other files, because the published feed still has some
    for the files that it was assembled from. Using such an entity is refused, and so are
    declarations of attributes, which expat compares each with all before it, and of notations.
    Those of elements are passed over: pyexpat would give their models to a handler by a recursion
    without an end."""

    def __init__(self, target: "_Builder") -> None:
        super().__init__(target=target)
        self._entities = 0
        for kind in ("Attlist", "Notation"):
            setattr(self.parser, f"{kind}DeclHandler", self._refuse_declaration)

    def _refuse_declaration(self, *_: object) -> None:
        raise Damaged("it declares attributes or notations, as no feed does")

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
        self._entities += 1
        if self._entities > FEED.names:
            raise Damaged(f"it declares more than {FEED.names} entities")
        if is_parameter_entity or value is not None:
            raise EntitiesForbidden(name, value, base, sysid, pubid, notation_name)


class _Builder(TreeBuilder):
    """Keeps the needed parts of each entry and frees the rest. Raises Damaged for a document that
    goes beyond the limits."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Vulnerability] = []
        self.entries = 0
        self.newest = ""
        self.bad = ""
        self._elements = 0
        self._before = 0
        self._text = 0
        self._depth = 0
        self._tags: set[str] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> Element:
        self._depth += 1
        self._elements += 1
        self._tags.add(tag)
        for what, found, most in (
            ("levels", self._depth, FEED.depth),
            ("elements", self._elements, FEED.elements),
            ("elements in one entry", self._elements - self._before, FEED.in_entry),
            ("names of elements", len(self._tags), FEED.names),
            ("attributes in one element", len(attributes), FEED.names),
        ):
            if found > most:
                raise Damaged(f"it has more than {most} {what}")
        if self._depth == 2 and tag != f"{NAMESPACE}vuln":
            raise Damaged(f"{tag[:64]} is not an entry of VuXML")
        return super().start(tag, attributes)

    def data(self, data: str) -> None:
        self._text += len(data)
        if self._text > FEED.text:
            raise Damaged(f"an entry has more than {FEED.text} characters")
        super().data(data)

    def end(self, tag: str) -> Element:
        self._depth -= 1
        element = super().end(tag)
        if self._depth == 1:
            self.entries += 1
            if self.entries > FEED.entries:
                raise Damaged(f"it has more than {FEED.entries} entries")
            self._take(element)
            element.clear()
            self._before, self._text = self._elements, 0
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
        try:
            packages = element.iterfind(f"{NAMESPACE}affects/{NAMESPACE}package")
            affected = tuple(map(_affected, packages))
        except ValueError as error:
            self.bad = f"the entry {identifier} {error}"
            return
        self.found.append(
            Vulnerability(
                identifier, _text(topic)[:LONGEST_TOPIC], affected, tuple(_references(element))
            )
        )


def _affected(package: Element) -> Affected:
    """Raises ValueError, with a clause about the entry."""
    names = map(_text, package.iterfind(f"{NAMESPACE}name"))
    return Affected(
        tuple(name for name in names if _WORD.fullmatch(name)),
        tuple(
            Range(
                tuple(
                    (bound, _bound(limit))
                    for limit in one
                    if (bound := limit.tag.removeprefix(NAMESPACE)) in BOUNDS
                )
            )
            for one in package.iterfind(f"{NAMESPACE}range")
        ),
    )


def _bound(limit: Element) -> str:
    text = _text(limit)
    if not _WORD.fullmatch(text):
        raise ValueError(f"has a bound that is no version ('{text[:64]}')")
    return text


def _references(element: Element) -> list[str]:
    prefixes = {"cvename": "", "freebsdsa": "FreeBSD-", "certvu": "VU#"}
    return [
        f"{prefixes[kind]}{text}"
        for one in element.iterfind(f"{NAMESPACE}references/*")
        if (kind := one.tag.removeprefix(NAMESPACE)) in prefixes
        and _WORD.fullmatch(text := _text(one))
    ]


def _text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _refusal(where: str, problem: str) -> Refusal:
    return Refusal(where, problem, f"Fetch it again: {PUBLISHED}")
