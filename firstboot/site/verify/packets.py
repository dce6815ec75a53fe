"""Sets of packets, of any size, as unions of boxes: no samples.

A packet has a version of IP and a kind, and its kind says which numbers it has besides its two
addresses: ports and flags of TCP, ports of UDP, type and code of ICMP, or the number of any other
protocol. A box is the product of one set for each of these numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from firstboot.site.verify.boxes import Box, split
from firstboot.site.verify.intervals import Intervals, contains, subtract

ICMP_NUMBER = {4: 1, 6: 58}
"""Of ICMP and ICMPv6, by the version of IP (IANA, protocol numbers)."""

TCP_NUMBER, UDP_NUMBER = 6, 17
FLAGS = "FSRPAUEW"
"""Bits of TCP's flags from the least significant one on, as pf.conf(5) writes them."""


class Kind(Enum):
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    OTHER = "other"


PORTS: Intervals = ((0, 65535),)
BYTES: Intervals = ((0, 255),)
ADDRESSES: Mapping[int, Intervals] = {4: ((0, 2**32 - 1),), 6: ((0, 2**128 - 1),)}


def _others(version: int) -> Intervals:
    known = sorted((TCP_NUMBER, UDP_NUMBER, ICMP_NUMBER[version]))
    return subtract(BYTES, tuple((number, number) for number in known))


Space = tuple[int, Kind]
"""Version of IP and kind: what a box is a part of."""

Region = Mapping[Space, tuple[Box, ...]]
"""A set of packets. Boxes of one space may overlap."""


def everything(version: int, kind: Kind) -> Box:
    """All packets of a version and a kind."""
    both = ADDRESSES[version], ADDRESSES[version]
    match kind:
        case Kind.TCP:
            return (*both, PORTS, PORTS, BYTES)
        case Kind.UDP:
            return (*both, PORTS, PORTS)
        case Kind.ICMP:
            return (*both, BYTES, BYTES)
        case Kind.OTHER:
            return (*both, _others(version))


def all_packets(version: int) -> Region:
    return {(version, kind): (everything(version, kind),) for kind in Kind}


def difference(region: Region, other: Region) -> Region:
    """What is in `region` and not in `other`."""
    left = {space: split(boxes, other.get(space, ()))[1] for space, boxes in region.items()}
    return {space: tuple(boxes) for space, boxes in left.items() if boxes}


def joined(regions: Iterable[Region]) -> Region:
    found: dict[Space, tuple[Box, ...]] = {}
    for region in regions:
        for space, boxes in region.items():
            found[space] = (*found.get(space, ()), *boxes)
    return found


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `numbers` are those of its box, in its order."""

    version: int
    kind: Kind
    numbers: tuple[int, ...]

    def is_in(self, box: Box) -> bool:
        return all(map(contains, box, self.numbers))

    def __str__(self) -> str:
        source, destination = (_address(self.version, number) for number in self.numbers[:2])
        rest = self.numbers[2:]
        match self.kind:
            case Kind.TCP:
                flags = "".join(name for bit, name in enumerate(FLAGS) if rest[2] >> bit & 1)
                return (
                    f"tcp from {source} port {rest[0]} to {destination} port {rest[1]} "
                    f"flags {flags or 'none'}"
                )
            case Kind.UDP:
                return f"udp from {source} port {rest[0]} to {destination} port {rest[1]}"
            case Kind.ICMP:
                name = "icmp" if self.version == 4 else "icmp6"
                return f"{name} type {rest[0]} code {rest[1]} from {source} to {destination}"
            case Kind.OTHER:
                return f"protocol {rest[0]} from {source} to {destination}"


_TELLING = tuple(int(ip_address(text)) for text in ("9.9.9.9", "2620:fe::9"))
_TELLING_NUMBERS = {
    Kind.TCP: ((40000,), (53, 443, 40000), (1 << FLAGS.index("S"),)),
    Kind.UDP: ((40000,), (53, 40000)),
    Kind.ICMP: ((), ()),
    Kind.OTHER: ((47,),),
}
"""Numbers that a reader recognizes, taken for an example where the set has them."""


def example(space: Space, box: Box) -> Packet:
    """A packet of a box, as telling as the box allows."""
    telling = (_TELLING, _TELLING, *_TELLING_NUMBERS[space[1]])
    numbers = (
        next((number for number in known if contains(one, number)), one[-1][0])
        for one, known in zip(box, telling, strict=True)
    )
    return Packet(*space, tuple(numbers))


def _address(version: int, number: int) -> str:
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))
