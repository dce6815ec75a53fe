"""The other end of a virtual machine's wire: keeps every frame of the machine, and sends frames to
it.

Frames as in IEEE 802.3 without the check sequence, a VLAN's tag included; all numbers on the wire
are big-endian.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from qemu.wire import Plug

ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136


@dataclass(frozen=True)
class Packet:
    """A packet in a frame. The addresses of an ARP packet are those of sender and target."""

    source_mac: bytes
    vlan: int | None
    ethertype: int
    source: IPv4Address | IPv6Address | None = None
    target: IPv4Address | IPv6Address | None = None
    protocol: int | None = None
    payload: bytes = b""

    @property
    def finds_neighbours(self) -> bool:
        kinds = (NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT)
        return self.protocol == ICMPV6 and self.payload[0] in kinds


def read(frame: bytes) -> Packet:
    mac, rest, vlan = frame[6:12], frame[12:], None
    ethertype = int.from_bytes(rest[:2], "big")
    if ethertype == VLAN:
        vlan, rest = int.from_bytes(rest[2:4], "big") & 0xFFF, rest[4:]
        ethertype = int.from_bytes(rest[:2], "big")
    body = rest[2:]
    match ethertype:
        case 0x0806:
            source, target = ip_address(body[14:18]), ip_address(body[24:28])
            return Packet(mac, vlan, ethertype, source, target)
        case 0x0800:
            source, target = ip_address(body[12:16]), ip_address(body[16:20])
            payload = body[(body[0] & 15) * 4 :]
            return Packet(mac, vlan, ethertype, source, target, body[9], payload)
        case 0x86DD:
            source, target = ip_address(body[8:24]), ip_address(body[24:40])
            return Packet(mac, vlan, ethertype, source, target, body[6], body[40:])
    return Packet(mac, vlan, ethertype)


class Tap:
    """Binds `plug` and keeps all frames that come in `frames`."""

    def __init__(self, plug: Plug) -> None:
        self.frames: list[bytes] = []
        self._plug = plug
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(plug.local))

    def listen(self) -> None:
        """Receive until the socket is closed."""
        with contextlib.suppress(OSError):
            while frame := self._socket.recv(1 << 16):
                self.frames.append(frame)

    def send(self, frame: bytes) -> None:
        self._socket.sendto(frame, str(self._plug.remote))

    def packets(self, since: int = 0) -> list[Packet]:
        """Return the packets of the frames from index `since` on."""
        return [read(frame) for frame in self.frames[since:]]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextlib.contextmanager
def tapped(plug: Plug) -> Iterator[Tap]:
    tap = Tap(plug)
    thread = threading.Thread(target=tap.listen, daemon=True)
    thread.start()
    try:
        yield tap
    finally:
        tap.close()
        thread.join(10)


def solicitation(mac: bytes, source: IPv6Address, target: IPv6Address) -> bytes:
    """Return a frame from `mac` in which `source` solicits `target` (RFC 4861, section 4.3)."""
    low = target.packed[13:]
    group = IPv6Address("ff02::1:ff00:0").packed[:13] + low
    body = bytes([NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]) + target.packed + b"\x01\x01" + mac
    pseudo = source.packed + group + len(body).to_bytes(4, "big") + bytes([0, 0, 0, ICMPV6])
    body = body[:2] + checksum(pseudo + body) + body[4:]
    header = b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([ICMPV6, 255])
    packet = header + source.packed + group + body
    return b"\x33\x33\xff" + low + mac + IPV6.to_bytes(2, "big") + packet


def opening(mac: bytes, to: bytes, source: IPv4Address, target: IPv4Address, port: int) -> bytes:
    """Return a frame from `mac` to `to` in which `source` opens a TCP connection to `target`."""
    tcp = (40000).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(8) + b"\x50\x02\xff\xff"
    tcp += bytes(4)
    pseudo = source.packed + target.packed + bytes([0, TCP]) + len(tcp).to_bytes(2, "big")
    tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
    header = b"\x45\0" + (20 + len(tcp)).to_bytes(2, "big") + b"\0\1\0\0" + bytes([64, TCP])
    header += bytes(2) + source.packed + target.packed
    header = header[:10] + checksum(header) + header[12:]
    return to + mac + IPV4.to_bytes(2, "big") + header + tcp


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (0xFFFF - total).to_bytes(2, "big")
