"""The sysctl(9) names that a kernel and its modules declare, built as the kernel builds them.

Each is a `struct sysctl_oid` (`<sys/sysctl.h>`, FreeBSD 14 and 15) in the linker set
`sysctl_set`, with its own name and a pointer to its parent:

    0 children    8 parent     16 link (24)    40 number, kind (4 each)
    48 arg1       56 arg2      64 name         72 handler    80 format
    88 counters   96 description              104 label
"""

from collections.abc import Iterable
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image.kernel.elf import Object, Place, Target

PARENT, KIND, NAME = 8, 44, 64
"""Offsets in bytes."""

ROOT = "sysctl__children"
"""The symbol that is the parent of the names without a dot."""

TYPE = 0xF
NODE, STRING, OPAQUE = 1, 3, 5
TUNABLE = 0x00080000
WRITABLE = 0x40000000
"""CTLTYPE_* and CTLFLAG_* of `<sys/sysctl.h>`."""

DEEPEST = 24
"""CTL_MAXNAME."""


@dataclass(frozen=True, slots=True)
class Oid:
    """What a name stands for. `kind` is oid_kind; `object` and `place` are where it is declared."""

    kind: int
    object: Object
    place: Place

    @property
    def is_node(self) -> bool:
        return self.kind & TYPE == NODE

    @property
    def is_number(self) -> bool:
        return self.kind & TYPE not in (NODE, STRING, OPAQUE)

    @property
    def writable(self) -> bool:
        return bool(self.kind & WRITABLE)

    @property
    def tunable(self) -> bool:
        """Whether the kernel takes its value from the loader's environment."""
        return bool(self.kind & TUNABLE)


@dataclass(frozen=True, slots=True)
class _Declared:
    name: str
    parent: tuple[str, Target]
    oid: Oid


def read(objects: Iterable[Object]) -> dict[str, Oid]:
    """Return every sysctl that `objects` declare, by its full name; those below a parent that no
    object has are left out. Raises Refusal for a kernel whose declarations have another layout."""
    declared: dict[tuple[str, Target], _Declared] = {}
    symbols: dict[str, tuple[str, Place]] = {}
    for one in objects:
        for name, place in one.symbols("sysctl__").items():
            symbols.setdefault(name, (one.name, place))
        for target in one.entries("sysctl_set"):
            if isinstance(target, Place):
                declared[one.name, target] = _declaration(one, target)
    names: dict[str, Oid] = {}
    for entry in declared.values():
        spelling = _spell(entry, declared, symbols)
        if spelling is not None:
            names.setdefault(spelling, entry.oid)
    return names


def _declaration(one: Object, place: Place) -> _Declared:
    parent = one.pointer(place.after(PARENT))
    if parent is None:
        raise _unlike(one.name, "a sysctl without a parent")
    (kind,) = one.unpack("<I", place.after(KIND))
    name = one.text(one.pointer(place.after(NAME)))
    if not name.isprintable() or "." in name:
        raise _unlike(one.name, f"a sysctl named {name[:40]!r}")
    return _Declared(name, (one.name, parent), Oid(kind, one, place))


def _spell(
    entry: _Declared,
    declared: dict[tuple[str, Target], _Declared],
    symbols: dict[str, tuple[str, Place]],
) -> str | None:
    parts: list[str] = []
    root = symbols.get(ROOT)
    while len(parts) < DEEPEST:
        parts.append(entry.name)
        parent = entry.parent
        if isinstance(parent[1], str):
            if parent[1] == ROOT:
                return ".".join(reversed(parts))
            if parent[1] not in symbols:
                return None
            parent = symbols[parent[1]]
        if parent == root:
            return ".".join(reversed(parts))
        if parent not in declared:
            return None
        entry = declared[parent]
    raise _unlike(entry.oid.object.name, "a sysctl that is its own parent")


def _unlike(name: str, found: str) -> Refusal:
    return Refusal(
        name,
        f"its sysctls are not declared as FreeBSD 14 and 15 declare them: {found}",
        "Use the sets of a build of 15-STABLE",
    )
