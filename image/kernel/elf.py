"""Read the data of a FreeBSD kernel or kernel module, and follow its pointers.

A kernel is linked: its pointers are addresses. A module for amd64 is relocatable: its pointers
are relocations, against symbols that may be another object's (elf(5); R_X86_64_64 of the System V
ABI for AMD64). All numbers are little-endian.
"""

import bisect
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.construct.core import ConstructError
from elftools.elf.elffile import ELFFile

from firstboot.core.refusal import Refusal

POINTER = 8
"""Bytes."""

R_X86_64_64 = 1
SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHT_SYMTAB, SHT_RELA, SHT_NOBITS = 2, 4, 8
SHF_ALLOC = 2
SHF_EXECINSTR = 4

SECTION = struct.Struct("<IIQQQQIIQQ")
"""Elf64_Shdr: name, type, flags, address, offset, size, link, info, alignment, size of an entry.
The library would read what the sections have, too, tables of hashes among it, which takes long."""

SYMBOL = struct.Struct("<IBBHQQ")
"""Elf64_Sym: name, info, other, section, value, size."""

RELOCATION = struct.Struct("<QQq")
"""Elf64_Rela: offset, symbol and type, addend."""


DAMAGE = (ELFError, ConstructError, struct.error, ValueError, LookupError, OverflowError)
"""What is raised by reading an object that is damaged."""


class Section(NamedTuple):
    """A section: `start` and `end` are its bytes in the file, and both 0 if it has none there."""

    name: int
    type: int
    flags: int
    address: int
    size: int
    link: int
    info: int
    start: int
    end: int


class Place(NamedTuple):
    """A byte of an object: `offset` into the section of that number."""

    section: int
    offset: int

    def after(self, distance: int) -> "Place":
        """The place `distance` bytes further on."""
        return Place(self.section, self.offset + distance)


Target = Place | str
"""The target of a pointer: a place in the same object, or a symbol of another one."""


