"""The variables that the loader itself reads (loader.conf(5), loader(8))."""

import re

from image.tree import Kind, Tree

DEFAULTS = "boot/defaults/loader.conf"
"""Lists most of them, those without a value as a comment."""

SCRIPTS = "boot/lua/"
PROGRAMS = ("boot/loader", "boot/loader.efi", "boot/loader_lua", "boot/loader_lua.efi")

NAME = rb"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*"


def variables(tree: Tree) -> frozenset[str]:
    """The names in the loader's defaults, in its scripts, and among the texts in its programs."""
    found: set[bytes] = set()
    for path, entry in tree.items():
        if entry.kind is not Kind.FILE or not path.startswith("boot/"):
            continue
        if path == DEFAULTS:
            found.update(re.findall(rb"(?m)^#?(" + NAME + rb")=", entry.content.read()))
        elif path.startswith(SCRIPTS) and path.endswith(".lua"):
            pattern = rb"env\(\s*[\"'](" + NAME + rb")[\"']"
            found.update(re.findall(pattern, entry.content.read()))
        elif path in PROGRAMS:
            found.update(re.findall(rb"(?<=\0)(" + NAME + rb")(?=\0)", entry.content.read()))
    return frozenset(name.decode() for name in found)
