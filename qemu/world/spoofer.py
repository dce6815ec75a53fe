"""Opens TCP connections with source addresses that are somebody else's.

    spoofer.py COUNT TO PORT FROM...

Sends COUNT SYNs to port PORT of the address TO, from the addresses FROM in turn and ports of their
own (RFC 9293, 3.1). The answers go to whom the addresses belong. This file runs as a program of its
own, so it imports nothing of this project.
"""

import itertools
import socket
import struct
import sys
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

FIRST_PORT = 20_000
SYN, WINDOW, HOPS = 0x02, 65_535, 64
FULL = 100
"""Segments between two pauses, so that no queue on the way is full."""

Address = IPv4Address | IPv6Address


def spoof(count: int, to: Address, port: int, sources: list[Address]) -> None:
    family = socket.AF_INET if to.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for n, source in enumerate(itertools.islice(itertools.cycle(sources), count)):
            sock.sendto(syn(source, to, FIRST_PORT + n, port, n), (str(to), 0))
            if n % FULL == FULL - 1:
                time.sleep(0.2)


def syn(source: Address, to: Address, near: int, far: int, number: int) -> bytes:
    """Return a packet with a SYN from port `near` to port `far`, with that sequence number."""
    tcp = struct.pack("!HHIIBBHHH", near, far, number, 0, 5 << 4, SYN, WINDOW, 0, 0)
    ends = source.packed + to.packed
    whole = ends + struct.pack("!IxxxB", len(tcp), socket.IPPROTO_TCP) + tcp
    tcp = tcp[:16] + _checksum(whole) + tcp[18:]
    if to.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, HOPS) + ends + tcp
    # The kernel fills in the length and the checksum (raw(7)).
    return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, HOPS, socket.IPPROTO_TCP, 0) + ends + tcp


def _checksum(data: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", 0xFFFF - total)


if __name__ == "__main__":
    spoof(int(sys.argv[1]), ip_address(sys.argv[2]), int(sys.argv[3]),
          [ip_address(one) for one in sys.argv[4:]])  # fmt: skip
