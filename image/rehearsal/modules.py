"""The kernel's modules: which ones the rehearsal takes, and the tables that modprobe(8) reads.

The section ``.modinfo`` of a module has its name, its dependencies and its devices, as strings
NAME=VALUE that each end with a zero byte (include/linux/moduleinfo).
"""

import io
import lzma
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from elftools.elf.elffile import ELFFile

from firstboot.core.refusal import Refusal
from image.elf_errors import DAMAGE
from image.rehearsal.linked import missing
from image.tree import Tree

MODULE = re.compile(r"usr/lib/modules/([^/]+)/(kernel/.+/([^/]+)\.ko)(\.xz)?")


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the kernel. `path` is relative to the kernel's module folder; `data` is the
    uncompressed module."""

    name: str
    path: str
    data: bytes
    needs: tuple[str, ...]
    aliases: tuple[str, ...]


def kernel(tree: Tree) -> str:
    """Return the version of the newest kernel in `tree`. Raises Refusal if there is none."""
    prefix = "boot/vmlinuz-"
    versions = [path.removeprefix(prefix) for path in tree if path.startswith(prefix)]
    if not versions:
        raise missing("boot/vmlinuz")
    return max(versions, key=lambda text: [int(part) for part in re.findall("[0-9]+", text)])


def choose(tree: Tree, version: str, names: Iterable[str]) -> list[Module]:
    """Return the modules `names` of the kernel `version` and the modules that they need, sorted by
    path. Built-in modules are left out. Raises Refusal for a missing one."""
    there = {
        plain(match[3]): (path, match[2], bool(match[4]))
        for path in tree
        if (match := MODULE.fullmatch(path)) and match[1] == version
    }
    built_in = tree.get(f"usr/lib/modules/{version}/modules.builtin")
    lines = built_in.content.read().decode().split() if built_in else []
    inside = {plain(PurePosixPath(line).stem) for line in lines}
    found: dict[str, Module] = {}
    waiting = [plain(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found or name in inside:
            continue
        if name not in there:
            raise missing(f"the kernel's module {name}")
        path, place, compressed = there[name]
        data = tree[path].content.read()
        if compressed:
            data = lzma.decompress(data)
        said = modinfo(data)
        needs = tuple(filter(None, said.get("depends", [""])[0].split(",")))
        found[name] = Module(name, place, data, needs, tuple(said.get("alias", ())))
        waiting += map(plain, needs)
    return sorted(found.values(), key=lambda module: module.path)


def modinfo(data: bytes) -> dict[str, list[str]]:
    """Return the values of each name in a module's ``.modinfo``. Raises Refusal for anything but a
    whole ELF file."""
    try:
        section = ELFFile(io.BytesIO(data)).get_section_by_name(".modinfo")
        said = section.data() if section else b""
    except DAMAGE as error:
        raise Refusal(
            "a kernel module", f"this is no whole ELF file ({error})", "Fetch the kernel again"
        ) from error
    found: dict[str, list[str]] = {}
    for line in said.split(b"\0"):
        name, equals, value = line.decode("utf-8", "replace").partition("=")
        if equals:
            found.setdefault(name, []).append(value)
    return found


def tables(modules: Iterable[Module]) -> Mapping[str, bytes]:
    """Return ``modules.dep`` and ``modules.alias`` as depmod(8) writes them."""
    every = {module.name: module for module in modules}
    needs = "".join(
        f"{one.path}: {' '.join(every[name].path for name in below(one, every))}\n"
        for one in every.values()
    )
    aliases = "".join(
        f"alias {alias} {one.name}\n" for one in every.values() for alias in one.aliases
    )
    return {"modules.dep": needs.encode(), "modules.alias": aliases.encode()}


def below(module: Module, every: Mapping[str, Module]) -> list[str]:
    """Return the names of all modules that `module` needs; the one to load first comes last."""
    found: list[str] = []
    waiting = list(module.needs)
    while waiting:
        name = plain(waiting.pop(0))
        if name in every:
            if name in found:
                found.remove(name)
            found.append(name)
            waiting += every[name].needs
    return found


def plain(name: str) -> str:
    """Return the name of a module as the kernel knows it: with underscores where the file name has
    hyphens."""
    return name.replace("-", "_")
