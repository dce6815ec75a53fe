"""What the box's programs need to know about the operating system that they run on."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.box.host import Host
from firstboot.box.verdict import Verdict
from firstboot.wizard.nics import Nic

if TYPE_CHECKING:
    from socket import socket

    # The consoles greet before the site model and the templates are loaded.
    from firstboot.box.stopped import Stopped
    from firstboot.core.values import Address
    from firstboot.site.listening import Socket
    from firstboot.site.model import Site
    from firstboot.site.render import Rendered
    from firstboot.site.services import Checker, Command, Service


@dataclass(frozen=True, slots=True)
class Lack:
    """`what` this system does not have; `commands` are refused because of it, with an option if
    only that needs it: ``rollback --slot``. `instead` says what takes its place, if anything."""

    what: str
    instead: str = ""
    commands: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}; {self.instead}" if self.instead else self.what


@dataclass(frozen=True, slots=True)
class System:
    """One of the systems in box/systems.

    `name` is what messages call it. `kind` is in every heading of the wizard, and `notice` is the
    first line of status; both are empty for the systems that are released.
    """

    name: str

    service_files: tuple[Path, ...]
    """The declarations of its services (firstboot/site/services.py)."""

    verdicts: "Callable[[Site, Iterable[Rendered], Host, Sequence[Service]], tuple[Verdict, ...]]"
    """Judges the conditions under which the transit and exchange ports may go up, on a box with
    these services."""

    nics: Callable[[Host], tuple[Nic, ...]]
    """Lists the network cards, in the order in which the kernel found them."""

    raised: Callable[[Host], AbstractContextManager[None]]
    """Sets the network cards up, as long as the box has no addresses: a card that is down does not
    see whether a cable is plugged in."""

    alias: "Callable[[Address, str], Command]"
    """Returns the command that adds one of the box's own addresses to an interface."""

    fat: str
    """The type that mount(8) has for a FAT file system."""

    password: "Callable[[Host], Command]"
    """Returns the command that sets root's password to the hash on its standard input."""

    leaks: "Callable[[Host], int | None]"
    """Counts the packets that the filter stopped because their source is not an own one, since it
    was started; None if it does not tell."""

    stopped: "Callable[[Host], tuple[Stopped, ...]]"
    """Counts these by class, and answers to what was never asked; nothing where the filter does not
    tell them apart."""

    sockets: "Callable[[Host], tuple[Socket, ...]]"
    """Lists the local ends of all sockets."""

    by_management: "Callable[[socket], None]"
    """Has the packets of a socket, which is bound to an address of the management port, leave by
    that port's routing table."""

    again: "Callable[[Host], Command]" = lambda host: ()
    """Returns the command by which `exitisp` has to be started again, empty if it runs as it has
    to."""

    carriers: bool = True
    """Whether bgpd knows the kernel's interfaces, and so whether a port has a carrier."""

    kind: str = ""
    notice: str = ""
    lacks: tuple[Lack, ...] = ()
    """What the box does on other systems and cannot do on this one."""

    @property
    def services(self) -> "tuple[Service, ...]":
        """The services that the box looks after, in the order in which they start."""
        # The consoles greet before this loads YAML.
        from firstboot.site.services import load

        return load(self.service_files)

    @property
    def checkers(self) -> "tuple[Checker, ...]":
        return tuple(checker for service in self.services for checker in service.checks)
