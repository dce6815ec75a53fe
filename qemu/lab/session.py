"""Appliances running in the simulated Internet, one or two, and what a check can do with each of
them and with the Internet around it."""

import itertools
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Port, PortRole, Site
from qemu.disk import Disk
from qemu.failure import Failure, Late
from qemu.lab.appliance import Appliance
from qemu.lab.checks import Verdict
from qemu.lab.lab_site import feed
from qemu.lab.need import PAGES, lacking
from qemu.lab.offer import Refusal
from qemu.lab.picture import NAMES
from qemu.lab.progress import Progress
from qemu.lab.systems import System
from qemu.machine import Machine
from qemu.wire import Nic
from qemu.world import net
from qemu.world.bundle import Switch
from qemu.world.internet import Internet
from qemu.world.net import Failed
from qemu.world.packets import IPV4, IPV6, Frame
from qemu.world.trust import make

STICK = 4 << 30
"""Bytes of the disk, which is larger than the image, as real disks are."""

PROCESSORS = 2
"""Of the appliance. Emulated ones run in parallel."""

CONVERGED = 600.0
"""Seconds for BGP sessions, names and circuits to come up. Tor takes the most of it."""

HOLD = 45
"""BGP hold time in seconds (RFC 4271), half of the usual one: a check that pulls a cable waits for
it to expire."""

NAME = "deep.unsigned.example."
"""All names below it have the same answer, and the resolver has to ask for each: the zone is not
signed, so RFC 8198 does not apply."""

TALKED_TO = ("client", "web", "roots", "registry", "zones")
"""Hosts whose addresses nobody may find on the box. Those of Tor's directory, which has every relay
of the world, and of the site's own time servers are on it."""

MAC = "02:00:5e:10:{box:02x}:{port:02x}"
FIRST_BOX = 4


@dataclass(frozen=True)
class Lab:
    """One appliance, and the Internet around it. Where there are two appliances, each has a Lab,
    and both of these are in one world."""

    internet: Internet
    appliance: Appliance
    site: Site
    progress: Progress
    fingerprints: tuple[str, ...] = ()
    """Of the relays, in their order; empty until they have started."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    refusals: list[Refusal] = field(default_factory=list)
    """What had to be refused, and was or was not, when that was looked at last."""

    folder: Path = Path()
    """Of consoles, captures and logs. What the appliance reports is kept there, too."""

    name: str = ""
    """What the box is called, if there are two."""

    @property
    def plan(self) -> Plan:
        return allot(self.site)

    @property
    def exits(self) -> set[Address]:
        """The addresses that exit traffic comes from. Relays may share one."""
        return {address for relay in self.plan.relays for address in relay.source}

    @property
    def outside(self) -> list[Port]:
        return [port for port in self.site.ports if port.role.outside]

    @property
    def exchanges(self) -> list[Port]:
        return [port for port in self.site.ports if port.role is PortRole.EXCHANGE]

    def port(self, name: str) -> Port:
        return next(port for port in self.site.ports if port.name == name)

    def sent(self, port: str) -> list[Frame]:
        """All frames that the appliance has sent on `port`, from the first one on."""
        return self.internet.cables[port].settle()

    def sent_counts(self) -> dict[str, int]:
        """How many frames it has sent on each transit and exchange port."""
        return {port.name: len(self.sent(port.name)) for port in self.outside}

    def used(self, since: dict[str, int], service: str = "web") -> set[str]:
        """The ports by which exit traffic went to the world's host `service` after the frames that
        `since` counts (see sent_counts)."""
        exits, there = self.exits, set(self.internet.topology.host(service).addresses)
        return {
            port
            for port, count in since.items()
            for frame in self.sent(port)[count:]
            if frame.ethertype in (IPV4, IPV6)
            and frame.packet.source in exits
            and frame.packet.destination in there
        }

    @property
    def strangers(self) -> list[str]:
        """What the box knows of others and may tell nobody: addresses, and the end of each name
        that was asked for."""
        hosts = (self.internet.topology.host(name) for name in TALKED_TO)
        return [*(str(one) for host in hosts for one in host.addresses), NAME.rstrip(".")]

    def mark(self, what: str) -> None:
        """Note that `what` happens now, for the report."""
        self.progress.mark(f"{self.name}: {what}" if self.name else what)

    def unplug(self, port: str) -> None:
        """Pull the cable of a port, so that both ends lose their carrier. Of a port that is one of
        several VLANs, the box does not see it."""
        self.mark(f"cable of {port} pulled")
        self.internet.cables[port].unplug()
        for card in self._cards_of(port):
            self.appliance.machine.unplug(self.card(card))

    def plug(self, port: str) -> None:
        self.mark(f"cable of {port} back")
        self.internet.cables[port].plug()
        for card in self._cards_of(port):
            self.appliance.machine.plug(self.card(card))

    def card(self, name: str) -> int:
        """The index of a network card of the machine."""
        return list(self.internet.plugs).index(name)

    def _cards_of(self, port: str) -> Sequence[str]:
        """The cards that lose their carrier with a port: those that carry no other one, which is a
        VLAN that the switch does not pass on."""
        found = self.port(port)
        alone = sum(one.device == found.device for one in self.site.ports) == 1
        return found.cards if alone else ()

    def pull(self, card: str) -> None:
        """Pull the cable of one card of a bundle."""
        self.mark(f"cable of {card} pulled")
        self._switch(card).pull(card)
        self.appliance.machine.unplug(self.card(card))

    def push(self, card: str) -> None:
        self.mark(f"cable of {card} back")
        self._switch(card).push(card)
        self.appliance.machine.plug(self.card(card))

    def _switch(self, card: str) -> Switch:
        return next(one for one in self.internet.switches.values() if card in one.cards)

    def fetch(self, relay: int, name: str) -> str:
        """Fetch the page `/name` from the web server under the name `name`, by a Tor client that
        leaves through the appliance's relay with this index. "" if no page comes."""
        try:
            return self.internet.tor.client.fetch(
                name.rstrip("."), f"/{name}", self.fingerprints[relay]
            )
        except Failed:
            return ""

    def new_name(self) -> str:
        """A name that nobody has asked for yet, with its final dot."""
        return f"n{next(self.numbers)}.{NAME}"


