"""Finds the shared libraries that programs of Debian's packages need."""

from collections.abc import Iterable

from firstboot.core.refusal import Refusal
from image.freeze import elf
from image.rehearsal.unpacked import follow
from image.tree import Tree

PLACES = ("usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib64")
"""Folders that the run-time linker searches without a cache (ld.so(8))."""


def closure(tree: Tree, programs: Iterable[str]) -> dict[str, str]:
    """Return every path of `tree` that `programs` need to run, including themselves, each with the
    path of the file that it leads to. Raises Refusal if one is missing."""
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
    """Return the path of `library`. Raises Refusal if no folder has it."""
    for folder in PLACES:
        if (path := f"{folder}/{library}") in tree:
            return path
    raise missing(library)


def missing(what: str) -> Refusal:
    return Refusal(
        "Debian's packages",
        f"none of them has {what}",
        "Build on Debian 12, or on a newer one whose packages have it",
    )
