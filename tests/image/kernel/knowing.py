"""A kernel in miniature that knows whatever overlays name but HardenedBSD's settings, for tests of
something else."""

from collections.abc import Iterable
from pathlib import Path

from image.kernel.lint import HARDENED
from image.kernel.mentions import ANY, Mention, Use, in_overlay
from image.kernel.sysctl import TUNABLE
from tests.image.kernel import objects
from tests.image.kernel.objects import NUMBER, TEXT, Plan


def boot(overlays: Iterable[Path]) -> dict[str, bytes]:
    """The files of /boot/kernel by name: the kernel and the modules that the overlays load."""
    named = [one for folder in overlays for one in in_overlay(folder)]
    modules = {one.name: objects.module(Plan()) for one in named if one.use is Use.MODULE}
    files = {f"{name}.ko": data for name, data in modules.items() if ANY not in name}
    return {"kernel": objects.kernel(_plan(named)), **files}


def _plan(named: list[Mention]) -> Plan:
    sysctls: dict[str, int] = {}
    texts: set[str] = set()
    drivers: set[str] = set()
    chips: dict[str, list[tuple[int, int]]] = {}
    for one in named:
        parts = one.name.split(".")
        if parts[0] == HARDENED:
            continue
        if one.use is Use.DRIVER:
            drivers.add(f"pci/{one.name}")
        elif one.use is Use.CHIP:
            vendor, device = (int(part, 16) for part in one.name.split(":"))
            chips.setdefault(one.value or "", []).append((vendor, device))
        elif parts[0] == "dev" and len(parts) > 2:
            drivers.add(f"pci/{parts[1]}")
            texts.update(parts[3:])
        elif len(parts) == 1:
            texts.add(one.name)
        elif ANY not in parts and one.use in (Use.SET, Use.READ, Use.TUNABLE):
            is_text = one.value is not None and not one.value.lstrip("-").isdecimal()
            kind = (TEXT if is_text else NUMBER) | (TUNABLE if one.use is Use.TUNABLE else 0)
            sysctls[one.name] = sysctls.get(one.name, 0) | kind
    return Plan(sysctls, sorted(texts), drivers=sorted(drivers), chips=chips)
