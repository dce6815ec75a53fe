"""The shared libraries that programs of Debian's packages are linked to."""

from collections.abc import Iterable

from firstboot.core.refusal import Refusal
from image.freeze import elf
from image.rehearsal.unpacked import follow
from image.tree import Tree

PLACES = ("usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib64")
"""Where the run-time linker looks (ld.so(8)), without a cache."""


def closure(tree: Tree, programs: Iterable[str]) -> dict[str, str]:
    """Every path of `tree` that has to be there for `programs` to run, themselves among them, and
    the path of the file that it leads to. Raises Refusal for what nobody has."""
    found: dict[str, str] = {}
    waiting = list(programs)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        try:
            found[path] = follow(tree, path)
        except KeyError:
            raise missing(path) from None
        facts = elf.read(tree[found[path]].content.read(), path)
        if facts is None:
            continue
        waiting += [place(tree, name) for name in facts.needed]
        if facts.interpreter:
            waiting.append(f"usr{facts.interpreter}")
    return found


def place(tree: Tree, library: str) -> str:
    """Where `library` lies. Raises Refusal if it is nowhere."""
    for folder in PLACES:
        if (path := f"{folder}/{library}") in tree:
            return path
    raise missing(library)


def missing(what: str) -> Refusal:
    return Refusal(
        "Debian's packages",
        expected=f"{what} in one of them",
        found="none",
        remedy="build on Debian 12, or on a newer one whose packages have it",
    )
