"""The version of a base system."""

import re

from image.tree import Tree

_USERLAND = re.compile(rb'(?m)^USERLAND_VERSION="([0-9A-Za-z.+-]{1,64})"$')


def userland(base: Tree) -> str:
    """Return the version of a base system as freebsd-version(1) has it; "" if it is not there."""
    script = base.get("bin/freebsd-version")
    said = _USERLAND.search(script.content.read()) if script else None
    return said[1].decode() if said else ""
