"""Objects of registries and routing registries: dumps, journals, and what whois prints.

- RPSL (RFC 2622): objects apart by empty lines; a line that begins with a space, a tab or a plus
  sign goes on with the one before; ``#`` begins a comment, ``%`` a line of the server
- dumps that mirrors offer are the same, compressed with gzip
- NRTM version 3: the same with ``ADD 12`` or ``DEL 13`` before each object
- ARIN's whois prints its own attributes in the same form: ``OrgAbuseEmail:  abuse@example.org``
- RIPE's and APNIC's whois tell in a comment whom to write to about an address

A dump has millions of objects, so that the caller says which are kept.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firstboot.core.limits import GIB, KIB, MIB
from firstboot.site.published.files import damaged, lines, read_file

DUMP = 512 * MIB
"""The largest registry's dump of routes has some 50 MB compressed."""

UNPACKED = 4 * GIB
LINE = 64 * KIB
ATTRIBUTES = 200_000
"""Lines of one object. The largest as-sets have some 20,000 members."""

KEPT = 20_000
"""Objects that have to do with one network."""

ABUSE = re.compile(r"%+ Abuse contact for '([^']{1,200})' is '([^']{1,200})'")
NOTHING = re.compile(r"(?i)%?\s*(%error:101|no entries found|no match found)")
JOURNAL = re.compile(r"(ADD|DEL) ([0-9]{1,18})")
NAME = re.compile(r"[A-Za-z*][A-Za-z0-9*_-]{0,62}")

ROUTES = ("route", "route6")


@dataclass(frozen=True)
class Published:
    """An object as a registry has it: attributes in lower case with their values, in order."""

    attributes: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        return self.attributes[0][0]

    @property
    def name(self) -> str:
        return self.attributes[0][1]

    @property
    def identity(self) -> tuple[str, str, str]:
        """What no two objects of a registry share: a route is one by its prefix and its origin."""
        origin = self.first("origin") if self.kind in ROUTES else None
        return self.kind, self.name.upper(), (origin or "").upper()

    def values(self, *names: str) -> tuple[str, ...]:
        return tuple(value for name, value in self.attributes if name in names and value)

    def first(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)


@dataclass(frozen=True)
class Registry:
    """What a file says. `abuse` are mail addresses for complaints by what they are for; `classes`
    are those of all objects in the file, kept or not; `nothing` is whether a server said that it
    has no object of that name."""

    objects: tuple[Published, ...] = ()
    abuse: tuple[tuple[str, str], ...] = ()
    classes: frozenset[str] = field(default_factory=frozenset)
    nothing: bool = False

    def __add__(self, other: "Registry") -> "Registry":
        return Registry(
            self.objects + other.objects,
            self.abuse + other.abuse,
            self.classes | other.classes,
            self.nothing or other.nothing,
        )


Keep = Callable[[Published], bool]


def load(path: Path, keep: Keep) -> Registry:
    """Read the file at `path`, and keep the objects that `keep` says. Raises Refusal."""
    return parse(read_file(path, DUMP), str(path), keep)


def parse(data: bytes, name: str, keep: Keep) -> Registry:
    """What `load` does with the file's bytes."""
    kept: dict[tuple[str, str, str], Published] = {}
    classes: set[str] = set()
    abuse: list[tuple[str, str]] = []
    nothing, delete = False, False
    for block in _blocks(data, name):
        attributes: list[tuple[str, str]] = []
        for line in block:
            contact = ABUSE.match(line)
            if contact:
                abuse.append((contact[1], contact[2]))
            nothing = nothing or bool(NOTHING.match(line))
            journal = JOURNAL.fullmatch(line.strip())
            if journal and not attributes:
                delete = journal[1] == "DEL"
            elif not line.startswith(("%", "#")):
                _attribute(attributes, line, name)
        if not attributes:
            continue
        one = Published(tuple(attributes))
        classes.add(one.kind)
        if keep(one):
            kept.pop(one.identity, None)
            if not delete:
                kept[one.identity] = one
            if len(kept) > KEPT:
                raise damaged(name, f"more than {KEPT} objects in it are about this network")
        delete = False
    if not (classes or abuse or nothing):
        raise damaged(name, "there is no object of a registry in it")
    return Registry(tuple(kept.values()), tuple(abuse[:KEPT]), frozenset(classes), nothing)


def _blocks(data: bytes, name: str) -> Iterator[list[str]]:
    """The lines between empty ones."""
    block: list[str] = []
    for line in lines(data, name, UNPACKED, LINE):
        if line.strip():
            block.append(line)
            if len(block) > ATTRIBUTES:
                raise damaged(name, f"an object in it has more than {ATTRIBUTES} lines")
        elif block:
            yield block
            block = []
    if block:
        yield block


def _attribute(attributes: list[tuple[str, str]], line: str, name: str) -> None:
    """Add what `line` says to `attributes`."""
    if line[0] in " \t+" and attributes:
        key, value = attributes[-1]
        more = _value(line[1:])
        attributes[-1] = (key, f"{value} {more}".strip() if more else value)
        return
    key, colon, value = line.partition(":")
    if not colon or not NAME.fullmatch(key.strip().replace(" ", "-")):
        raise damaged(name, f"{line[:40]!r} is no line of an object")
    attributes.append((key.strip().lower().replace(" ", "-"), _value(value)))


def _value(text: str) -> str:
    value = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    return "".join(char for char in value if char.isprintable())
