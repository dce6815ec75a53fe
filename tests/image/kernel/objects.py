"""Kernels and modules in miniature: ELF files with the tables that a real one has."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from image.kernel.sysctl import NODE, TUNABLE, WRITABLE

NUMBER = 2 | WRITABLE
"""CTLTYPE_INT, CTLFLAG_RW."""

TUNED = NUMBER | TUNABLE
LOADED_ONLY = 2 | TUNABLE
TEXT = 3 | WRITABLE
FOLDER = NODE | WRITABLE

BASE = 0xFFFFFFFF80200000
"""Address of a kernel's first section."""

NAMES = ("", ".text", ".rodata", ".data", "set_sysctl_set", "set_modmetadata_set")
TEXTS, CONSTANTS, DATA, SYSCTLS, METADATA = range(1, 6)
ALLOCATED, EXECUTED = 2, 4


@dataclass(frozen=True)
class Plan:
    """What an object is to have. `used` are nodes that its code names."""

    sysctls: Mapping[str, int] = field(default_factory=dict)
    texts: Iterable[str] = ()
    used: Iterable[str] = ()
    modules: Iterable[str] = ()
    drivers: Iterable[str] = ()
    depends: Iterable[str] = ()
    chips: Mapping[str, Iterable[tuple[int, int]]] = field(default_factory=dict)
    release: str = "15.1-STABLE"
    number: int = 1501501


def kernel(plan: Plan) -> bytes:
    """A linked object. Nodes that the names need are added."""
    sysctls: dict[str, int] = {}
    for name in plan.sysctls:
        parts = name.split(".")
        for length in range(1, len(parts)):
            sysctls.setdefault(".".join(parts[:length]), FOLDER)
    return _Writer(Plan(**{**vars(plan), "sysctls": sysctls | dict(plan.sysctls)}), True).write()


def module(plan: Plan) -> bytes:
    """A relocatable object; a parent that it does not declare itself is another one's."""
    return _Writer(plan, False).write()


