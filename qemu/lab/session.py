"""The appliance in the simulated Internet, up and running, and what can be asked of both."""

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Port, Site
from qemu.disk import Disk
from qemu.lab.appliance import Appliance
from qemu.lab.checks import Verdict
from qemu.lab.progress import Progress
from qemu.lab.systems import System
from qemu.machine import Machine
from qemu.wire import Nic
from qemu.world import net
from qemu.world.internet import Internet
from qemu.world.net import Failed
from qemu.world.packets import IPV4, IPV6, Frame
from qemu.world.trust import make

STICK = 4 << 30
"""Bytes of the disk; more than the image, as every real one is."""

PROCESSORS = 2
"""Of the appliance; emulated ones run at once."""

CONVERGED = 600.0
"""Seconds for sessions, names and circuits to come up; most of it is Tor's."""

ROUTES = (300, 100)
"""Of each family that each transit has; an emulated processor takes thousands too, in minutes."""

HOLD = 45
"""Seconds of silence after which neighbours take each other for gone, half of what is usual: a
check pulls a cable, and waits for nothing else."""

NAME = "deep.unsigned.example."
"""Names below it are all the same, and none of them follows from another (RFC 8198)."""

MAC = "02:00:5e:10:04:{:02x}"


@dataclass(frozen=True)
class Lab:
    internet: Internet
    appliance: Appliance
    site: Site
    progress: Progress
    fingerprints: tuple[str, ...] = ()
    """Of the relays, once they have some."""

    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def plan(self) -> Plan:
        return allot(self.site)

    @property
    def exits(self) -> set[Address]:
        """What exit traffic comes from. Relays may share one."""
        return {address for relay in self.plan.relays for address in relay.source}

    @property
    def outside(self) -> list[Port]:
        return [port for port in self.site.ports if port.role.outside]

    def port(self, name: str) -> Port:
        return next(port for port in self.site.ports if port.name == name)

    def sent(self, port: str) -> list[Frame]:
        """All frames that the appliance sent there until now, from the first on."""
        return self.internet.cables[port].settle()

    def sent_counts(self) -> dict[str, int]:
        """How many frames that are by now, for each port towards strangers."""
        return {port.name: len(self.sent(port.name)) for port in self.outside}

    def used(self, since: dict[str, int], service: str = "web") -> set[str]:
        """The ports by which the exits reached the world's host `service`, since those counts."""
        exits, there = self.exits, set(self.internet.topology.host(service).addresses)
        return {
            port
            for port, count in since.items()
            for frame in self.sent(port)[count:]
            if frame.ethertype in (IPV4, IPV6)
            and frame.packet.source in exits
            and frame.packet.destination in there
        }

    def unplug(self, port: str) -> None:
        """Pull the cable of a port: neither end has a carrier."""
        self.internet.cables[port].unplug()
        self.appliance.machine.unplug(self.site.ports.index(self.port(port)))

    def plug(self, port: str) -> None:
        self.internet.cables[port].plug()
        self.appliance.machine.plug(self.site.ports.index(self.port(port)))

    def fetch(self, relay: int, name: str) -> str:
        """The page `/name` of the world's web server, whose name is `name`, as a client gets it by
        the appliance's relay of this number from 0 on; nothing if it does not come."""
        try:
            return self.internet.tor.client.fetch(
                name.rstrip("."), f"/{name}", self.fingerprints[relay]
            )
        except Failed:
            return ""

    def new_name(self) -> str:
        """One that nobody has asked for yet, its dot at the end."""
        return f"n{next(self.numbers)}.{NAME}"


@contextmanager
def laboratory(
    image: Path, system: System, site: Site, folder: Path, progress: Progress, *more: Disk
) -> Iterator[Lab]:
    """Start the Internet around `site` and the appliance with `image` and `more` disks, answer the
    wizard, and wait until BGP, names and Tor work. `folder` keeps consoles, captures and logs.

    Raises Refusal for what this machine lacks, and Failure with what did not come.
    """
    with ExitStack() as stack:
        with progress.stage("the Internet starts"):
            world, keys = emptied(folder / "world"), emptied(folder / "keys")
            trust = make(keys, site)
            internet = stack.enter_context(Internet(site, world, trust, ROUTES, HOLD))
        nics = [
            Nic(MAC.format(at), internet.plugs[port.name]) for at, port in enumerate(site.ports)
        ]
        machine = Machine(
            Disk(image, size=STICK),
            *more,
            folder=folder,
            nics=nics,
            memory=system.memory,
            processors=PROCESSORS,
            name="appliance",
        )
        with progress.stage("the appliance is switched on"):
            stack.enter_context(machine)
        appliance = Appliance(machine, system, site)
        lab = Lab(internet, appliance, site, progress)
        with progress.stage("the wizard is answered, and the ports are up"):
            appliance.answer()
        with progress.stage("the Internet has a Tor network"):
            internet.tor.wait()
        with progress.stage("root logs in and says whom to trust"):
            appliance.login()
            appliance.teach(internet.trust)
        with progress.stage("BGP is up"):
            wait("sessions with every neighbour", internet.established)
        with progress.stage("names are resolved"):
            wait("an answer of the resolver", lambda: resolves(lab))
        with progress.stage("Tor has bootstrapped"):
            lab = replace(lab, fingerprints=tuple(appliance.fingerprints()))
            wait("the relays in the consensus", lambda: known(lab))
        yield lab


def emptied(folder: Path) -> Path:
    """The folder, without what another lab left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def resolves(lab: Lab) -> bool:
    """Whether the resolver has an answer for a new name."""
    said = lab.appliance.ran(f"drill -D @127.0.0.1 {lab.new_name()} A").text
    return "rcode: NOERROR" in said and "\tA\t" in said


def known(lab: Lab) -> bool:
    """Whether Tor's clients know the appliance's relays as exits."""
    listed = lab.internet.tor.client.consensus()
    exits = {one.fingerprint for one in listed if "Exit" in one.flags}
    return set(lab.fingerprints) <= exits


def wait(what: str, ready: Callable[[], bool], seconds: float = CONVERGED) -> None:
    """Until `ready`, which may take a command on the appliance. Raises Late, naming `what`."""
    net.wait(what, ready, seconds, pause=1.0)


def until_holds(check: Callable[[], Verdict], seconds: float) -> Verdict:
    """The verdict of `check` as soon as it holds, or the last one after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        verdict = check()
        if verdict.holds or time.monotonic() > end:
            return verdict
        time.sleep(1)
