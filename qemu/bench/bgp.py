"""A table of routes through the rendered policy, on this machine and without a virtual one.

In network namespaces two transits announce the same table to the box, which runs in turns OpenBGPD
with the rendered configuration, OpenBGPD with one rule that accepts everything in place of the
policy, and BIRD with a policy that says the same. No routes go into the kernel.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_interface
from pathlib import Path

from firstboot.site import model as sites
from firstboot.site import render
from firstboot.site.address_plan import Session as Planned
from firstboot.site.address_plan import allot
from firstboot.site.model import Peer, PeerRole
from firstboot.site.render import Box
from image.atomic_files import replace
from qemu.bench import bird_policy, processes
from qemu.bench.feed import sizes, table, validated
from qemu.bench.speakers import Bird, OpenBgpd, Speaker
from qemu.bench.spread import side_by_side, spread
from qemu.lab.progress import Progress
from qemu.world.bird import Router, Session
from qemu.world.net import Failed, World, need, wait

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "two-transits-and-an-exchange.yaml"
BGPD = "etc/local/bgpd.conf"

ROUNDS = 5
LONGEST = 1800.0
"""Seconds that a whole table may take on a slow machine."""

RENDERED = "rendered"
ACCEPTING = "one rule"
BIRD = "BIRD"

POLICY = "\ndeny from any\n"
"""Where the policy begins in bgpd.conf."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round saw of a side.

    Times are in seconds, from the moment that the sessions are up; memory in MiB, of all processes
    of the daemon. A shared page counts in full for each process in the figures named `resident`.
    """

    first: float
    first_cost: float
    one_table: float
    second: float
    second_cost: float
    two_tables: float
    resident: float
    reload: float
    reload_cost: float
    kept: bool
    """Whether all sessions stayed through the reload."""


NAMED = {
    "first": "a table, s",
    "first_cost": "the processor's time for it, s",
    "one_table": "memory with it, MiB",
    "second": "the same of a second transit, s",
    "second_cost": "the processor's time for that, s",
    "two_tables": "memory with both, MiB",
    "resident": "memory with both, resident, MiB",
    "reload": "another policy for both, s",
    "reload_cost": "the processor's time for both again, s",
    "kept": "sessions stayed (1: all)",
}


def measure(output: Path, count: int) -> None:
    """Measure with a table of `count` IPv4 routes and 23 % as many of IPv6. Print a table, and
    write all figures as JSON to `output`, anew after each turn. Raises Unable where there can be
    no namespaces, or where a program is missing."""
    progress = Progress()
    output.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Seen]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="exitisp-bench-") as folder,
        World(Path(folder)) as inside,
    ):
        with progress.stage(f"transits with {count} IPv4 routes each"):
            place = Place(inside, count)
        for turn in range(ROUNDS):
            for name in in_turn(place.sides, turn):
                with progress.stage(f"BGP, {turn + 1} of {ROUNDS}: {name}"):
                    found.setdefault(name, []).append(place.look(name))
                told = {side: [asdict(one) for one in rounds] for side, rounds in found.items()}
                text = json.dumps({"routes": sizes(count), "rounds": told}, indent=2) + "\n"
                replace(output, text.encode())
    print(report(found))


def in_turn(sides: Sequence[str], turn: int) -> list[str]:
    """Return the sides in the order of a round: each comes first, and each pair in both orders."""
    at = turn % len(sides)
    order = [*sides[at:], *sides[:at]]
    return order[::-1] if turn % 2 else order


def report(found: Mapping[str, Sequence[Seen]]) -> str:
    """Return a line for each figure with its median on each side, the least and the most, and then
    the ratios of the rounds."""
    lines = side_by_side(found, NAMED, digits=2)
    for name, rounds in found.items():
        for what in ("first", "first_cost", "two_tables") if name != ACCEPTING else ():
            pairs = zip(rounds, found[ACCEPTING], strict=True)
            both = [(getattr(one, what), getattr(other, what)) for one, other in pairs]
            if each := [one / other for one, other in both if other]:
                lines.append(f"{name} / {ACCEPTING}, {NAMED[what]}: {spread(each)}")
        each = [one.reload / (one.first + one.second) for one in rounds]
        lines.append(f"{name}, another policy / both tables at first: {spread(each)}")
    return "\n".join(lines)


class Place:
    """The box, and a machine that is both transits of a site."""

    def __init__(self, world: World, count: int) -> None:
        need("bird", "bird2")
        need("bgpd", "openbgpd")
        self._site = sites.load(EXAMPLE).value
        self._count = count
        self._routes = table(count)
        sessions = allot(self._site).sessions
        self._sessions = [one for one in sessions if one.peer.role is PeerRole.TRANSIT]
        self.box = world.party("box")
        self._transits = world.party("transits")
        self._connect(world)
        (world.folder / "roas").write_text(
            "roa-set {\n"
            + "".join(
                f"  {prefix} maxlen {prefix.prefixlen} source-as {origin}\n"
                for prefix, origin in validated(count)
            )
            + "}\n"
        )
        self.texts = self._configurations(world)
        self.feed = Router(self._transits, map(self._session, self._sessions), self._routes)
        self.feed.wait(LONGEST)
        self.feed.shut()

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(self.texts)

    def _connect(self, world: World) -> None:
        transits = {one.port.name for one in self._sessions}
        for number, port in enumerate(self._site.ports):
            if port.name not in transits:
                # Nobody is there, but bgpd listens at its addresses.
                self.box.port("lo").up(*(f"{i.ip}/{i.max_prefixlen}" for i in port.addresses))
                continue
            here, there = self.box.port(f"eth{number}"), self._transits.port(f"eth{number}")
            world.wire(here, there)
            here.up(*port.addresses)
            remotes = [one.remote for one in self._sessions if one.port == port]
            there.up(
                *(
                    ip_interface(f"{remote}/{i.network.prefixlen}")
                    for remote in remotes
                    for i in port.addresses
                    if remote in i.network
                )
            )

    def _session(self, planned: Planned) -> Session:
        return Session(
            _name(planned),
            planned.remote,
            planned.local,
            int(planned.peer.asn),
            self._site.as_number,
            password=planned.peer.md5,
            gtsm=planned.peer.gtsm and planned.remote.version == 4,
        )

    def _configurations(self, world: World) -> dict[str, tuple[str, str]]:
        """Return the configuration of each side, and the one that it reloads, which refuses the
        first route of the table."""
        box = Box(
            cores=2,
            memory_mib=4096,
            unbound=(1, 17),
            openbgpd=(7, 7),
            tor=(0, 4),
            carriers=False,
        )
        files = render.render(self._site, box, ROOT / "overlays")
        text = next(one.text for one in files if one.path == BGPD)
        text = text.replace("/var/db/rpki-client/openbgpd", f"{world.folder}/roas")
        text = text.replace("/var/db/exitisp/drained", "/dev/null")
        before, found, _ = text.partition(POLICY)
        if not found:
            raise Failed(f"{BGPD} has no line {POLICY.strip()}")
        accepting = f"{before}\nallow from any\ndeny to any\n"
        refused = self._routes[0].prefix
        less = f"deny quick from ebgp prefix {refused}\n"
        roas = list(validated(self._count))
        return {
            RENDERED: (text, text + less),
            ACCEPTING: (accepting, accepting + less),
            BIRD: (
                bird_policy.config(self._site, roas, keeping=True),
                bird_policy.config(self._site, roas, keeping=True, refused=refused),
            ),
        }

    def look(self, side: str) -> Seen:
        """Measure the box with the configuration of a side."""
        text, other = self.texts[side]
        speaker = (Bird if side == BIRD else OpenBgpd)(self.box, text)
        try:
            return self._seen(speaker, other)
        finally:
            self.feed.shut()
            speaker.stop()

    def _seen(self, speaker: Speaker, other: str) -> Seen:
        first, second = self.of_peers()
        number = sum(sizes(self._count).values())
        # The daemon reads what RPKI says before it is ready.
        processes.settled("a start", speaker.daemon, lambda: True, LONGEST)
        a_table = self._arrival(speaker, first, number)
        one = processes.memory(speaker.daemon)
        another = self._arrival(speaker, second, 2 * number)
        two = processes.memory(speaker.daemon)
        refused, last = self._routes[0].prefix, self._routes[-1].prefix
        if not (speaker.takes(refused) and speaker.takes(last)):
            raise Failed(f"{speaker.daemon.log.name}: the policy refuses routes of the table")
        since = self.feed.since()
        began, spent = time.monotonic(), processes.processor_seconds(speaker.daemon)
        speaker.reload(other)

        def there() -> bool:
            return speaker.reloaded() and not speaker.takes(refused)

        ended = processes.settled("a reload", speaker.daemon, there, LONGEST)
        cost = processes.processor_seconds(speaker.daemon) - spent
        if not speaker.takes(last):
            raise Failed(f"{speaker.daemon.log.name}: the reload changed something else")
        kept = self.feed.since() == since
        return Seen(*a_table, one.fair, *another, two.fair, two.shared, ended - began, cost, kept)

    def _arrival(
        self, speaker: Speaker, sessions: Sequence[str], number: int
    ) -> tuple[float, float]:
        """Open the transit's `sessions`, and wait until there are `number` routes. Return the
        seconds since they are up, and of the processor."""
        spent = processes.processor_seconds(speaker.daemon)
        self.feed.open(*sessions)
        wait("sessions", lambda: self.feed.established(*sessions), LONGEST)
        began = time.monotonic()

        def there() -> bool:
            # BIRD 2.0 sometimes waits three seconds before it sends the rest, unless it is asked.
            return self.feed.established(*sessions) and speaker.has(number)

        ended = processes.settled("routes", speaker.daemon, there, LONGEST)
        return ended - began, processes.processor_seconds(speaker.daemon) - spent

    def of_peers(self) -> Iterator[list[str]]:
        """Yield the names of the sessions of each transit."""
        peers: dict[str, Peer] = {one.peer.name: one.peer for one in self._sessions}
        for name in peers:
            yield [_name(one) for one in self._sessions if one.peer.name == name]


def _name(planned: Planned) -> str:
    """The name of a session in BIRD's words."""
    return f"{planned.peer.name.replace('-', '_')}_v{planned.remote.version}"
