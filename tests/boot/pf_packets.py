"""Packets of the proof as frames on a wire, and what pf does with some before it looks at rules.

IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792, 4443); all numbers
are big-endian. What pf does is pf_setup_pdesc(), pf_walk_header6() and pf_normalize_tcp() of
sys/netpfil/pf.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address

from firstboot.site.verify.packets import ICMP_NUMBER, TCP_NUMBER, UDP_NUMBER, Kind, Packet
from tests.boot.tap import IPV4, IPV6, checksum

TAG = 8
"""Bytes at the end of a frame that tell it from all others."""

FILLER = bytes(24)
"""What makes the shortest frame long enough for Ethernet, and a target of neighbour discovery."""

FIN, SYN, RST, PUSH, ACK, URG = (1 << bit for bit in range(6))

ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}
"""Types of ICMP about another packet, the beginning of which they carry."""

MLD = (130, 131, 132, 143)
"""Multicast listener discovery: of link scope, with a hop limit of 1 (RFC 2710, 3810)."""

SCTP, IGMP = 132, 2
LINK_LOCAL = IPv6Network("fe80::/10")
ALL_HOSTS = int(ip_address("224.0.0.1"))

HEADERS = {4: (51,), 6: (0, 43, 44, 51, 60)}
"""Protocols that are headers in front of another one, which pf looks for: the proof knows packets
without them."""


def is_compared(packet: Packet) -> bool:
    """Whether a packet is one that the proof and the frames here know."""
    return packet.kind is not Kind.OTHER or packet.numbers[2] not in (
        *HEADERS[packet.version],
        SCTP,
    )


def is_refused(packet: Packet) -> bool:
    """Whether pf drops a packet whatever its rules say."""
    version, kind, numbers = packet.version, packet.kind, packet.numbers
    match kind:
        case Kind.TCP:
            flags = numbers[4]
            if flags & SYN:
                if flags & (RST | FIN):
                    return True
            elif not flags & (ACK | RST):
                return True
            return not flags & ACK and bool(flags & (FIN | PUSH | URG))
        case Kind.UDP:
            return numbers[3] == 0
        case Kind.ICMP:
            source = ip_address(numbers[0].to_bytes(4 if version == 4 else 16, "big"))
            return version == 6 and numbers[2] in MLD and source not in LINK_LOCAL
        case Kind.OTHER:
            other_icmp = ICMP_NUMBER[6 if version == 4 else 4]
            if numbers[2] == other_icmp:
                return True
            return version == 4 and numbers[2] == IGMP and numbers[1] == ALL_HOSTS


@dataclass(frozen=True)
class Flow:
    """What a state belongs to: both ends, in either order."""

    version: int
    kind: Kind
    ends: frozenset[tuple[int, int]]


def flow(packet: Packet) -> Flow:
    source, destination, *rest = packet.numbers
    ports = rest[:2] if packet.kind in (Kind.TCP, Kind.UDP) else (0, 0)
    ends = frozenset({(source, ports[0]), (destination, ports[1])})
    return Flow(packet.version, packet.kind, ends)


def without_states(packets: Iterable[Packet], used: set[Flow]) -> Iterator[Packet]:
    """Those of `packets` that are compared, and belong to no state that one before could have made.
    `used` has the flows so far, and gets theirs."""
    for packet in packets:
        if is_compared(packet) and (mine := flow(packet)) not in used:
            used.add(mine)
            yield packet


def frame(packet: Packet, to: bytes, source: bytes, tag: bytes) -> bytes:
    """`packet` in a frame from the Ethernet address `source` to `to`, with `tag` at its end."""
    assert len(tag) == TAG
    ethertype = IPV4 if packet.version == 4 else IPV6
    return to + source + ethertype.to_bytes(2, "big") + _packet(packet, tag)


def _packet(packet: Packet, tag: bytes) -> bytes:
    protocol = _protocol(packet)
    size = 4 if packet.version == 4 else 16
    source, destination = (number.to_bytes(size, "big") for number in packet.numbers[:2])
    body = _body(packet, source, destination, tag)
    at = {Kind.TCP: 16, Kind.UDP: 6, Kind.ICMP: 2}.get(packet.kind)
    if at is not None:
        pseudo = source + destination + len(body).to_bytes(4, "big") + protocol.to_bytes(4, "big")
        if packet.kind is Kind.ICMP and packet.version == 4:
            pseudo = b""
        body = body[:at] + checksum(pseudo + body) + body[at + 2 :]
    limit = (
        1 if packet.kind is Kind.ICMP and packet.version == 6 and packet.numbers[2] in MLD else 255
    )
    return _header(packet.version, protocol, source, destination, len(body), limit) + body


def _header(
    version: int, protocol: int, source: bytes, destination: bytes, length: int, limit: int
) -> bytes:
    if version == 6:
        start = b"\x60\0\0\0" + length.to_bytes(2, "big") + bytes([protocol, limit])
        return start + source + destination
    start = b"\x45\0" + (20 + length).to_bytes(2, "big") + bytes([0, 1, 0, 0, limit, protocol])
    header = start + b"\0\0" + source + destination
    return start + checksum(header) + source + destination


def _protocol(packet: Packet) -> int:
    match packet.kind:
        case Kind.TCP:
            return TCP_NUMBER
        case Kind.UDP:
            return UDP_NUMBER
        case Kind.ICMP:
            return ICMP_NUMBER[packet.version]
        case Kind.OTHER:
            return packet.numbers[2]


def _body(packet: Packet, source: bytes, destination: bytes, tag: bytes) -> bytes:
    """What follows the header of IP, its checksum zero."""
    rest = packet.numbers[2:]
    match packet.kind:
        case Kind.TCP:
            ports = rest[0].to_bytes(2, "big") + rest[1].to_bytes(2, "big")
            return ports + bytes(8) + bytes([0x50, rest[2]]) + b"\xff\xff\0\0\0\0" + FILLER + tag
        case Kind.UDP:
            ports = rest[0].to_bytes(2, "big") + rest[1].to_bytes(2, "big")
            length = (8 + len(FILLER) + TAG).to_bytes(2, "big")
            return ports + length + b"\0\0" + FILLER + tag
        case Kind.ICMP:
            # An echo has its own number, or it would belong to the state of another one.
            start = bytes([rest[0], rest[1], 0, 0]) + tag[-2:] + bytes(2)
            if rest[0] in ERRORS[packet.version]:
                about = b"\0\x09\0\x09\0\x08\0\0"
                inner = _header(packet.version, UDP_NUMBER, destination, source, len(about), 64)
                return start + inner + about + tag
            return start + FILLER + tag
        case Kind.OTHER:
            return FILLER + tag


def tags(draw: random.Random) -> Iterator[bytes]:
    """Tags without end, no two alike, which start by chance."""
    start = draw.getrandbits(40) << 16
    at = 0
    while True:
        yield (start + at).to_bytes(TAG, "big")
        at += 1
