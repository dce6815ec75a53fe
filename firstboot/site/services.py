"""What the services of a box are, as `services.yaml` of each overlay declares them.

This is the one place for it: the build reads there which scripts of rc(8) an image has, the box
how it starts and changes its daemons, the preflight who may listen where, and pf which ports of
the box administrators may reach.
"""

import functools
import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatch
from pathlib import Path

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal

FILE = "services.yaml"

Command = tuple[str, ...]

SILENT = 124
"""The exit status of a command that had no answer in time, as that of timeout(1)."""


class On(Enum):
    """When rc(8) runs a script."""

    ALWAYS = "always"
    SITE = "site"
    """Once a site is configured that has it."""

    NEVER = "never"
    """The script is there for others to start, or to come after."""


class Each(Enum):
    """What a service has one process for."""

    RELAY = "relay"


class Place(Enum):
    """What addresses of a configured box are for."""

    LOOPBACK = "loopback"
    ROUTER = "router"
    RESOLVER = "resolver"
    RELAYS = "relays"
    EXITS = "exits"
    MANAGEMENT = "management"
    LAN = "lan"
    SESSIONS = "sessions"
    ANY = "any"
    """No address: in a jail, all addresses of the jail."""


class Protocol(Enum):
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True)
class Listens:
    """A socket that takes what the box did not ask for; without a port, one on any port."""

    on: Place
    protocol: Protocol
    reason: str
    port: int | None = None


@dataclass(frozen=True)
class Checker:
    """A command of the daemon itself that checks each rendered file whose path matches `files`.

    `program` is its absolute path, and it is started by that path: sshd insists on it. `{file}` in
    `arguments` stands for the path of a copy. In the copy, paths in `moved` are replaced by those
    of copies, and lines in `without` are blank.
    """

    files: str
    program: str
    arguments: Command
    moved: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return _basename(self.program)


@dataclass(frozen=True)
class Service:
    """A script of rc(8), `on` for a `reason`; with a `label`, a service that the box looks after.

    `label` is its name for people. It is installed if the box has `program`, an absolute path.
    `ready` is a command that succeeds while it runs and answers, and ends with the status `SILENT`
    if it runs and does not; a service without it is a setting, which is done when its start ends.

    `reads` and `fixed` are patterns (fnmatch) of its files, without a leading slash. It takes on a
    change of one in `reads` by the command `reload`, or by itself if there is none. After a change
    of one in `fixed` it has to be restarted.
    """

    name: str
    on: On
    reason: str
    label: str = ""
    program: str = ""
    packaged: str = ""
    """The program of a package that the script starts in place of `program` where the box has it,
    by its absolute path."""

    after: str = ""
    """The service that starts before it."""

    reads: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    reload: Command = ()
    ready: Command = ()
    timed: bool = False
    """Whether `ready` ends in time whatever the daemon does, so that it tells nothing of the daemon
    where it does not: the box is too slow then."""

    kill: Command = ()
    """Ends all of its processes, whatever they do; by default those of the names in `processes`."""

    tend: Command = ()
    """What the box runs once a minute, to keep right what changes by itself."""

    pid_file: str = ""
    """Where a daemon that goes by the time of day writes its number as it starts, by an absolute
    path, with {name} for the name of one of `each`. The time of the file tells whether the clock
    was ahead then."""

    each: Each | None = None
    """What it has one process for; `start`, `stop`, `ready` and `kill` take the name of one."""

    guards: bool = False
    """Whether something could leak while it is not in force, so that the transit and exchange ports
    stay down."""

    tool: bool = False
    """Whether `program` is a tool that others run too. rc(8) takes any process of it for the
    service, and starts nothing then, unless it is told not to look (faststart, rc.subr)."""

    may_be_off: bool = False
    """Whether a site can leave it out."""

    checks: tuple[Checker, ...] = ()
    listens: tuple[Listens, ...] = ()

    @property
    def start(self) -> Command:
        return "service", self.name, "faststart" if self.tool else "start"

    @property
    def stop(self) -> Command:
        return "service", self.name, "stop"

    @property
    def processes(self) -> tuple[str, ...]:
        """The names that its process may have; sockstat(1) and ps(1) may cut them short."""
        return tuple(_basename(one) for one in (self.program, self.packaged) if one)

    def rereads(self, changed: Iterable[str]) -> bool:
        return _any(changed, self.reads)

    def restarts(self, changed: Iterable[str]) -> bool:
        return _any(changed, self.fixed)


@dataclass(frozen=True)
class Services:
    """What `services.yaml` says."""

    services: tuple[Service, ...]


@functools.cache
def read(path: Path) -> Document[Services]:
    """The declarations in the file at `path`. Raises Refusal."""
    found = document.load(path, Services)
    for at, service in enumerate(found.value.services):
        if service.label and not service.program:
            raise Refusal(
                found.where("services", at),
                f"the service {service.name} has a label and no program",
                "Give the absolute path of its program",
            )
        if service.listens and not service.label:
            raise Refusal(
                found.where("services", at),
                f"the service {service.name} listens and has no label",
                "Give it a label and its program",
            )
        for number, one in enumerate(service.listens):
            if one.on is Place.MANAGEMENT and one.port is None:
                raise Refusal(
                    found.where("services", at, "listens", number),
                    "a listener on the management port has no port number",
                    "Give its port: the packet filter lets administrators reach that one alone",
                )
    return found


@functools.cache
def load(paths: tuple[Path, ...]) -> tuple[Service, ...]:
    """The services that the box looks after, of all files in `paths`, in the order in which they
    start. Raises Refusal."""
    found: dict[str, Service] = {}
    where: dict[str, str] = {}
    for path in paths:
        declared = read(path)
        for at, service in enumerate(declared.value.services):
            here = declared.where("services", at)
            if service.name in where:
                raise Refusal(
                    here,
                    f"the service {service.name} is declared in {where[service.name]} already",
                    "Keep the one that is meant",
                )
            where[service.name] = here
            if service.label:
                found[service.name] = service
    return tuple(_ordered(found, where))


def _ordered(found: Mapping[str, Service], where: Mapping[str, str]) -> Iterable[Service]:
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for service in found.values():
        if service.after and service.after not in found:
            raise Refusal(
                where[service.name],
                f"{service.name} starts after {service.after}, which is not a service with a label",
                "Name one that is",
            )
        order.add(service.name, *([service.after] if service.after else []))
    try:
        return [found[name] for name in order.static_order()]
    except graphlib.CycleError as error:
        circle = error.args[1]
        raise Refusal(
            where[circle[0]],
            f"each of these services starts after the next: {', '.join(reversed(circle))}",
            "Change what one of them starts after",
        ) from error


def files(overlays: Path) -> tuple[Path, ...]:
    """The declarations of all overlays in the folder `overlays`."""
    return tuple(sorted(overlays.glob(f"*/{FILE}")))


def management_ports(overlays: Path) -> dict[str, tuple[int, ...]]:
    """Ports that services have on the management port, by protocol (`tcp`, `udp`)."""
    found: dict[str, set[int]] = {}
    for path in files(overlays):
        for service in read(path).value.services:
            for one in service.listens:
                if one.on is Place.MANAGEMENT and one.port is not None:
                    found.setdefault(one.protocol.value, set()).add(one.port)
    return {protocol: tuple(sorted(found[protocol])) for protocol in sorted(found)}


def _basename(path: str) -> str:
    return path.rpartition("/")[2]


def _any(paths: Iterable[str], patterns: Iterable[str]) -> bool:
    wanted = tuple(patterns)
    return any(fnmatch(path, pattern) for path in paths for pattern in wanted)