class Object:
    """A kernel or a module. `name` is its file name, such as ``pf.ko``.

    The constructor and all methods raise Refusal for a damaged or other object.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data
        self._targets: dict[int, tuple[str, Place | None]] = {}
        self._texts: dict[str, bool] = {}
        self._relocations: dict[Place, Target] = {}
        self._used: set[Target] = set()
        with self._whole():
            self._open()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Turn `DAMAGE` into a Refusal."""
        try:
            yield
        except DAMAGE as error:
            raise self._damaged(str(error) or type(error).__name__) from error

    def _open(self) -> None:
        file = ELFFile(io.BytesIO(self._data))
        if not file.little_endian or file.elfclass != 64:
            raise ValueError("no little-endian object of 64 bits")
        self._linked = file["e_type"] != "ET_REL"
        first, count = file["e_shoff"], file.num_sections()
        table = self._data[first : first + count * SECTION.size]
        if not count or len(table) != count * SECTION.size:
            raise ValueError("its table of sections ends early")
        self._parts = [_section(len(self._data), *one) for one in SECTION.iter_unpack(table)]
        names = self._parts[file.get_shstrndx()]
        self._numbers = {self._name(names, one.name): at for at, one in enumerate(self._parts)}
        self._constants = [
            one for one in self._parts if one.flags & SHF_ALLOC and not one.flags & SHF_EXECINSTR
        ]
        self._code = [one for one in self._parts if one.flags & SHF_EXECINSTR]
        ranges = sorted(
            (one.address, at) for at, one in enumerate(self._parts) if one.address and one.size
        )
        self._addresses = [address for address, _ in ranges]
        self._at_address = [at for _, at in ranges]
        self._start = {at: address for address, at in ranges}
        table_of_symbols = (one for one in self._parts if one.type == SHT_SYMTAB)
        self._symbols = next(table_of_symbols, EMPTY)
        self._names = self._parts[self._symbols.link]
        if not self._linked:
            self._relocate()

    def _name(self, names: Section, at: int) -> str:
        """The text at `at` of a section with names."""
        start = names.start + at
        return self._data[start : self._data.index(b"\0", start, names.end)].decode(
            "ascii", "replace"
        )

    def _entries(self, table: Section, layout: struct.Struct) -> Iterator[tuple[int, ...]]:
        length = (table.end - table.start) // layout.size * layout.size
        return layout.iter_unpack(memoryview(self._data)[table.start : table.start + length])

    def _relocate(self) -> None:
        for section in self._parts:
            if section.type != SHT_RELA:
                continue
            of = section.info
            in_code = of < len(self._parts) and bool(self._parts[of].flags & SHF_EXECINSTR)
            for offset, info, addend in self._entries(section, RELOCATION):
                if in_code:
                    self._used.add(self._target(info >> 32, addend))
                elif info & 0xFFFFFFFF == R_X86_64_64:
                    self._relocations[Place(of, offset)] = self._target(info >> 32, addend)

    def _target(self, symbol: int, addend: int) -> Target:
        found = self._targets.get(symbol)
        if found is None:
            at = self._symbols.start + symbol * SYMBOL.size
            if at + SYMBOL.size > self._symbols.end:
                raise ValueError(f"no symbol number {symbol}")
            name, _, _, where, value, _ = SYMBOL.unpack_from(self._data, at)
            found = self._name(self._names, name), self._defined(where, value)
            self._targets[symbol] = found
        text, place = found
        return text if place is None else Place(place.section, place.offset + addend)

    def _defined(self, where: int, value: int) -> Place | None:
        """Where a symbol is, if this object defines it. In one that is linked, values are
        addresses."""
        if not SHN_UNDEF < where < SHN_LORESERVE:
            return None
        return Place(where, value - self._parts[where].address)

    def symbols(self, prefix: str) -> dict[str, Place]:
        """The symbols that this object defines whose names begin with `prefix`."""
        wanted, names = prefix.encode(), self._names
        beginnings = set()
        at = self._data.find(wanted, names.start, names.end)
        while at >= 0:
            beginnings.add(at - names.start)
            at = self._data.find(wanted, at + 1, names.end)
        found = {}
        with self._whole():
            for name, _, _, where, value, _ in self._entries(self._symbols, SYMBOL):
                if name in beginnings and (place := self._defined(where, value)):
                    found[self._name(names, name)] = place
        return found

    def entries(self, linker_set: str) -> Iterator[Target]:
        """Where the pointers of a linker set lead (`<sys/linker_set.h>`); nothing without one."""
        section = self._numbers.get(f"set_{linker_set}")
        if section is None:
            return
        one = self._parts[section]
        for offset in range(0, one.end - one.start, POINTER):
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
        try:
            one = self._parts[place.section]
            if place.offset < 0:
                raise ValueError("a pointer to before the section that it is in")
            at = one.start + place.offset
            if at + struct.calcsize(layout) > one.end:
                raise ValueError("a pointer to behind the section that it is in")
            return struct.unpack_from(layout, self._data, at)
        except DAMAGE as error:
            raise self._damaged(str(error)) from error

    def text(self, target: Target | None) -> str:
        """The text at `target`, up to its zero byte."""
        if not isinstance(target, Place) or target.offset < 0:
            raise self._damaged("a name that is nowhere")
        with self._whole():
            return self._name(self._parts[target.section], target.offset)

    def has_text(self, text: str) -> bool:
        """Whether `text`, as a whole, is among the object's constants."""
        known = self._texts.get(text)
        if known is None:
            wanted = b"\0" + text.encode() + b"\0"
            known = self._texts[text] = any(
                self._data.find(wanted, one.start, one.end) >= 0
                or self._data.startswith(wanted[1:], one.start, one.end)
                for one in self._constants
            )
        return known

    def uses(self, target: Target) -> bool:
        """Whether the object's code names `target`."""
        if not self._linked:
            return target in self._used
        if not isinstance(target, Place) or target.section not in self._start:
            return False
        # The kernel's code model: addresses are immediate values of 32 bits.
        address = self._start[target.section] + target.offset
        wanted = struct.pack("<I", address & 0xFFFFFFFF)
        return any(self._data.find(wanted, one.start, one.end) >= 0 for one in self._code)

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


EMPTY = Section(0, 0, 0, 0, 0, 0, 0, 0, 0)


def _section(
    length: int,
    name: int,
    kind: int,
    flags: int,
    address: int,
    offset: int,
    size: int,
    link: int,
    info: int,
    *_: int,
) -> Section:
    """A section of a file of `length` bytes, which has none of a section beyond them."""
    here = kind != SHT_NOBITS
    start, end = (min(at, length) if here else 0 for at in (offset, offset + size))
    return Section(name, kind, flags, address, size, link, info, start, end)
