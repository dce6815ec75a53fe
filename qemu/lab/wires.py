"""Counts what went over a wire."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from qemu.world.packets import (
    ADVERTISEMENT,
    ARP,
    ICMP,
    ICMP6,
    IPV4,
    IPV6,
    SOLICITATION,
    TCP,
    UDP,
    Frame,
)

SERVICES = {22: "SSH", 53: "DNS", 123: "NTP", 179: "BGP"}
"""Services by TCP or UDP port. All other TCP is the relays'."""

MOST = 12
"""How many source addresses are listed."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The frames of one wire. `wire` is the name of the appliance's port. `sent` and `received` are
    the appliance's view; `kinds` counts both directions. `sources` has the addresses that the
    appliance sent from, and how many frames each."""

    wire: str
    sent: int
    received: int
    kinds: dict[str, int]
    sources: dict[str, int]


def traffic(wire: str, frames: Collection[Frame]) -> Traffic:
    """Count `frames`, which are of both directions. Those that came out of the wire are the
    appliance's."""
    sent = [frame for frame in frames if frame.inbound]
    sources = Counter(str(f.packet.source) for f in sent if f.ethertype in (IPV4, IPV6))
    kinds = Counter(kind(frame) for frame in frames)
    return Traffic(
        wire,
        len(sent),
        len(frames) - len(sent),
        dict(kinds.most_common()),
        dict(sources.most_common(MOST)),
    )


def kind(frame: Frame) -> str:
    """Return what a person calls this kind of frame."""
    if frame.ethertype == ARP:
        return "ARP"
    if frame.ethertype not in (IPV4, IPV6):
        return f"{frame.ethertype:#06x}"
    packet = frame.packet
    if packet.protocol == ICMP6 and packet.kind in (SOLICITATION, ADVERTISEMENT):
        return "neighbour discovery"
    if packet.protocol in (TCP, UDP):
        named = [SERVICES[port] for port in packet.ports if port in SERVICES]
        return named[0] if named else "relays" if packet.protocol == TCP else "UDP"
    return "ICMP" if packet.protocol in (ICMP, ICMP6) else f"protocol {packet.protocol}"
