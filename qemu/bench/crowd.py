"""The resolver while somebody asks it too much, on this machine and without a virtual one.

A machine on the LAN asks Unbound, which asks the name servers of a simulated Internet, in network
namespaces. Unbound runs as rendered for a site, and as local-unbound-setup(8) sets it up. Name
servers answer at once, so what a long way does to a resolver is not measured.
"""

import json
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface, ip_address
from pathlib import Path

from firstboot.site import model as sites
from firstboot.site import render
from firstboot.site.address_plan import allot
from firstboot.site.model import PeerRole, PortRole
from firstboot.site.render import Box
from image.atomic_files import replace
from qemu.bench.dnsperf import LOST, Run
from qemu.bench.processes import processor_seconds
from qemu.bench.spread import side_by_side, spread
from qemu.lab.progress import Progress
from qemu.world.net import Daemon, Failed, World, need
from qemu.world.zones import Zone, addresses, serve, sign

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "one-port-of-each.yaml"

UNBOUND = "var/unbound/unbound.conf"

ROOT_SERVER = (ip_address("199.7.83.42"), ip_address("2001:500:9f::42"))
SERVER = (ip_address("198.41.0.4"), ip_address("2001:503:ba3e::2:30"))
ANSWER = "203.0.112.1"
DEAD_FIRST = ip_address("11.0.0.1")
"""The name servers of dead delegations are there and further on, where nobody is."""

ROUNDS = 5
NAMES = 6000
"""New names that are asked for as fast as they are answered, `OUTSTANDING` at a time."""
OUTSTANDING = 200
OTHERS = 50
"""Look-ups a second of another client, each of a name that nobody has asked for yet."""
QUIET = 10
"""Seconds."""

FLOOD = 5000
"""Made-up names a second, at most: a busy machine manages fewer."""
FLOOD_SECONDS = 12
MOST = 25_000
"""Questions that dnsperf may wait for."""

DEAD, DEAD_SECONDS, DEAD_BEFORE = 60, 30, 12
"""Delegations a second of which no name server answers; and for how many seconds they are asked for
before others are measured."""

