"""Counts what went over a wire, in all and over time."""

from collections import Counter
from collections.abc import Collection, Iterable
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

INTERVALS = 150
"""Into how many intervals the time of a lab is divided."""


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
    over_time: "OverTime | None" = None


@dataclass(frozen=True, slots=True)
class OverTime:
    """Bytes of a wire in equal intervals: the first begins at `began`, in seconds since 1970, and
    each has `step` seconds."""

    began: float
    step: float
    sent: tuple[int, ...]
    received: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A time, from and to in seconds since 1970."""

    began: float
    ended: float

    @classmethod
    def of(cls, wires: Iterable[Collection[Frame]]) -> "Span | None":
        """From the first to the last frame of all `wires`; None without frames."""
        times = [frame.at for frames in wires for frame in frames]
        return cls(min(times), max(times)) if times else None


def over_time(frames: Iterable[Frame], span: Span, intervals: int = INTERVALS) -> OverTime:
    """Count the bytes of `frames`, all of them within `span`."""
    step = max((span.ended - span.began) / intervals, 1.0)
    ways: tuple[list[int], list[int]] = [0] * intervals, [0] * intervals
    for frame in frames:
        at = min(int((frame.at - span.began) / step), intervals - 1)
        ways[0 if frame.inbound else 1][at] += frame.size
    sent, received = ways
    return OverTime(span.began, step, tuple(sent), tuple(received))


def traffic(wire: str, frames: Collection[Frame], span: Span | None = None) -> Traffic:
    """Count `frames`, which are of both directions. Those that came out of the wire are the
    appliance's. With `span`, they are counted over that time as well."""
    sent = [frame for frame in frames if frame.inbound]
    sources = Counter(str(f.packet.source) for f in sent if f.ethertype in (IPV4, IPV6))
    kinds = Counter(kind(frame) for frame in frames)
    return Traffic(
        wire,
        len(sent),
        len(frames) - len(sent),
        dict(kinds.most_common()),
        dict(sources.most_common(MOST)),
        over_time(frames, span) if span else None,
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
