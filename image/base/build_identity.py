"""Which build base and kernel are, by what is inside of the bytes that were verified.

- Base: freebsd-version(1) has the release, and the ABI tag of /bin/sh the number of the system
  (``__FreeBSD_version``), where pkg(8) reads it too.
- Kernel: the symbols ``osrelease`` and ``osreldate``, a text and a number of 4 bytes
  (sys/conf/newvers.sh).
- When they were built: the time of the youngest of these files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image import archive
from image.archive import Found, Source
from image.base.abi_tag import system_number
from image.base.userland import VERSION, release
from image.kernel.elf import Object, Place
from image.kernel.kernel import KERNEL
from image.tree import Kind, Tree

SHELL = "bin/sh"
OF_BASE, OF_KERNEL = (VERSION, SHELL), (KERNEL,)

_PATCH_LEVEL = re.compile(r"-p[0-9]+$")

_REMEDY = "Use the sets of one complete build of HardenedBSD or FreeBSD"


@dataclass(frozen=True, slots=True)
class Identity:
    """A build. `release` is such as ``15.1-STABLE-HBSD``, `number` such as 1501501, and `built` in
    seconds since 1970."""

    release: str
    number: int
    built: int

    def __str__(self) -> str:
        return f"{self.release} ({self.number})"


def of_sets(base: Source, kernel: Source) -> tuple[Identity, Identity]:
    """Return what base and kernel say of themselves. Raises Refusal if one of them does not, or if
    they are of different builds."""
    found = archive.find(base, OF_BASE), archive.find(kernel, OF_KERNEL)
    return _checked(of_base(found[0], str(base.path)), of_kernel(found[1], str(kernel.path)))


def of_tree(tree: Tree) -> tuple[Identity, Identity]:
    """Return the same of a tree that has both. Raises Refusal as well."""
    found = {
        path: Found(entry.content.read(), entry.mtime)
        for path in (*OF_BASE, *OF_KERNEL)
        if (entry := tree.get(path)) is not None and entry.kind is Kind.FILE
    }
    return _checked(of_base(found, "the base system"), of_kernel(found, "the kernel"))


def _checked(base: Identity, kernel: Identity) -> tuple[Identity, Identity]:
    ours, theirs = (_PATCH_LEVEL.sub("", one.release) for one in (base, kernel))
    if (ours, base.number) != (theirs, kernel.number):
        raise Refusal(
            "base and kernel",
            f"they are of different builds: the base is {base}, the kernel {kernel}",
            _REMEDY,
        )
    return base, kernel


def of_base(found: Mapping[str, Found], where: str) -> Identity:
    """Return what the files OF_BASE of a base system say. Raises Refusal."""
    script, shell = (_needed(found, path, where) for path in OF_BASE)
    named = release(script.data)
    if not named:
        raise _silent(where, f"/{VERSION} names no release (USERLAND_VERSION)")
    number = system_number(shell.data, f"{where}: /{SHELL}")
    if number is None:
        raise _silent(where, f"/{SHELL} has no ABI tag")
    return Identity(named, number, max(script.mtime, shell.mtime))


def of_kernel(found: Mapping[str, Found], where: str) -> Identity:
    """Return what a kernel says. Raises Refusal."""
    file = _needed(found, KERNEL, where)
    kernel = Object("kernel", file.data)
    symbols = kernel.symbols("osrel")
    places = [symbols.get(name) for name in ("osrelease", "osreldate")]
    text, number = places
    if not isinstance(text, Place) or not isinstance(number, Place):
        raise _silent(where, f"/{KERNEL} has no osrelease and osreldate")
    (system,) = kernel.unpack("<i", number)
    return Identity(kernel.text(text), system, file.mtime)


def _needed(found: Mapping[str, Found], path: str, where: str) -> Found:
    if path not in found:
        raise _silent(where, f"it has no /{path}")
    return found[path]


def _silent(where: str, problem: str) -> Refusal:
    return Refusal(where, f"{problem}, so it does not tell which build it is", _REMEDY)
