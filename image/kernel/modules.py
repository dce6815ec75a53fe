"""What a kernel and its modules say of themselves: modules, drivers, and the devices they take.

Each fact is a `struct mod_metadata` (`<sys/module.h>`) in the linker set `modmetadata_set`: its
version and type (4 bytes each), a pointer to data, a pointer to a name.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from image.kernel.elf import Object, Place

DEPEND, MODULE, VERSION, PNP_INFO = 1, 2, 3, 4
"""MDT_*."""

DATA, NAME = 8, 16
"""Offsets of pointers in `struct mod_metadata`."""

PCI_IDS = "U32:vendor;U32:device;"
"""How the description of a table begins whose rows begin with a PCI id, as iflib(4) has them."""

PCI_TABLE = "_mod_metadata_md_pci_pnpinfo_"
"""How the symbol of a PNP_INFO begins; the rest is the name that the driver gave it, its own."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one object. A driver is named with its bus: ``pci/ix``. `chips` has the PCI ids that a
    driver takes, vendor and device, by the driver's name without the bus."""

    modules: frozenset[str]
    drivers: frozenset[str]
    depends: frozenset[str]
    chips: dict[str, frozenset[tuple[int, int]]]


def read(one: Object) -> Facts:
    """What the object says of itself. Raises Refusal if it is damaged."""
    modules: set[str] = set()
    drivers: set[str] = set()
    depends: set[str] = set()
    chips: dict[str, frozenset[tuple[int, int]]] = {}
    tables = {
        place: name.removeprefix(PCI_TABLE).removesuffix("_driver")
        for name, place in one.symbols(PCI_TABLE).items()
    }
    for target in one.entries("modmetadata_set"):
        if not isinstance(target, Place):
            continue
        _, kind = one.unpack("<ii", target)
        data, name = one.pointer(target.after(DATA)), one.pointer(target.after(NAME))
        if kind == VERSION:
            modules.add(one.text(name))
        elif kind == DEPEND:
            depends.add(one.text(name))
        elif kind == MODULE and isinstance(data, Place):
            bus, slash, driver = one.text(one.pointer(data)).rpartition("/")
            (drivers if slash else modules).add(f"{bus}{slash}{driver}")
        elif kind == PNP_INFO and target in tables and isinstance(data, Place):
            chips[tables[target]] = frozenset(_pci_ids(one, data))
    return Facts(frozenset(modules), frozenset(drivers), frozenset(depends), chips)


def _pci_ids(one: Object, info: Place) -> Iterator[tuple[int, int]]:
    """Of a `struct mod_pnp_match_info`: description, bus, table, size of a row, rows."""
    table = one.pointer(info.after(16))
    if not isinstance(table, Place) or not one.text(one.pointer(info)).startswith(PCI_IDS):
        return
    size, rows = one.unpack("<ii", info.after(24))
    for row in range(rows if size >= 8 else 0):
        vendor, device = one.unpack("<II", table.after(row * size))
        if vendor:
            yield vendor, device
