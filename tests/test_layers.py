"""Layers and circles: which package may import which.

Every import is read from the sources with `ast`: those inside functions and those for type checkers
count like all others. A room is a direct child of `image`, `qemu` and `firstboot`, and of
`firstboot.site`, `firstboot.wizard` and `firstboot.box`: a package or a single module.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("firstboot", "image", "qemu")

LAYERS = (
    "firstboot.core",
    "firstboot.site",
    "firstboot.wizard",
    "firstboot.box",
    "firstboot.__main__",
    "image",
    "qemu",
    "tasks",
)
"""From the lowest up. Each may import itself and those before it."""

FOR_IMAGE = ("firstboot.core", "firstboot.site")
"""What `image` may import of `firstboot`: the floor, and what renders and judges a site."""

DIVIDED = ("firstboot.site", "firstboot.wizard", "firstboot.box", "firstboot", "image", "qemu")
"""The packages whose direct children are rooms, the innermost first."""

ASKS_FOR_THE_SYSTEM = ("firstboot.box.systems",)
"""The package that may look at which operating system it runs on."""

KNOWN_CIRCLES: frozenset[frozenset[str]] = frozenset()
"""Circles that are still there. One that is gone has to leave this list too."""

KNOWN_IMPORTS: frozenset[tuple[str, str]] = frozenset()
"""Imports against the layers that are still there, as (who, what)."""


class Import(NamedTuple):
    """`module` imports `imported` at `line` of its source."""

    module: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


def sources(root: Path) -> dict[str, Path]:
    """The modules of the project by their dotted names."""
    found = {"tasks": root / "tasks.py"}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(module: str, text: str, modules: Collection[str]) -> Iterator[Import]:
    """What the module with the source `text` imports of `modules`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno}: write the whole name of the module"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if name and name != module:
                yield Import(module, name, node.lineno)


@cache
def all_imports(root: Path) -> list[Import]:
    modules = sources(root)
    return [
        one
        for module, path in modules.items()
        for one in imports(module, path.read_text(encoding="utf-8"), modules)
    ]


def room(module: str) -> str:
    """The room that `module` is in; a package that is divided into rooms is one by itself."""
    for package in DIVIDED:
        if module.startswith(f"{package}."):
            return f"{package}.{module.removeprefix(f'{package}.').partition('.')[0]}"
    return module


def graph(edges: Collection[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source, target in edges:
        if source != target:
            found.setdefault(source, set()).add(target)
    return found


def circles(edges: Mapping[str, Collection[str]]) -> set[frozenset[str]]:
    """The sets of nodes that all reach each other (strongly connected components)."""
    remaining = {node: set(targets) for node, targets in edges.items()}
    found: set[frozenset[str]] = set()
    while True:
        try:
            tuple(TopologicalSorter(remaining).static_order())
        except CycleError as error:
            start = error.args[1][0]
            members = frozenset(
                one for one in reached(start, remaining) if start in reached(one, remaining)
            )
            found.add(members)
            remaining = {
                node: targets - members
                for node, targets in remaining.items()
                if node not in members
            }
        else:
            return found


def reached(start: str, edges: Mapping[str, Collection[str]]) -> set[str]:
    """All nodes that a path of at least one edge leads to from `start`."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def layer(module: str) -> int | None:
    for number, name in enumerate(LAYERS):
        if module == name or module.startswith(f"{name}."):
            return number
    return None


def against_the_layers(one: Import) -> bool:
    """Whether `one` imports something above it, or more of `firstboot` than `image` may."""
    below, above = layer(one.imported), layer(one.module)
    if below is None or above is None or below > above:
        return True
    if one.module.startswith("image.") and one.imported.startswith("firstboot."):
        return LAYERS[below] not in FOR_IMAGE
    return False


def system_checks(text: str) -> Iterator[int]:
    """The lines of a source that look at which operating system it runs on."""
    names = {"sys": {"platform"}, "platform": {"system", "uname"}, "os": {"uname"}}
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                if name in names.get(module, ()):
                    yield node.lineno
            case ast.ImportFrom(module=str(module), names=aliases):
                if any(alias.name in names.get(module, ()) for alias in aliases):
                    yield node.lineno


def test_every_module_imports_only_layers_below_it() -> None:
    wrong = [one for one in all_imports(ROOT) if against_the_layers(one)]
    assert {(one.module, one.imported) for one in wrong} == KNOWN_IMPORTS, "\n".join(
        map(str, wrong)
    )


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {(one.module, one.imported) for one in all_imports(ROOT)}
    assert circles(graph(edges)) - KNOWN_CIRCLES == set()


def test_no_rooms_import_each_other_in_a_circle() -> None:
    edges = {(room(one.module), room(one.imported)) for one in all_imports(ROOT)}
    assert circles(graph(edges)) - KNOWN_CIRCLES == set()


def test_every_known_circle_is_still_there() -> None:
    edges = all_imports(ROOT)
    modules = circles(graph({(one.module, one.imported) for one in edges}))
    rooms = circles(graph({(room(one.module), room(one.imported)) for one in edges}))
    assert KNOWN_CIRCLES - modules - rooms == set()


def test_only_the_systems_look_at_which_system_they_run_on() -> None:
    found = [
        f"{module}:{line}"
        for module, path in sources(ROOT).items()
        if not module.startswith(ASKS_FOR_THE_SYSTEM)
        for line in system_checks(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("image.base.sets", "image.base"),
        ("image.tree", "image.tree"),
        ("firstboot.site.rules.ports", "firstboot.site.rules"),
        ("firstboot.core.refusal", "firstboot.core"),
        ("firstboot.box", "firstboot.box"),
        ("tasks", "tasks"),
    ],
)
def test_rooms_are_direct_children(module: str, expected: str) -> None:
    assert room(module) == expected


def test_imports_are_found_wherever_they_stand() -> None:
    text = """
import typing
from image import tree
if typing.TYPE_CHECKING:
    from image.base.sets import BaseSets
def late():
    import image.disk as other
"""
    modules = {"image", "image.tree", "image.base", "image.base.sets", "image.disk"}
    found = {one.imported: one.line for one in imports("image.fat", text, modules)}
    assert found == {"image.tree": 3, "image.base.sets": 5, "image.disk": 7}


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}}, set()),
        ({"a": {"b"}, "b": {"a"}}, {frozenset("ab")}),
        ({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}}, {frozenset("abc")}),
        (
            {"a": {"b"}, "b": {"a", "x"}, "x": {"y"}, "y": {"x"}},
            {frozenset("ab"), frozenset("xy")},
        ),
    ],
)
def test_circles_are_found(edges: dict[str, set[str]], expected: set[frozenset[str]]) -> None:
    assert circles(edges) == expected


@pytest.mark.parametrize(
    ("module", "imported", "expected"),
    [
        ("image.disk", "qemu.machine", True),
        ("qemu.machine", "image.disk", False),
        ("image.root", "firstboot.box.cli", True),
        ("image.root", "firstboot.wizard.flow", True),
        ("image.root", "firstboot.site.model", False),
        ("firstboot.core.refusal", "firstboot.site.model", True),
        ("firstboot.site.check", "firstboot.box.apply", True),
    ],
)
def test_imports_against_the_layers_are_found(module: str, imported: str, expected: bool) -> None:
    assert against_the_layers(Import(module, imported, 1)) is expected


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nif sys.platform == 'linux': pass",
        "import platform\n\nplatform.system()",
        "import os\nos.uname().sysname",
        "from sys import platform",
    ],
)
def test_looking_at_the_system_is_found(text: str) -> None:
    assert list(system_checks(text))
