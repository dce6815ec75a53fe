"""The systems that a box may run, and which one a root has."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstboot.box.config_tests import Checker
    from firstboot.box.machine import Machine
    from firstboot.box.preflight import Verdict
    from firstboot.box.services import Command, Service
    from firstboot.core.values import Address
    from firstboot.site.model import Site
    from firstboot.site.render import Rendered

REHEARSAL = "usr/local/share/exitisp/rehearsal"
"""What only the root of a rehearsal has."""


@dataclass(frozen=True, slots=True)
class System:
    """What the box's own programs have to know of the system they are on.

    `kind` is in every heading of the wizard; `notice` and `lacks`, what there is not to be seen,
    are told by status. All are empty on the real one.
    """

    services: "tuple[Service, ...]"
    checkers: "tuple[Checker, ...]"
    verdicts: "Callable[[Site, Iterable[Rendered], Machine], tuple[Verdict, ...]]"
    """What must hold before a port goes up, and whether it does."""

    devices: "Callable[[Machine], tuple[str, ...]]"
    """Network devices, without those that are made by software."""

    alias: "Callable[[Address], Command]"
    """The command that gives the box an address of its own."""

    fat: str
    """What mount(8) calls the file system of the partition that a person can write to."""

    password: "Callable[[Path], Command]"
    """The command that reads root's new password, hashed, from standard input; of the root PATH."""

    raised: "Callable[[], AbstractContextManager[None]]"
    """Has the network cards up, for as long as a person looks which have a link."""

    kind: str = ""
    notice: str = ""
    lacks: tuple[str, ...] = ()


def of(root: Path) -> System:
    """The system in `root`."""
    if (root / REHEARSAL).exists():
        from firstboot.box.systems.rehearsal import SYSTEM as REHEARSING

        return REHEARSING
    from firstboot.box.systems.freebsd import SYSTEM as REAL

    return REAL
