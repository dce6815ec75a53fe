"""What a run-time linker reads from an ELF file, and which symbols it would find.

Sources: elf(5), the gABI, and for symbol versions the Linux Standard Base's "Symbol Versioning",
which FreeBSD follows.
"""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection
from elftools.elf.segments import InterpSegment, NoteSegment

from firstboot.core.refusal import Refusal
from image.elf_errors import DAMAGE

MAGIC = b"\x7fELF"
OSABI_AT = 7
OSABI_FREEBSD = 9
"""EI_OSABI and ELFOSABI_FREEBSD."""

LINKER = "/libexec/ld-elf.so.1"

FROM_START_UP_CODE = frozenset({"environ", "__progname"})
"""Symbols that libraries use and that every program defines: they are in crt1.o."""

NO_VERSION = 1
HIDDEN = 0x8000
"""In an entry of .gnu.version: VER_NDX_GLOBAL, and the bit that marks a version kept only for
programs that were linked long ago."""


@dataclass(frozen=True, slots=True)
class Elf:
    """An ELF file. `osabi` is a byte of the header; `noted` is true if a note names FreeBSD.

    `run_path` are the folders of DT_RPATH or DT_RUNPATH, in their order.
    """

    machine: str
    bits: int
    osabi: int
    noted: bool
    interpreter: str | None
    needed: tuple[str, ...]
    soname: str | None
    run_path: tuple[str, ...]

    @property
    def for_freebsd(self) -> bool:
        """Whether the kernel and the run-time linker of FreeBSD/amd64 accept it."""
        return (
            (self.machine, self.bits) == ("EM_X86_64", 64)
            and (self.osabi == OSABI_FREEBSD or self.noted)
            and self.interpreter in (None, LINKER)
        )

    def __str__(self) -> str:
        system = "FreeBSD" if self.osabi == OSABI_FREEBSD or self.noted else f"OSABI {self.osabi}"
        linker = f", run by {self.interpreter}" if self.interpreter else ""
        return f"a {self.bits}-bit ELF file for {self.machine}, {system}{linker}"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A dynamic symbol. `version` is empty if it has none."""

    name: str
    version: str
    defined: bool
    weak: bool

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


def read(data: bytes, name: str) -> Elf | None:
    """Return the facts of an ELF file, or None for any other file. Raises Refusal for a damaged
    one."""
    if not data.startswith(MAGIC):
        return None
    interpreter, soname = None, None
    needed: list[str] = []
    run_path: list[str] = []
    noted = False
    try:
        elf = ELFFile(io.BytesIO(data))
        for segment in elf.iter_segments():
            if isinstance(segment, InterpSegment):
                interpreter = segment.get_interp_name()
            elif isinstance(segment, NoteSegment):
                noted |= any(note["n_name"] == "FreeBSD" for note in segment.iter_notes())
            elif isinstance(segment, DynamicSegment):
                for tag in segment.iter_tags():
                    if tag.entry.d_tag == "DT_NEEDED":
                        needed.append(tag.needed)  # type: ignore[attr-defined]
                    elif tag.entry.d_tag == "DT_SONAME":
                        soname = tag.soname  # type: ignore[attr-defined]
                    elif tag.entry.d_tag == "DT_RUNPATH":
                        run_path += tag.runpath.split(":")  # type: ignore[attr-defined]
                    elif tag.entry.d_tag == "DT_RPATH":
                        run_path += tag.rpath.split(":")  # type: ignore[attr-defined]
        machine, bits = elf["e_machine"], elf.elfclass
    except DAMAGE as error:
        raise damaged(name, error) from error
    return Elf(
        str(machine),
        bits,
        data[OSABI_AT],
        noted,
        interpreter,
        tuple(needed),
        soname,
        tuple(run_path),
    )


def symbols(data: bytes, name: str) -> list[Symbol]:
    """Return the dynamic symbols of an ELF file. Raises Refusal for a damaged one."""
    try:
        elf = ELFFile(io.BytesIO(data))
        versions: dict[int, str] = {}
        numbers: GNUVerSymSection | None = None
        for section in elf.iter_sections():
            if isinstance(section, GNUVerSymSection):
                numbers = section
            elif isinstance(section, GNUVerNeedSection):
                for _, needs in section.iter_versions():
                    versions.update({one["vna_other"] & ~HIDDEN: one.name for one in needs})
            elif isinstance(section, GNUVerDefSection):
                for definition, names in section.iter_versions():
                    versions[definition["vd_ndx"]] = next(names).name
        table = elf.get_section_by_name(".dynsym")
        if not isinstance(table, SymbolTableSection):
            return []
        found = []
        for at, symbol in enumerate(table.iter_symbols()):
            if not symbol.name:
                continue
            number = numbers.get_symbol(at)["ndx"] if numbers else NO_VERSION
            number = number if isinstance(number, int) else NO_VERSION
            index = number & ~HIDDEN
            found.append(
                Symbol(
                    symbol.name,
                    versions.get(index, "") if index > NO_VERSION else "",
                    defined=symbol["st_shndx"] != "SHN_UNDEF",
                    weak=symbol["st_info"]["bind"] == "STB_WEAK",
                )
            )
    except DAMAGE as error:
        raise damaged(name, error) from error
    return found


def unresolved(wanted: Iterable[Symbol], libraries: Iterable[Iterable[Symbol]]) -> list[Symbol]:
    """Return those of `wanted` that the run-time linker would not find in `libraries`.

    A weak symbol may stay undefined. A symbol without a version accepts any version. One with a
    version needs that version, or a library that has no versions at all.
    """
    offered: dict[str, set[str]] = {}
    for library in libraries:
        for symbol in library:
            if symbol.defined:
                offered.setdefault(symbol.name, set()).add(symbol.version)
    return [
        symbol
        for symbol in wanted
        if not symbol.defined
        and not symbol.weak
        and symbol.name not in FROM_START_UP_CODE
        and not _offers(offered, symbol)
    ]


def branded(data: bytes) -> bytes:
    """Set the header's OSABI byte to FreeBSD, as brandelf(1) does. Linkers leave it 0."""
    return data[:OSABI_AT] + bytes([OSABI_FREEBSD]) + data[OSABI_AT + 1 :]


def damaged(name: str, error: Exception) -> Refusal:
    return Refusal(
        name,
        f"the ELF file is damaged ({error})",
        "Take it from its package again",
    )


def _offers(offered: Mapping[str, set[str]], symbol: Symbol) -> bool:
    versions = offered.get(symbol.name)
    return versions is not None and (
        not symbol.version or symbol.version in versions or versions == {""}
    )
