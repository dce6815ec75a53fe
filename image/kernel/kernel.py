"""A kernel as it will run: what is compiled in, and the modules that are loaded."""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from image.kernel import modules, sysctl
from image.kernel.elf import Object
from image.kernel.modules import Facts
from image.kernel.sysctl import Oid
from image.tree import Kind, Tree

KERNEL = "boot/kernel/kernel"
FOLDERS = ("boot/kernel", "boot/modules", "boot/firmware")
"""Where the loader and kldload(8) find modules."""


class Certainty(Enum):
    """How well a name is known.

    DECLARED: the kernel or a module declares it. MADE: it is made at run time, below a driver or
    a part of the tree that code adds to, and its own part is a text of that code. READ: it is, as
    a whole, a text that the kernel or a module looks up in the loader's environment.
    """

    DECLARED = "declared"
    MADE = "made at run time"
    READ = "read by name"


@dataclass(frozen=True, slots=True)
class Known:
    certainty: Certainty
    oids: tuple[Oid, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A module that is loaded because `by` needs it, or is `by` itself. Without `module`, neither
    the kernel nor a file has it."""

    by: str
    name: str
    module: Object | None


class Kernel:
    """The kernel in `tree`, with `loaded` modules and those that they need."""

    def __init__(self, tree: Tree, loaded: Iterable[str]) -> None:
        self._tree = tree
        self._cache: dict[str, Object] = {}
        self._facts: dict[str, Facts] = {}
        self.main = self._object("kernel", KERNEL)
        self.facts = self._facts_of(self.main)
        self.objects = [self.main]
        self.drivers = set(self.facts.drivers)
        for one in self._closure(loaded):
            if one.module is not None:
                self.objects.append(one.module)
                self.drivers |= self._facts_of(one.module).drivers

    def _closure(self, names: Iterable[str]) -> Iterator[Need]:
        """The modules `names` and those that they need, each once, without what is compiled in."""
        waiting = [(name, name) for name in names]
        seen = set(self.facts.modules)
        while waiting:
            by, name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            module = self.module(name)
            if module is None and by != name:
                module = self._declaring(name)
            yield Need(by, name, module)
            if module is not None:
                waiting += [(name, needed) for needed in self._facts_of(module).depends - seen]

    @cached_property
    def sysctls(self) -> dict[str, Oid]:
        return sysctl.read(self.objects)

    @cached_property
    def _by_dots(self) -> Mapping[int, list[tuple[str, Oid]]]:
        """The settings by the number of dots in their names."""
        found: dict[int, list[tuple[str, Oid]]] = defaultdict(list)
        for name, oid in self.sysctls.items():
            found[name.count(".")].append((name, oid))
        return found

    def path(self, module: str) -> str | None:
        """Where the module's file is."""
        paths = (f"{folder}/{module}.ko" for folder in FOLDERS)
        return next((path for path in paths if path in self._tree), None)

    def module(self, name: str) -> Object | None:
        """The file of a module, loaded or not."""
        path = self.path(name)
        return self._object(f"{name}.ko", path) if path else None

    def has_module(self, name: str) -> bool:
        """Whether a module can be loaded by that name, or is compiled in."""
        return name in self.facts.modules or self.path(name) is not None

    def lacking(self, name: str) -> Need | None:
        """What the module `name`, or one that it needs, needs and neither the kernel nor a module
        has; None if there is nothing. The loader and kldload(8) load no such module, and the loader
        says so only in passing."""
        needs = (one for one in self._closure([name]) if one.module is None)
        return min(needs, key=lambda one: (one.by, one.name), default=None)

    def _declaring(self, name: str) -> Object | None:
        """The file whose module has this name: files may have others."""
        files = (self.module(one) for one in self.module_names() if one not in self.facts.modules)
        return next((one for one in files if one and name in self._facts_of(one).modules), None)

    def module_names(self) -> Iterator[str]:
        yield from self.facts.modules
        for path, entry in self._tree.items():
            folder, _, name = path.rpartition("/")
            if folder in FOLDERS and name.endswith(".ko") and entry.kind is Kind.FILE:
                yield name.removesuffix(".ko")

    def look_up(self, name: str) -> Known | None:
        """What is known of the setting `name`, in which `*` is any part; None if nothing is."""
        if "*" in name:
            alike = re.compile(fnmatch.translate(name)).match
            found = tuple(oid for one, oid in self._by_dots[name.count(".")] if alike(one))
            if found:
                return Known(Certainty.DECLARED, found)
        elif name in self.sysctls:
            return Known(Certainty.DECLARED, (self.sysctls[name],))
        return Known(Certainty.MADE) if self._is_made(name) else None

    def reads(self, name: str) -> Known | None:
        """The same of the variable `name` of the loader's environment. That it is read by its whole
        name says more than that one could be made of its parts."""
        known = self.look_up(name)
        if known is not None and known.certainty is Certainty.DECLARED:
            return known
        return Known(Certainty.READ) if any(one.has_text(name) for one in self.objects) else known

    def _is_made(self, name: str) -> bool:
        parts = name.split(".")
        if parts[0] == "dev" and len(parts) > 2 and re.fullmatch(r"[0-9]+|\*", parts[2]):
            sources = self.sources(parts[1])
            return bool(sources) and _all_texts(parts[3:], sources)
        for length in range(len(parts) - 1, 0, -1):
            oid = self.sysctls.get(".".join(parts[:length]))
            if oid is not None:
                return (
                    oid.is_node
                    and any(one.uses(oid.place) for one in self.objects if one is oid.object)
                    and _all_texts(parts[length:], self.objects)
                )
        return False

    def sources(self, driver: str) -> list[Object]:
        """The objects whose texts a driver's settings are made of, none without the driver."""
        if any(one.rpartition("/")[2] == driver for one in self.drivers):
            return self.objects
        module = self._module_of(driver)
        return [] if module is None else [*self.objects, module]

    def chips(self, driver: str) -> frozenset[tuple[int, int]]:
        """The PCI ids, vendor and device, that a driver takes."""
        for one in self.sources(driver):
            chips = self._facts_of(one).chips
            if driver in chips:
                return chips[driver]
        return frozenset()

    def _module_of(self, driver: str) -> Object | None:
        for name in (f"if_{driver}", driver):
            module = self.module(name)
            if module is not None:
                drivers = self._facts_of(module).drivers
                if any(one.rpartition("/")[2] == driver for one in drivers):
                    return module
        return None

    def _facts_of(self, one: Object) -> Facts:
        if one.name not in self._facts:
            self._facts[one.name] = modules.read(one)
        return self._facts[one.name]

    def _object(self, name: str, path: str) -> Object:
        if path not in self._cache:
            self._cache[path] = Object(name, self._tree[path].content.read())
        return self._cache[path]


def _all_texts(parts: list[str], objects: list[Object]) -> bool:
    """Whether each of `parts` that is a name is a text of one of `objects`."""
    names = [part for part in parts if not re.fullmatch(r"[0-9]+|\*", part)]
    return all(any(one.has_text(part) for one in objects) for part in names)
