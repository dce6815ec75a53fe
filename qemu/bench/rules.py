"""The packet filter: the rendered rules against one rule that passes everything.

Packets go through the appliance from a LAN to a transit, for an address where nobody is. They are
handed directly to the virtual machine's card, which takes the next one as soon as it has room, so
the limit is behind the card. The packets that the card received are counted. This includes packets
that passed all rules but found no room on the wire to the transit.
"""

import socket
import struct
import time
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

from firstboot.site.model import PortRole
from qemu.bench.contest import PLACE, Contest
from qemu.bench.figures import Measure, Side
from qemu.lab.session import Lab
from qemu.world.packets import IPV4, UDP

SECONDS = 10.0
SIZE = 64
"""Bytes of a packet including its IPv4 header, as small as DNS questions and acknowledgements."""

DISCARD = 9
"""The discard port (RFC 863), on which nobody answers."""

EVERYTHING = f"echo 'pass no state' > {PLACE}/pf.conf"
"""The kernel is set to drop packets that no rule matches, so an empty set of rules passes
nothing."""

FILES = {Side.TUNED: "/etc/pf.conf", Side.STOCK: f"{PLACE}/pf.conf"}
TAKEN = "netstat -n -I {device} | awk '/Link/ {{print $5}}'"
BUSY = "sysctl -n kern.cp_time kern.clockrate"

RATE = Measure("packet filter", "packets a second")
COST = Measure("packet filter: the processor's time", "us a packet", more=False)


def rules(lab: Lab) -> Contest:
    (lan,) = (port for port in lab.site.ports if port.role is PortRole.LAN)
    interface = next(one for one in lan.addresses if isinstance(one.ip, IPv4Address))
    nobody = lab.internet.topology.host("web").v4() + 100
    packet = frame(lab.appliance.machine.nics[lab.card(lan.device)].mac, interface.ip + 1, nobody)
    card = lab.internet.plugs[lan.device].local
    box, taken = lab.appliance, TAKEN.format(device=lan.interface)
    box.said(EVERYTHING)

    def take(side: Side) -> None:
        box.said(f"pfctl -q -f {FILES[side]}")

    def look() -> Mapping[Measure, float]:
        counted, busy = int(box.said(taken)), spent(box.said(BUSY))
        seconds = flood(card, packet, SECONDS)
        spent_on = spent(box.said(BUSY)) - busy
        passed = int(box.said(taken)) - counted
        return {RATE: passed / seconds, COST: 1e6 * spent_on / passed}

    return Contest("packet filter", take, look)


def frame(to: str, source: IPv4Address, destination: IPv4Address) -> bytes:
    """Return a UDP datagram in an Ethernet frame for the card `to` (RFC 768, 791, 894)."""
    length = SIZE - 20
    fields = (0x45, 0, SIZE, 0, 0, 64, UDP, 0, source.packed, destination.packed)
    header = struct.pack("!BBHHHBBH4s4s", *fields)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    datagram = struct.pack("!HHHH", DISCARD, DISCARD, length, 0).ljust(length, b"\0")
    ethernet = bytes.fromhex(to.replace(":", "")) + b"\x02" + bytes(5) + struct.pack("!H", IPV4)
    return ethernet + header + datagram


def checksum(header: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of an IPv4 header."""
    total: int = sum(word for (word,) in struct.iter_unpack("!H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def flood(card: Path, packet: bytes, seconds: float) -> float:
    """Hand `packet` to `card` for `seconds`, as fast as the card takes it. Return the exact
    seconds."""
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(card))
        while time.monotonic() - began < seconds:
            for _ in range(64):
                sock.send(packet)
    return time.monotonic() - began


def spent(said: str) -> float:
    """Return the seconds that all processors together were busy.

    `said` has the values of `kern.cp_time` (ticks of user, nice, system, interrupt, idle) and
    `kern.clockrate`, whose `stathz` is the ticks per second.
    """
    times, clock = said.splitlines()
    *busy, _ = map(int, times.split())
    ticks = int(clock.partition("stathz = ")[2].split()[0].rstrip(" ,}"))
    return sum(busy) / ticks
