"""The version of a base system."""

import re

from image.tree import Tree

_USERLAND = re.compile(rb'(?m)^USERLAND_VERSION="([0-9A-Za-z.+-]{1,64})"$')


def userland(base: Tree) -> str:
    """Which version the base system in a tree is, as freebsd-version(1) says; "" if it does not."""
    script = base.get("bin/freebsd-version")
    said = _USERLAND.search(script.content.read()) if script else None
    return said[1].decode() if said else ""
