"""Frames of a capture, as far as these tests look into them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

IPV4, ARP, IPV6, MARK = 0x0800, 0x0806, 0x86DD, 0x88B5
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
SOLICITATION, ADVERTISEMENT = 135, 136
"""ICMPv6 types of neighbour discovery (RFC 4861)."""


@dataclass(frozen=True)
class Packet:
    """An IP packet. `ports` of TCP and UDP: source, destination; else two zeros. `kind` is the
    type of an ICMP message, else zero. `payload` is what follows the header of UDP and ICMP."""

    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: int
    ports: tuple[int, int]
    kind: int
    payload: bytes

    @property
    def question(self) -> str:
        """The name that a DNS question in UDP asks for, in lower case, with its dot at the end
        (RFC 1035, 4.1.2)."""
        labels, at = [], 12
        while length := self.payload[at]:
            labels.append(self.payload[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
        return ".".join(labels) + "."

    @property
    def target(self) -> IPv6Address:
        """What a neighbour solicitation or advertisement is about."""
        return IPv6Address(self.payload[4:20])


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame."""

    source: str
    ethertype: int
    payload: bytes

    @property
    def arp(self) -> tuple[IPv4Address, IPv4Address, bool]:
        """Who speaks, of or to whom, and whether it is an answer (RFC 826, IPv4 over Ethernet)."""
        speaker, other = IPv4Address(self.payload[14:18]), IPv4Address(self.payload[24:28])
        return speaker, other, self.payload[7] == 2

    @property
    def packet(self) -> Packet:
        """The IP packet. An extension header of IPv6 counts as the protocol."""
        data = self.payload
        if self.ethertype == IPV4:
            start = (data[0] & 15) * 4
            return _packet(data[12:16], data[16:20], data[9], data[start:])
        return _packet(data[8:24], data[24:40], data[6], data[40:])


def read(path: Path) -> Iterator[Frame]:
    """The whole frames that are in a libpcap file so far."""
    data = path.read_bytes()
    at = 24
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        if len(frame) == length:
            (ethertype,) = struct.unpack_from("!H", frame, 12)
            yield Frame(frame[6:12].hex(":"), ethertype, frame[14:])


def _packet(source: bytes, destination: bytes, protocol: int, data: bytes) -> Packet:
    ports, kind, payload = (0, 0), 0, b""
    if protocol in (TCP, UDP):
        ports = struct.unpack_from("!HH", data)
        payload = data[8:] if protocol == UDP else b""
    elif protocol in (ICMP, ICMP6):
        kind, payload = data[0], data[4:]
    return Packet(ip_address(source), ip_address(destination), protocol, ports, kind, payload)