class _Writer:
    def __init__(self, plan: Plan, linked: bool) -> None:
        self.plan = plan
        self.linked = linked
        self.sections = {number: bytearray() for number in range(1, 6)}
        self.sections[CONSTANTS] += b"\0"
        self.pointers: list[tuple[int, int, tuple[int, int] | str]] = []
        self.symbols: dict[str, tuple[int, int]] = {}
        self.calls: list[tuple[int, int] | str] = []

    def text(self, text: str) -> tuple[int, int]:
        self.sections[CONSTANTS] += text.encode() + b"\0"
        return CONSTANTS, len(self.sections[CONSTANTS]) - len(text) - 1

    def point(self, section: int, offset: int, target: tuple[int, int] | str) -> None:
        self.pointers.append((section, offset, target))

    def record(self, size: int, linker_set: int) -> int:
        """Room for a record in .data that a linker set points to."""
        offset = len(self.sections[DATA])
        self.sections[DATA] += bytes(size)
        self.point(linker_set, len(self.sections[linker_set]), (DATA, offset))
        self.sections[linker_set] += bytes(8)
        return offset

    def write(self) -> bytes:
        if self.linked:
            self.symbols["sysctl__children"] = (DATA, len(self.sections[DATA]))
            self.sections[DATA] += bytes(8)
            self.version()
        for name, kind in sorted(self.plan.sysctls.items()):
            self.sysctl(name, kind)
        for name in self.plan.used:
            self.call(symbol(name))
        for text in self.plan.texts:
            self.text(text)
        for name in self.plan.modules:
            self.metadata(3, name, None)
        for name in self.plan.depends:
            self.metadata(1, name, None)
        for name in self.plan.drivers:
            place = self.constant(8)
            self.point(*place, self.text(name))
            self.metadata(2, name.replace("/", "_"), place)
        for driver, ids in self.plan.chips.items():
            self.chips(driver, list(ids))
        return self.layout()

    def version(self) -> None:
        """What sys/conf/newvers.sh adds to a kernel."""
        self.symbols["osrelease"] = self.text(self.plan.release)
        self.symbols["osreldate"] = self.constant(4)
        struct.pack_into("<i", self.sections[DATA], self.symbols["osreldate"][1], self.plan.number)
        self.sections[DATA] += bytes(4)

    def constant(self, size: int) -> tuple[int, int]:
        offset = len(self.sections[DATA])
        self.sections[DATA] += bytes(size)
        return DATA, offset

    def sysctl(self, name: str, kind: int) -> None:
        above, _, last = name.rpartition(".")
        offset = self.record(112, SYSCTLS)
        self.symbols[symbol(name)] = (DATA, offset)
        parent: tuple[int, int] | str = symbol(above) if above else "sysctl__children"
        self.point(DATA, offset + 8, self.symbols.get(str(parent), parent))
        struct.pack_into("<I", self.sections[DATA], offset + 44, kind)
        self.point(DATA, offset + 64, self.text(last))

    def call(self, name: str) -> None:
        self.calls.append(self.symbols.get(name, name))
        self.sections[TEXTS] += b"\x48\xc7\xc7\0\0\0\0"

    def metadata(self, kind: int, name: str, data: tuple[int, int] | None) -> int:
        offset = self.record(24, METADATA)
        struct.pack_into("<ii", self.sections[DATA], offset, 1, kind)
        if data:
            self.point(DATA, offset + 8, data)
        self.point(DATA, offset + 16, self.text(name))
        return offset

    def chips(self, driver: str, ids: list[tuple[int, int]]) -> None:
        table = self.constant(16 * len(ids))
        for row, one in enumerate(ids):
            struct.pack_into("<II", self.sections[DATA], table[1] + 16 * row, *one)
        info = self.constant(32)
        self.point(*info, self.text("U32:vendor;U32:device;U32:subvendor"))
        self.point(info[0], info[1] + 16, table)
        struct.pack_into("<ii", self.sections[DATA], info[1] + 24, 16, len(ids))
        offset = self.metadata(4, "pci", info)
        self.symbols[f"_mod_metadata_md_pci_pnpinfo_{driver}"] = (DATA, offset)

    def layout(self) -> bytes:
        starts = {}
        address = BASE
        for number, content in self.sections.items():
            starts[number] = address if self.linked else 0
            address += (len(content) + 0xFFF) & ~0xFFF
        undefined = [one for _, _, one in self.pointers if isinstance(one, str)]
        undefined += [one for one in self.calls if isinstance(one, str)]
        rows: list[tuple[str, int, int]] = [("", 0, 0)]
        rows += [("", number, 0) for number in self.sections]
        rows += [(name, *place) for name, place in self.symbols.items()]
        rows += [(name, 0, 0) for name in dict.fromkeys(undefined)]
        index = {row[0]: at for at, row in enumerate(rows) if row[0]}

        def referred(target: tuple[int, int] | str) -> tuple[int, int]:
            return (index[target], 0) if isinstance(target, str) else target

        relocations: dict[int, bytearray] = {}
        for section, offset, target in self.pointers:
            if self.linked:
                assert not isinstance(target, str), f"{target} is nowhere"
                value = starts[target[0]] + target[1]
                struct.pack_into("<Q", self.sections[section], offset, value)
            else:
                at, addend = referred(target)
                row = struct.pack("<QQq", offset, at << 32 | 1, addend)
                relocations.setdefault(section, bytearray()).extend(row)
        for at, called in enumerate(self.calls):
            if self.linked:
                assert not isinstance(called, str), f"{called} is nowhere"
                value = (starts[called[0]] + called[1]) & 0xFFFFFFFF
                struct.pack_into("<I", self.sections[TEXTS], at * 7 + 3, value)
            else:
                at_symbol, addend = referred(called)
                called_row = struct.pack("<QQq", at * 7 + 3, at_symbol << 32 | 11, addend)
                relocations.setdefault(TEXTS, bytearray()).extend(called_row)
        return self.file(starts, rows, relocations)

    def file(
        self,
        starts: dict[int, int],
        rows: list[tuple[str, int, int]],
        relocations: dict[int, bytearray],
    ) -> bytes:
        strings, table = bytearray(b"\0"), bytearray()
        for name, section, value in rows:
            at = len(strings) if name else 0
            strings += name.encode() + b"\0" if name else b""
            table += struct.pack("<IBBHQQ", at, 0x10, 0, section, starts.get(section, 0) + value, 0)
        symtab = 6 + len(relocations)
        headers: list[tuple[str, int, int, int, bytes, int, int, int]] = []
        for number, content in self.sections.items():
            flags = ALLOCATED | (EXECUTED if number == TEXTS else 0)
            headers.append((NAMES[number], 1, flags, starts[number], bytes(content), 0, 0, 0))
        for of, added in relocations.items():
            headers.append((f".rela{NAMES[of]}", 4, 0, 0, bytes(added), symtab, of, 24))
        headers.append((".symtab", 2, 0, 0, bytes(table), symtab + 1, 1, 24))
        headers.append((".strtab", 3, 0, 0, bytes(strings), 0, 0, 0))
        names = b"\0" + b"".join(one[0].encode() + b"\0" for one in headers) + b".shstrtab\0"
        headers.append((".shstrtab", 3, 0, 0, names, 0, 0, 0))
        body, offset, lines = bytearray(), 64, [bytes(64)]
        for name, kind, flags, address, data, link, info, size in headers:
            at = names.index(b"\0" + name.encode() + b"\0") + 1
            lines.append(
                struct.pack(
                    "<IIQQQQIIQQ", at, kind, flags, address, offset + len(body), len(data),
                    link, info, 1, size,
                )
            )  # fmt: skip
            body += data
        head = b"\x7fELF\x02\x01\x01\x09" + bytes(8)
        head += struct.pack(
            "<HHIQQQIHHHHHH", 2 if self.linked else 1, 62, 1, 0, 0, offset + len(body), 0,
            64, 0, 0, 64, len(lines), len(lines) - 1,
        )  # fmt: skip
        return head + bytes(body) + b"".join(lines)


def symbol(name: str) -> str:
    """How the kernel's macros name the declaration of `name`."""
    return "sysctl___" + name.replace(".", "_")