@contextmanager
def laboratory(
    image: Path, system: System, site: Site, folder: Path, progress: Progress, *more: Disk
) -> Iterator[Lab]:
    """Start the Internet around `site` and an appliance with `image` and `more` disks, answer the
    wizard, and wait until BGP, names and Tor work.

    `folder` keeps consoles, captures and logs. Raises Refusal if this host lacks something, and
    Failure if something does not come up.
    """
    with laboratories(image, system, [site], folder, progress, *more) as (lab,):
        yield lab


@contextmanager
def laboratories(
    image: Path,
    system: System,
    sites: Sequence[Site],
    folder: Path,
    progress: Progress,
    *more: Disk,
) -> Iterator[tuple[Lab, ...]]:
    """The same with an appliance for each of `sites`, one or two, all in one world. Two are called
    by NAMES, and each has its consoles in a folder of its own."""
    with ExitStack() as stack:
        with progress.stage("the Internet starts"):
            internets = _internets(sites, folder, stack)
        with progress.stage("the appliance is switched on"):
            numbers = itertools.count()
            labs = tuple(
                Lab(
                    internet,
                    _switched_on(image, system, internet, at, folder, more, stack),
                    internet.site,
                    progress,
                    numbers=numbers,
                    folder=folder / internet.topology.name,
                    name=internet.topology.name,
                )
                for at, internet in enumerate(internets)
            )
        world = internets[0]

        def now() -> str:
            return "; ".join(lab.appliance.machine.last_line() for lab in labs)

        with progress.stage("the wizard is answered, and the ports come up", now):
            _each(labs, lambda lab: lab.appliance.answer())
        with progress.stage("the Internet's Tor network agrees on a consensus"):
            world.tor.wait()
        with progress.stage("root logs in, and tells the daemons whom to trust", now):
            _each(labs, _told)
        with ExitStack() as telling:
            for lab in labs:
                telling.enter_context(told_by(lab.appliance))
            with progress.stage("BGP comes up"):
                for lab in labs:
                    wait("sessions with every neighbour", lab.internet.established)
            with progress.stage("names begin to resolve"):
                for lab in labs:
                    wait("an answer of the resolver", lambda lab=lab: resolves(lab))  # type: ignore[misc]
            with progress.stage("Tor bootstraps"):
                labs = tuple(
                    replace(lab, fingerprints=tuple(lab.appliance.fingerprints())) for lab in labs
                )
                for lab in labs:
                    wait("the relays in the consensus", lambda lab=lab: known(lab))  # type: ignore[misc]
        yield labs


