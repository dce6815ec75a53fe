"""Makes frames with given addresses and ports."""

import struct
from ipaddress import ip_address

from qemu.world.packets import ARP, IPV4, IPV6, TCP, UDP, Frame

MAC = "02:00:5e:10:00:0b"


def tcp(source: str, destination: str, *ports: int, mac: str = MAC) -> Frame:
    return _ip(source, destination, TCP, struct.pack("!HH", *ports) + bytes(16), mac)


def udp(source: str, destination: str, *ports: int, mac: str = MAC) -> Frame:
    return _ip(source, destination, UDP, struct.pack("!HH", *ports) + bytes(16), mac)


def arp(speaker: str, other: str) -> Frame:
    """Make an ARP request."""
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, 1)
    ends = bytes(6) + ip_address(speaker).packed + bytes(6) + ip_address(other).packed
    return Frame(MAC, ARP, head + ends)


def _ip(source: str, destination: str, protocol: int, payload: bytes, mac: str) -> Frame:
    one, other = ip_address(source), ip_address(destination)
    if one.version == 4:
        head = b"\x45" + bytes(8) + bytes([protocol]) + bytes(2)
        return Frame(mac, IPV4, head + one.packed + other.packed + payload)
    head = b"\x60" + bytes(5) + bytes([protocol, 64])
    return Frame(mac, IPV6, head + one.packed + other.packed + payload)
