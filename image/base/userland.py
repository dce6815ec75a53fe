"""Which system a base is, and its version."""

import re

from image.tree import Tree

VERSION = "bin/freebsd-version"

_USERLAND = re.compile(rb'(?m)^USERLAND_VERSION="([0-9A-Za-z.+-]{1,64})"$')


HARDENED = "usr/sbin/hbsdcontrol"
"""A program of HardenedBSD's base that FreeBSD's base does not have."""


def is_hardened(base: Tree) -> bool:
    """Return whether a base system is HardenedBSD: its version says so, or it has a program of
    HardenedBSD's."""
    return "HBSD" in userland(base) or HARDENED in base


def userland(base: Tree) -> str:
    """Return the version of a base system as freebsd-version(1) has it; "" if it is not there."""
    script = base.get(VERSION)
    return release(script.content.read()) if script else ""


def release(script: bytes) -> str:
    """Return the release that the script freebsd-version(1) names; "" if it names none."""
    said = _USERLAND.search(script)
    return said[1].decode() if said else ""
