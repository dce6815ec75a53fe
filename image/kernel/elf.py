"""Read the data of a FreeBSD kernel or kernel module, and follow its pointers.

A kernel is linked: its pointers are addresses. A module for amd64 is relocatable: its pointers
are relocations, against symbols that may be another object's (elf(5); R_X86_64_64 of the System V
ABI for AMD64). All numbers are little-endian.
"""

import bisect
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.construct.core import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from firstboot.core.refusal import Refusal

POINTER = 8
"""Bytes."""

R_X86_64_64 = 1
SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHF_ALLOC = 2
SHF_EXECINSTR = 4

SYMBOL = struct.Struct("<IBBHQQ")
"""Elf64_Sym: name, info, other, section, value, size."""

RELOCATION = struct.Struct("<QQq")
"""Elf64_Rela: offset, symbol and type, addend."""


@dataclass(frozen=True, slots=True)
class Place:
    """A byte of an object: `offset` into the section of that number."""

    section: int
    offset: int

    def __add__(self, distance: int) -> "Place":
        return Place(self.section, self.offset + distance)


Target = Place | str
"""The target of a pointer: a place in the same object, or a symbol of another one."""


class Object:
    """A kernel or a module. `name` is its file name, such as ``pf.ko``.

    The constructor and all methods raise Refusal for a damaged or other object.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        try:
            self._open(data)
        except (
            ELFError,
            ConstructError,
            struct.error,
            ValueError,
            LookupError,
            OverflowError,
        ) as error:
            raise self._damaged(str(error) or type(error).__name__) from error

    def _open(self, data: bytes) -> None:
        file = ELFFile(io.BytesIO(data))
        if not file.little_endian or file.elfclass != 64:
            raise ValueError("no little-endian object of 64 bits")
        sections = list(file.iter_sections())
        self._linked = file["e_type"] != "ET_REL"
        self._sections = {section.name: at for at, section in enumerate(sections)}
        self._contents = [_content(section, data) for section in sections]
        self._constants = [
            at
            for at, section in enumerate(sections)
            if section["sh_flags"] & SHF_ALLOC and not section["sh_flags"] & SHF_EXECINSTR
        ]
        self._code = [
            at for at, section in enumerate(sections) if section["sh_flags"] & SHF_EXECINSTR
        ]
        ranges = sorted(
            (one["sh_addr"], at)
            for at, one in enumerate(sections)
            if one["sh_addr"] and one["sh_size"]
        )
        self._addresses = [address for address, _ in ranges]
        self._at_address = [at for _, at in ranges]
        self._start = {at: address for address, at in ranges}
        self._table = _table(sections, self._contents)
        self._defined = {name: place for name, place in self._table if isinstance(place, Place)}
        self._relocations: dict[Place, Target] = {}
        self._used: set[Target] = set()
        if not self._linked:
            self._relocate(sections)

    def _relocate(self, sections: list[Section]) -> None:
        for at, section in enumerate(sections):
            if section["sh_type"] != "SHT_RELA":
                continue
            of = section["sh_info"]
            in_code = of in self._code
            data = self._contents[at]
            for offset, info, addend in RELOCATION.iter_unpack(data[: len(data) // 24 * 24]):
                if in_code:
                    self._used.add(self._target(info >> 32, addend))
                elif info & 0xFFFFFFFF == R_X86_64_64:
                    self._relocations[Place(of, offset)] = self._target(info >> 32, addend)

    def _target(self, symbol: int, addend: int) -> Target:
        if symbol >= len(self._table):
            raise ValueError(f"no symbol number {symbol}")
        name, place = self._table[symbol]
        return place + addend if isinstance(place, Place) else name

    def symbols(self) -> dict[str, Place]:
        """The symbols that this object defines."""
        return self._defined

    def entries(self, linker_set: str) -> Iterator[Target]:
        """Where the pointers of a linker set lead (`<sys/linker_set.h>`); nothing without one."""
        section = self._sections.get(f"set_{linker_set}")
        if section is None:
            return
        for offset in range(0, len(self._contents[section]), POINTER):
            target = self.pointer(Place(section, offset))
            if target is not None:
                yield target

    def pointer(self, place: Place) -> Target | None:
        """Where the pointer at `place` leads; None for a null pointer."""
        if not self._linked:
            return self._relocations.get(place)
        (address,) = self.unpack("<Q", place)
        return self._place(address) if address else None

    def unpack(self, layout: str, place: Place) -> tuple[int, ...]:
        """The numbers at `place`, as struct(3) describes them."""
        if place.offset < 0:
            raise self._damaged("a pointer to before the section that it is in")
        try:
            return struct.unpack_from(layout, self._contents[place.section], place.offset)
        except (struct.error, OverflowError) as error:
            raise self._damaged(str(error)) from error

    def text(self, target: Target | None) -> str:
        """The text at `target`, up to its zero byte."""
        if not isinstance(target, Place) or target.offset < 0:
            raise self._damaged("a name that is nowhere")
        content = self._contents[target.section]
        end = content.find(b"\0", target.offset)
        if end < 0:
            raise self._damaged("a name without an end")
        return content[target.offset : end].decode("ascii", "replace")

    def has_text(self, text: str) -> bool:
        """Whether `text`, as a whole, is among the object's constants."""
        wanted = b"\0" + text.encode() + b"\0"
        return any(
            wanted in self._contents[at] or self._contents[at].startswith(wanted[1:])
            for at in self._constants
        )

    def uses(self, target: Target) -> bool:
        """Whether the object's code names `target`."""
        if not self._linked:
            return target in self._used
        if not isinstance(target, Place) or target.section not in self._start:
            return False
        # The kernel's code model: addresses are immediate values of 32 bits.
        address = self._start[target.section] + target.offset
        wanted = struct.pack("<I", address & 0xFFFFFFFF)
        return any(wanted in self._contents[at] for at in self._code)

    def _place(self, address: int) -> Place:
        at = bisect.bisect_right(self._addresses, address) - 1
        if at < 0:
            raise self._damaged(f"a pointer to {address:#x}, where nothing is")
        return Place(self._at_address[at], address - self._addresses[at])

    def _damaged(self, found: str) -> Refusal:
        return Refusal(
            self.name,
            f"not a whole kernel or module for amd64 with its symbols: {found}",
            "Use the kernel.txz of a build that is complete",
        )


def _content(section: Section, data: bytes) -> bytes:
    if section["sh_type"] == "SHT_NOBITS":
        return b""
    start: int = section["sh_offset"]
    return data[start : start + section["sh_size"]]


def _table(sections: list[Section], contents: list[bytes]) -> list[tuple[str, Place | None]]:
    """Every symbol's name and, if it is defined, where. In an object that is linked, values are
    addresses."""
    found: list[tuple[str, Place | None]] = []
    starts = [section["sh_addr"] for section in sections]
    for at, section in enumerate(sections):
        if section["sh_type"] != "SHT_SYMTAB":
            continue
        names = contents[section["sh_link"]]
        data = contents[at]
        for name, _, _, where, value, _ in SYMBOL.iter_unpack(data[: len(data) // 24 * 24]):
            text = names[name : names.index(b"\0", name)].decode("ascii", "replace")
            defined = SHN_UNDEF < where < SHN_LORESERVE
            found.append((text, Place(where, value - starts[where]) if defined else None))
    return found
