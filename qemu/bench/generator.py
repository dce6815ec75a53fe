"""Packets, questions and routes from a generator machine through a box, counted on the machine."""

import json
import re
import sys
import time
from ipaddress import IPv4Address, IPv4Network

from qemu.bench.bench_setup import Feed, Link, Setup
from qemu.bench.feed import table
from qemu.bench.figures import Measure
from qemu.bench.rules import DISCARD, frame
from qemu.failure import Late
from qemu.world.bird import Router, Session
from qemu.world.net import Failed, Port, need, wait

PASSED = Measure("packets through the box", "a second")
SENT = Measure("packets sent to it", "a second")
ANSWERED = Measure("questions answered", "a second")
TAKEN = Measure("BGP: until the box has taken a table", "s", more=False)

FLOWS = 256
"""Different source ports of packets, so that a card with several queues uses all of them."""

OUTSTANDING = 200
"""Questions that wait for an answer at a time."""

SESSION = 120.0
"""Seconds that a BGP session may take to come up."""

LONGEST = 1800.0
"""Seconds that a box may take for a table."""

END = 60.0
"""Seconds in which trafgen has ended that was interrupted."""

QUIET = 2.0
"""Seconds in which nothing more is taken: then the box has everything."""


class Generator:
    """This machine's ends of the wires to the box, each in a party of its own, where nothing else
    can be reached. There is a route to the resolver, and none to anybody else."""

    def __init__(self, setup: Setup, ports: dict[str, Port]) -> None:
        self._setup = setup
        self._ports = ports
        self._folder = next(iter(ports.values())).party.world.folder
        for name, link in (("lan", setup.lan), ("transit", setup.transit)):
            if link is not None:
                ports[name].up(link.address)
        if setup.resolver is not None and setup.lan is not None:
            if setup.resolver not in setup.lan.address.network:
                add = ("ip", "route", "add", str(setup.resolver), "via", str(setup.lan.box))
                ports["lan"].party.run(*add)
            need("dnsperf", "dnsperf")
        if setup.sends_packets:
            need("trafgen", "netsniff-ng")
        self._feed = self._router() if setup.bgp is not None else None

    def packets(self) -> dict[Measure, float]:
        """Send small packets from the LAN to this machine's own address at the transit, as fast as
        it can, and count those that come."""
        lan, transit = self._setup.lan, self._setup.transit
        assert lan is not None
        assert transit is not None
        near, far = self._ports["lan"], self._ports["transit"]
        config = self._folder / "packets.trafgen"
        source, target = lan.address.ip, transit.address.ip
        assert isinstance(source, IPv4Address)
        assert isinstance(target, IPv4Address)
        plain = frame(_ethernet(near, lan), source, target)
        config.write_text("".join(f"{_words(_from_port(plain, n))}\n" for n in range(FLOWS)))
        idle = _counted(near, "tx")
        sending = near.party.start(
            # It changes neither settings of the kernel nor where interrupts go.
            *("trafgen", "trafgen", "--no-sock-mem", "-Q", "-C", "-o", near.device, "-i", config),
        )
        try:
            # Its start may take longer than the measurement.
            sending.wait("packets of trafgen", lambda: _counted(near, "tx") > idle + FLOWS)
            sent, came, began = _counted(near, "tx"), _counted(far, "rx"), time.monotonic()
            time.sleep(self._setup.seconds)
            sent, came = _counted(near, "tx") - sent, _counted(far, "rx") - came
            seconds = time.monotonic() - began
        finally:
            # SIGTERM ends one of its processes.
            near.party.run("pkill", "-INT", "-x", "trafgen", check=False)
            sending.process.wait(END)
        return {PASSED: came / seconds, SENT: sent / seconds}

    def questions(self) -> dict[Measure, float]:
        """Ask the box's resolver for the names of the setup, again and again."""
        names = self._folder / "names"
        names.write_text("".join(f"{name} A\n" for name in self._setup.ask))
        (self._folder / "lan.dnsperf.log").unlink(missing_ok=True)
        asking = self._ports["lan"].party.start(
            *("dnsperf", "dnsperf", "-s", str(self._setup.resolver), "-d", names),
            *("-q", str(OUTSTANDING), "-l", str(self._setup.seconds)),
        )
        asking.process.wait(self._setup.seconds + 60)
        return {ANSWERED: answered(asking.said())}

    def routes(self) -> dict[Measure, float]:
        """Announce a table, and wait until the box has acknowledged all of it and takes nothing
        more. What its policy does with the routes is not visible from outside."""
        feed, transit = self._setup.bgp, self._setup.transit
        assert feed is not None
        assert transit is not None
        assert self._feed is not None
        router = self._feed
        router.open()
        try:
            wait("a BGP session with the box", router.established, SESSION)
        except Late as error:
            raise Failed(f"{error}. Is this machine a neighbour in the box's site?") from error
        began = last = time.monotonic()
        taken = 0
        while time.monotonic() - last < QUIET:
            if time.monotonic() - began > LONGEST:
                raise Late(f"a table of routes: was not taken within {LONGEST:.0f} s")
            if not router.established():
                raise Failed("the box closed the BGP session. Its log says why; look at max_prefix")
            now, waiting = self._acknowledged(transit)
            if now != taken or waiting or router.exported("box") < feed.routes:
                taken, last = now, time.monotonic()
            time.sleep(0.05)
        router.shut()
        time.sleep(self._setup.seconds)  # The box drops the table, which is not visible from here.
        return {TAKEN: last - began}

    def _acknowledged(self, transit: Link) -> tuple[int, int]:
        """Return how many bytes the box has acknowledged, and how many wait for it."""
        said = self._ports["transit"].party.run("ss", "-tinOH", "dst", str(transit.box))
        lines = [line.split() for line in said.splitlines() if line.startswith("ESTAB")]
        waiting = sum(int(words[2]) for words in lines)
        return sum(map(int, re.findall(r"bytes_acked:([0-9]+)", said))), waiting

    def _router(self) -> Router:
        feed, transit = self._setup.bgp, self._setup.transit
        assert isinstance(feed, Feed)
        assert transit is not None
        session = Session(
            "box",
            transit.address.ip,
            transit.box,
            feed.asn,
            feed.box_asn,
            password=feed.md5,
            gtsm=feed.gtsm,
        )
        routes = [r for r in table(feed.routes) if isinstance(r.prefix, IPv4Network)]
        router = Router(self._ports["transit"].party, [session], routes)
        router.wait(LONGEST)
        router.shut()
        return router