RENDERED = "rendered"
BASE = "rendered, select"
STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round saw. Rates are a second, times in milliseconds, `lost` in per cent of the
    other client's look-ups. `cost` is the processor's time that a new name takes of Unbound, in
    microseconds: what else runs on the machine does not change it much."""

    questions: float
    cost: float
    quiet: float
    quiet_lost: float
    flood: float
    flood_late: float
    flood_lost: float
    dead_late: float
    dead_lost: float


NAMED = {
    "questions": "new names answered a second",
    "cost": "the processor's time a new name, us",
    "quiet": "alone: 99 % within, ms",
    "quiet_lost": "alone: lost, %",
    "flood": "made-up names a second",
    "flood_late": "meanwhile others: 99 % within, ms",
    "flood_lost": "meanwhile others: lost, %",
    "dead_late": "dead delegations, others: 99 % within, ms",
    "dead_lost": "dead delegations, others: lost, %",
}


def measure(output: Path, flood: int = FLOOD) -> None:
    """Measure with `flood` made-up names a second. Print a table, and write all figures as JSON to
    `output`. Raises Unable where there can be no namespaces, or where a program is missing."""
    progress = Progress()
    output.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Seen]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="exitisp-bench-") as folder,
        World(Path(folder)) as inside,
    ):
        place = Place(inside, flood)
        for turn in range(ROUNDS):
            sides = list(place.sides().items())
            for name, text in sides[:: -1 if turn % 2 else 1]:
                with progress.stage(f"resolver, {turn + 1} of {ROUNDS}: {name}"):
                    found.setdefault(name, []).append(place.look(text))
    print(table(found))
    told = {name: [asdict(one) for one in rounds] for name, rounds in found.items()}
    replace(output, (json.dumps(told, indent=2) + "\n").encode())


def table(found: Mapping[str, Sequence[Seen]]) -> str:
    """Return a line for each figure: its median on each side, with the least and the most."""
    lines = side_by_side(found, NAMED, digits=1)
    stock = found[STOCK]
    for name, rounds in found.items():
        if name != STOCK:
            each = [a.questions / b.questions for a, b in zip(rounds, stock, strict=True)]
            lines.append(f"{name} / stock, new names a second: {spread(each)}")
        each = [one.flood_late / one.quiet for one in rounds]
        lines.append(f"{name}, others' 99 % under the flood / alone: {spread(each)}")
    return "\n".join(lines)


class Place:
    """A box, a machine on its LAN, and the name servers."""

    def __init__(self, world: World, flood: int = FLOOD) -> None:
        need("dnsperf", "dnsperf")
        need("unbound", "unbound")
        self._world, self._flood = world, flood
        self._site = sites.load(EXAMPLE).value
        self._plan = allot(self._site)
        self._box = world.party("box", forwarding=True)
        self._asker = world.party("asker")
        self._internet = world.party("internet")
        self._folder = world.folder / "resolver"
        self._folder.mkdir()
        (lan,) = (port for port in self._site.ports if port.role is PortRole.LAN)
        self._lan = next(one for one in lan.addresses if isinstance(one, IPv4Interface))
        world.wire(self._box.port("lan"), self._asker.port("eth0"))
        world.wire(self._box.port("out"), self._internet.port("eth0"))
        self._box.port("lan").up(*lan.addresses)
        self._asker.port("eth0").up(*(f"{i.ip + 1}/{i.network.prefixlen}" for i in lan.addresses))
        self._connect()
        self._serve()

    def _connect(self) -> None:
        sessions = [one for one in self._plan.sessions if one.peer.role is PeerRole.TRANSIT]
        self._box.port("lo").up(*(f"{one}/{one.max_prefixlen}" for one in self._plan.resolver))
        (port,) = {one.port.name: one.port for one in sessions}.values()
        self._box.port("out").up(*port.addresses)
        for one in sessions:
            network = next(i.network for i in port.addresses if one.remote in i.network)
            self._internet.port("eth0").up(f"{one.remote}/{network.prefixlen}")
        for one in sessions:
            family = f"-{one.remote.version}"
            self._box.run("ip", family, "route", "add", "default", "via", str(one.remote))
            for scope in self._site.scopes:
                if scope.version == one.remote.version:
                    add = ("ip", family, "route", "add", str(scope), "via", str(one.local))
                    self._internet.run(*add)

    def _serve(self) -> None:
        """Serve the root, which is signed; `people.`, where every name is; `none.`, where none is;
        and `dead.`, whose delegations lead to servers that nobody answers at."""
        folder = self._world.folder / "zones"
        folder.mkdir()
        people = Zone("people.", SERVER, f"* A {ANSWER}\n", age=None)
        none = Zone("none.", SERVER, "", age=None)
        delegations = "".join(
            f"d{number} NS {server}.d{number}\n"
            f"{addresses(f'{server}.d{number}', DEAD_FIRST + 2 * number + at)}"
            for number in range(DEAD * DEAD_SECONDS)
            for at, server in enumerate("ab")
        )
        dead = Zone("dead.", SERVER, delegations, age=None)
        below = (people, none, dead)
        top = Zone(".", ROOT_SERVER, "".join(zone.delegation for zone in below))
        root = sign(folder, top)
        for name, servers, zones in (
            ("root", ROOT_SERVER, [root]),
            ("below", SERVER, [sign(folder, zone) for zone in below]),
        ):
            self._internet.port("lo").up(*(f"{one}/{one.max_prefixlen}" for one in servers))
            serve(self._internet, name, servers, zones)
        (self._folder / "root.key").write_text(root.ds)
        (self._folder / "root.hints").write_text(top.delegation)

    def sides(self) -> dict[str, str]:
        """Return the configurations to compare: as rendered for the package's Unbound, as rendered
        for the base's, which has 1024 descriptors, and as local-unbound-setup(8) writes it."""
        return {
            RENDERED: self._rendered(libevent=True),
            BASE: self._rendered(libevent=False),
            STOCK: self._here(
                STOCK_CONF.format(
                    lan=self._lan.ip, network=self._lan.network, asks=self._plan.resolver.v4
                )
            ),
        }

    def _rendered(self, libevent: bool) -> str:
        box = Box(
            cores=os.cpu_count() or 1,
            memory_mib=4096,
            unbound=(1, 17),
            openbgpd=(7, 7),
            tor=(0, 4),
            libevent=libevent,
        )
        files = render.render(self._site, box, ROOT / "overlays")
        text = next(one.text for one in files if one.path == UNBOUND)
        known = "".join(f"  {line}\n" for line in OF_NEWER if self._knows(line))
        return self._here(text.replace("  ip-ratelimit: 0\n", f"{known}  ip-ratelimit: 0\n"))

    def _knows(self, line: str) -> bool:
        config = self._folder / "known.conf"
        config.write_text(f"server:\n  {line}\n")
        return not subprocess.run(["unbound-checkconf", config], capture_output=True).returncode

    def _here(self, text: str) -> str:
        """Return `text` for this machine: without a user and a chroot of Unbound's, with this
        Internet's root."""
        place = self._folder
        for pattern, becomes in (
            (r"(?m)^(\s*)username: .*", r'\1username: ""'),
            (r"(?m)^(\s*)chroot: .*", r'\1chroot: ""'),
            (r"(?m)^(\s*)use-syslog: .*", r"\1use-syslog: no"),
            (r"(?m)^(\s*)control-enable: .*", r"\1control-enable: no"),
            (
                r"(?m)^(\s*)directory: .*",
                rf'\1directory: "{place}"\n\1root-hints: "{place}/root.hints"',
            ),
            (r"/var/unbound/root\.key", f"{place}/root.key"),
        ):
            text, count = re.subn(pattern, becomes, text)
            if not count:
                raise Failed(f"the configuration of Unbound has no {pattern}")
        return text

    def look(self, text: str) -> Seen:
        """Measure Unbound with `text` as its configuration."""
        config = self._world.folder / "unbound.conf"
        config.write_text(text)
        daemon = self._box.start("unbound", "unbound", "-d", "-p", "-c", config)
        began = daemon.said().count("start of service")
        daemon.wait("unbound", lambda: daemon.said().count("start of service") > began)
        try:
            return self._seen(daemon)
        finally:
            daemon.stop()

    def _seen(self, unbound: Daemon) -> Seen:
        self.ask("first", self.names("people", 50), "-q", "5")
        before = processor_seconds(unbound)
        fast = self.ask("fast", self.names("people", NAMES), "-q", str(OUTSTANDING))
        cost = 1e6 * (processor_seconds(unbound) - before) / fast.sent
        quiet = self.others(QUIET)
        names = self.names("none", self._flood * FLOOD_SECONDS)
        flood = self.start(
            "flood", names, "-q", str(min(self._flood * LOST, MOST)), "-Q", str(self._flood)
        )
        crowded = self.others(FLOOD_SECONDS - 2)
        flooded = self.end("flood", flood)
        numbers = range(DEAD * DEAD_SECONDS)
        names = (f"{secrets.token_hex(7)}.d{number}.dead." for number in numbers)
        dead = self.start("dead", names, "-q", str(DEAD * LOST), "-Q", str(DEAD))
        self.others(DEAD_BEFORE)
        beside = self.others(DEAD_SECONDS - DEAD_BEFORE - 2)
        self.end("dead", dead)
        return Seen(
            fast.rate,
            cost,
            quiet.late,
            quiet.lost,
            flooded.sent / flooded.seconds,
            crowded.late,
            crowded.lost,
            beside.late,
            beside.lost,
        )

    def others(self, seconds: int) -> Run:
        names = self.names("people", OTHERS * seconds)
        return self.ask("others", names, "-q", str(OTHERS * LOST), "-Q", str(OTHERS))

    def names(self, zone: str, count: int) -> Iterator[str]:
        return (f"{secrets.token_hex(7)}.{zone}." for _ in range(count))

    def ask(self, what: str, names: Iterable[str], *how: str) -> Run:
        return self.end(what, self.start(what, names, *how))

    def start(self, what: str, names: Iterable[str], *how: str) -> Daemon:
        questions = self._world.folder / f"{what}.questions"
        questions.write_text("".join(f"{one} A\n" for one in names))
        (self._world.folder / f"{self._asker.name}.{what}.log").unlink(missing_ok=True)
        command = ["dnsperf", "-v", "-n", "1", "-t", str(LOST), "-s", str(self._lan.ip), "-d"]
        return self._asker.start(what, *command, questions, *how)

    def end(self, what: str, asking: Daemon) -> Run:
        asking.process.wait(300)
        return Run.read(asking.said())


OF_NEWER = ("discard-timeout: 3500", "wait-limit: 0")
"""What is rendered for Unbound from 1.20 on, to the same effect, and what distributions have taken
over into older versions, with limits on a client that has many look-ups wait."""

STOCK_CONF = """\
server:
  username: unbound
  directory: /var/unbound
  chroot: /var/unbound
  pidfile: /var/run/local_unbound.pid
  auto-trust-anchor-file: /var/unbound/root.key
  so-sndbuf: 0
  use-syslog: yes
  interface: 127.0.0.1
  interface: {lan}
  access-control: {network} allow
  outgoing-interface: {asks}
remote-control:
  control-enable: yes
"""
"""What local-unbound-setup(8) writes, with an address for the LAN and one to ask from."""
