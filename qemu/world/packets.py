"""Reads captures: Ethernet frames, and the parts of packets that the checks need."""

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

IPV4, ARP, IPV6, VLAN, MARK = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88B5
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
SOLICITATION, ADVERTISEMENT = 135, 136
"""ICMPv6 types of neighbour discovery (RFC 4861)."""

MICROSECONDS = 1_000_000
"""The clock's ticks in a second, in a capture that says nothing else."""

SYN, ACK = 0x02, 0x10
"""Flags of TCP (RFC 9293)."""

ETHERNET, TAG = 14, 4
"""Bytes of the header of a frame, and of a tag in it."""

ENHANCED, INBOUND = 6, 1
"""The type of a pcapng block with a frame, and the flag of a frame that came in."""


@dataclass(frozen=True)
class Packet:
    """An IP packet.

    `ports` are source and destination port of TCP and UDP, else two zeros. `kind` is the type of an
    ICMP message, else 0. `payload` is what follows the header of UDP and ICMP. `opens` is whether
    the packet opens a TCP connection.
    """

    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: int
    ports: tuple[int, int]
    kind: int
    payload: bytes
    opens: bool = False

    @property
    def question(self) -> tuple[str, int]:
        """The name and the type of a DNS question in UDP (RFC 1035, 4.1.2). The name is in lower
        case, with its final dot."""
        labels, at = [], 12
        while length := self.payload[at]:
            labels.append(self.payload[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
        (kind,) = struct.unpack_from("!H", self.payload, at + 1)
        return ".".join(labels) + ".", kind

    @property
    def target(self) -> IPv6Address:
        """The target address of a neighbour solicitation or advertisement."""
        return IPv6Address(self.payload[4:20])


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame. `source` is the sender's address as 02:00:5e:10:00:01."""

    source: str
    ethertype: int
    payload: bytes
    vlan: int | None = None
    inbound: bool = True
    """Whether the frame came out of the wire; otherwise it was sent into it."""

    at: float = field(default=0.0, compare=False)
    """When it was captured, in seconds since 1970."""

    @property
    def size(self) -> int:
        """Bytes on the wire, without the checksum at the end."""
        return ETHERNET + (0 if self.vlan is None else TAG) + len(self.payload)

    @property
    def arp(self) -> tuple[IPv4Address, IPv4Address, bool]:
        """Sender address, target address, and whether it is a reply (RFC 826, IPv4 over
        Ethernet)."""
        speaker, other = IPv4Address(self.payload[14:18]), IPv4Address(self.payload[24:28])
        return speaker, other, self.payload[7] == 2

    @property
    def packet(self) -> Packet:
        """The IP packet in the frame. An IPv6 extension header counts as the protocol."""
        data = self.payload
        if self.ethertype == IPV4:
            start = (data[0] & 15) * 4
            return _packet(data[12:16], data[16:20], data[9], data[start:])
        return _packet(data[8:24], data[24:40], data[6], data[40:])


class Reader:
    """Reads a pcapng file of qemu/world/cable.py while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def more(self) -> list[Frame]:
        """Return the complete frames since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        found, at = [], 0
        while at + 8 <= len(data):
            kind, length = struct.unpack_from("<II", data, at)
            if at + length > len(data):
                break
            if kind == ENHANCED:
                found.append(_frame(data[at : at + length]))
            at += length
        self._at += at
        return found


def _frame(block: bytes) -> Frame:
    high, low, length = struct.unpack_from("<III", block, 12)
    (flags,) = struct.unpack_from("<I", block, len(block) - 12)
    data = block[28 : 28 + length]
    (ethertype,) = struct.unpack_from("!H", data, 12)
    vlan, start = None, 14
    if ethertype == VLAN:
        tag, ethertype = struct.unpack_from("!HH", data, 14)
        vlan, start = tag & 0xFFF, 18
    inbound = flags & 3 == INBOUND
    at = ((high << 32) + low) / MICROSECONDS
    return Frame(data[6:12].hex(":"), ethertype, data[start:], vlan, inbound, at)


def _packet(source: bytes, destination: bytes, protocol: int, data: bytes) -> Packet:
    ports, kind, payload = (0, 0), 0, b""
    opens = protocol == TCP and data[13] & (SYN | ACK) == SYN
    if protocol in (TCP, UDP):
        ports = struct.unpack_from("!HH", data)
        payload = data[8:] if protocol == UDP else b""
    elif protocol in (ICMP, ICMP6):
        kind, payload = data[0], data[4:]
    return Packet(
        ip_address(source), ip_address(destination), protocol, ports, kind, payload, opens
    )