def answered(said: str) -> float:
    """Return the good answers a second, by the output of dnsperf(1). Raises Failed without one."""
    good = re.search(r"Response codes:.*?NOERROR ([0-9]+)", said)
    took = re.search(r"Run time \(s\): +([0-9.]+)", said)
    if good is None or took is None or not float(took[1]):
        raise Failed(f"dnsperf had no good answer: {said[-300:]}")
    return int(good[1]) / float(took[1])


def _ethernet(port: Port, link: Link) -> str:
    """Return the box's Ethernet address. Raises Failed if nobody answers at its address."""
    knock = "import socket,sys; socket.socket(2, 2).sendto(b'', (sys.argv[1], int(sys.argv[2])))"
    found: list[str] = []

    def there() -> bool:
        port.party.run(sys.executable, "-c", knock, str(link.box), str(DISCARD), check=False)
        said = port.party.run("ip", "-j", "neighbour", "show", str(link.box), "dev", port.device)
        found.extend(one["lladdr"] for one in json.loads(said or "[]") if "lladdr" in one)
        return bool(found)

    try:
        wait(f"{link.box}, on the wire of {link.device}", there, 20, pause=0.5)
    except Late as error:
        raise Failed(f"{error}. Look at the cable, and at the address of the box") from error
    return found[0]


def _from_port(plain: bytes, number: int) -> bytes:
    """Return a datagram with another source port, behind an Ethernet and an IPv4 header. It has no
    checksum (RFC 768)."""
    at = 14 + 20
    return plain[:at] + (1024 + number).to_bytes(2, "big") + plain[at + 2 :]


def _words(packet: bytes) -> str:
    """Return a packet in the words of trafgen(8)."""
    return "{ " + ", ".join(f"0x{byte:02x}" for byte in packet) + " }"


def _counted(port: Port, which: str) -> int:
    """Return the packets that a card has sent ("tx") or received ("rx")."""
    (said,) = json.loads(port.party.run("ip", "-j", "-s", "link", "show", "dev", port.device))
    return int(said["stats64"][which]["packets"])
