"""The rule for what may leave a port, frame by frame, and the stand-in for pf."""

import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest

from firstboot.site.model import PortRole
from qemu.world.packets import ARP, IPV4, IPV6, Frame
from tests.live import standin
from tests.live.appliance import PF, rendered
from tests.live.world import outside

MAC = "02:00:5e:10:00:0a"


def ip(source: str, destination: str, protocol: int, payload: bytes = bytes(64)) -> Frame:
    """Make a frame with an IP packet of these addresses and this protocol."""
    one, other = ip_address(source), ip_address(destination)
    if one.version == 4:
        head = b"\x45" + bytes(8) + bytes([protocol]) + bytes(2)
        return Frame(MAC, IPV4, head + one.packed + other.packed + payload)
    head = b"\x60" + bytes(5) + bytes([protocol, 255])
    return Frame(MAC, IPV6, head + one.packed + other.packed + payload)


def tcp(source: str, destination: str, *ports: int) -> Frame:
    return ip(source, destination, 6, struct.pack("!HH", *ports) + bytes(16))


def udp(source: str, destination: str, *ports: int) -> Frame:
    return ip(source, destination, 17, struct.pack("!HH", *ports) + bytes(16))


def icmp6(source: str, destination: str, kind: int, target: str = "::") -> Frame:
    payload = bytes([kind]) + bytes(7) + ip_address(target).packed
    return ip(source, destination, 58, payload)


def arp(operation: int, speaker: str, other: str) -> Frame:
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation)
    return Frame(
        MAC, ARP, head + bytes(6) + ip_address(speaker).packed + bytes(6) + ip_address(other).packed
    )


OWN, OWN6 = "203.0.113.10", "2001:db8:200::10"
PEER, PEER6 = "203.0.113.20", "2001:db8:200::20"
STRANGER = "203.0.113.66"


@pytest.mark.parametrize(
    "frame",
    [
        udp("198.51.100.2", "192.0.2.101", 4096, 53),
        udp("2001:db8:ee:53::1", "2001:db8:53::1", 4096, 53),
        tcp(OWN, PEER, 4096, 179),
        tcp(OWN6, PEER6, 179, 4096),
        arp(1, OWN, PEER),
        arp(1, OWN, OWN),
        arp(2, OWN, STRANGER),
        icmp6(OWN6, "ff02::1:ff00:20", 135, PEER6),
        icmp6("fe80::1", PEER6, 136, OWN6),
        icmp6("::", "ff02::1:ff00:10", 135, OWN6),
    ],
    ids=str,
)
def test_may_leave(frame: Frame) -> None:
    assert outside(PortRole.EXCHANGE).strays([frame]) == []


@pytest.mark.parametrize(
    "frame",
    [
        udp(OWN, "192.0.2.101", 4096, 53),
        udp(OWN6, "2001:db8:53::1", 4096, 53),
        udp(OWN, PEER, 4096, 179),
        tcp(OWN, STRANGER, 4096, 179),
        tcp(OWN, PEER, 4096, 22),
        tcp("203.0.113.11", PEER, 4096, 179),
        tcp("192.0.2.2", PEER, 4096, 179),
        ip(OWN, STRANGER, 1),
        udp("127.0.0.1", PEER, 4096, 53),
        udp("198.51.101.2", PEER, 4096, 53),
        arp(1, OWN, STRANGER),
        arp(1, "198.51.100.2", PEER),
        arp(2, PEER, STRANGER),
        icmp6("fe80::1", "ff02::1", 134),
        icmp6("fe80::1", "ff02::2", 133),
        icmp6("fe80::1", "ff02::16", 143),
        icmp6(OWN6, "2001:db8:53::1", 1),
        icmp6(OWN6, "ff02::1:ff00:66", 135, "2001:db8:200::66"),
        Frame(MAC, 0x88CC, bytes(64)),
    ],
    ids=str,
)
def test_must_not_leave(frame: Frame) -> None:
    assert outside(PortRole.EXCHANGE).strays([frame]) != []


def test_a_next_hop_that_is_no_neighbour_is_sought_and_not_spoken_to() -> None:
    known = replace(outside(PortRole.EXCHANGE), hops=frozenset({ip_address(STRANGER)}))
    assert known.strays([arp(1, OWN, STRANGER)]) == []
    assert known.strays([tcp(OWN, STRANGER, 4096, 179)]) != []


@pytest.mark.parametrize("part", ["LEAK4", "LEAK6", "bgp-out", "nd-out"])
def test_the_stand_in_is_not_made_from_other_rules_than_it_knows(part: str) -> None:
    with pytest.raises(AssertionError, match="other rules"):
        standin.rules(rendered()[PF].replace(part, "renamed"))
