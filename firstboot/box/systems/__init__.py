"""The systems that a box may run, and which of them a root file system holds."""

from pathlib import Path

from firstboot.box.system import System
from firstboot.box.systems import freebsd, rehearsal

REHEARSAL = "usr/local/share/exitisp/rehearsal"
"""A file that only the root of a rehearsal has."""


def of(root: Path) -> System:
    """The system in `root`."""
    return rehearsal.SYSTEM if (root / REHEARSAL).exists() else freebsd.SYSTEM