def _internets(sites: Sequence[Site], folder: Path, stack: ExitStack) -> list[Internet]:
    """Start the Internet around the first of `sites`, and around the others in the same world."""
    first, *others = sites
    names = NAMES if others else ("",)
    world, keys = emptied(folder / "world"), emptied(folder / "keys")
    found = [Internet(first, world, make(keys, first), feed(first), HOLD, names[0])]
    stack.enter_context(found[0])
    for site, name in zip(others, names[1:], strict=True):
        found.append(stack.enter_context(found[0].joined(site, feed(site), name)))
    return found


def _switched_on(
    image: Path,
    system: System,
    internet: Internet,
    at: int,
    folder: Path,
    more: Iterable[Disk],
    stack: ExitStack,
) -> Appliance:
    """Switch on the appliance of this index."""
    nics = [
        Nic(MAC.format(box=FIRST_BOX + at, port=number), plug)
        for number, plug in enumerate(internet.plugs.values())
    ]
    machine = Machine(
        Disk(image, size=STICK),
        *more,
        folder=folder / internet.topology.name,
        nics=nics,
        memory=system.memory,
        processors=PROCESSORS,
        name="appliance",
    )
    return Appliance(stack.enter_context(machine), system, internet.site)


def _told(lab: Lab) -> None:
    """Log in, and have the whole site and the Internet's trust there."""
    lab.appliance.login()
    lab.appliance.complete()
    lab.appliance.teach(lab.internet.trust)


def _each(labs: Sequence[Lab], step: Callable[[Lab], None]) -> None:
    """Take `step` with all of `labs` at a time. Raises what the first of them raised that failed,
    once all have ended."""
    if len(labs) == 1:
        step(labs[0])
        return
    with ThreadPoolExecutor(len(labs)) as pool:
        for _ in pool.map(step, labs):
            pass


@contextmanager
def told_by(appliance: Appliance) -> Iterator[None]:
    """Adds to what does not come in time in the `with` block what `exitisp status` says."""
    try:
        yield
    except Late as late:
        try:
            said = appliance.ran("exitisp status").text.rstrip()
        except Failure as failure:
            said = str(failure)
        raise Late(f"{late}. exitisp status says:\n{said}") from late


def emptied(folder: Path) -> Path:
    """Make `folder`, without what another lab left there, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def resolves(lab: Lab) -> bool:
    """Whether the resolver answers for a new name."""
    said = lab.appliance.ran(f"drill -D @127.0.0.1 {lab.new_name()} A").text
    return "rcode: NOERROR" in said and "\tA\t" in said


def known(lab: Lab) -> bool:
    """Whether the Tor client's consensus has the appliance's relays, as exits if their policy lets
    out enough for that."""
    listed = lab.internet.tor.client.consensus()
    plain = bool(lacking(lab.site, [PAGES]))
    exits = {one.fingerprint for one in listed if plain or "Exit" in one.flags}
    return set(lab.fingerprints) <= exits


def wait(what: str, ready: Callable[[], bool], seconds: float = CONVERGED) -> None:
    """Wait until `ready` returns true, asking once a second. Raises Late, which names `what`."""
    net.wait(what, ready, seconds, pause=1.0)


def until_holds(check: Callable[[], Verdict], seconds: float) -> Verdict:
    """Repeat `check` until it holds, for at most so many seconds. Returns the last verdict."""
    end = time.monotonic() + seconds
    while True:
        verdict = check()
        if verdict.holds or time.monotonic() > end:
            return verdict
        time.sleep(1)
