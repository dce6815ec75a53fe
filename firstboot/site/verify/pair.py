"""Two boxes of one operator, proved together: whatever one of them sends and takes at its own edge
finds its way by the other one, and nothing goes around.

`firstboot.site.verify.verify` holds that each box's pf.conf lets pass what `flows` says of its
site, and nothing else. So this is about `flows` of both.
"""

from collections.abc import Iterable, Iterator, Mapping

from firstboot.core.values import Address
from firstboot.site.model import PortRole, Site
from firstboot.site.render import Box as Machine
from firstboot.site.verify.boxes import common
from firstboot.site.verify.context import Context
from firstboot.site.verify.intervals import Intervals, of_networks, subtract, union
from firstboot.site.verify.packets import (
    ADDRESSES,
    Kind,
    Region,
    difference,
    everything,
    example,
    joined,
)
from firstboot.site.verify.pf.policy import flows, region
from firstboot.site.verify.pf.rules import Direction

OF_THE_LINK = ("BGP to neighbours", "BGP from neighbours", "neighbour discovery")
"""Flows of a box itself with what is on a link; nobody passes them on."""

IN, OUT = Direction


def unproved(site: Site, other: Site, machine: Machine) -> Iterator[str]:
    """Packets for which it does not hold, a sentence each; none is the proof. To be asked both
    ways, with sites that fit (`firstboot.site.rules.pair`)."""
    here, there = (_Edge(Context.of(one, machine)) for one in (site, other))
    taken, sent = there.taken(), there.sent(but=here.on_ports)
    answers = there.answers()
    for what, packets, ways in (
        ("comes in at the other box and not by its cable", there.taken_outside(),
         [there.cable(IN)]),
        ("leaves the other box and not by its cable", there.sent_outside(), [there.cable(OUT)]),
        ("is for the other box and does not come in at this edge", taken, here.outside(IN)),
        ("is for the other box and does not leave by the cable", taken, [here.cable(OUT)]),
        ("is an answer to the other box and does not come in at this edge", answers,
         here.outside(IN)),
        ("is an answer to the other box and does not leave by the cable", answers,
         [here.cable(OUT)]),
        ("comes from the other box and does not come in by the cable", sent, [here.cable(IN)]),
        ("comes from the other box and does not leave by this edge", sent, here.outside(OUT)),
    ):  # fmt: skip
        for way in ways:
            yield from _told(difference(packets, way), what)
    by_cable = here.cable(IN)
    yield from _told(_both(by_cable, here.cable(OUT)), "comes in by the cable and leaves by it")
    foreign = difference(by_cable, here.of_twin())
    for coming in here.outside(IN):
        for leaving in here.outside(OUT):
            yield from _told(_both(coming, leaving), "comes in at this edge and leaves by it")
    for leaving in here.outside(OUT):
        yield from _told(
            _both(foreign, leaving), "is not the other box's, comes by the cable and leaves here"
        )


def _told(packets: Region, what: str) -> Iterator[str]:
    for space, boxes in packets.items():
        if boxes:
            yield f"{example(space, boxes[0])} {what}"
            return


class _Edge:
    """One of two boxes: what passes its ports, besides what is of a link alone."""

    def __init__(self, context: Context) -> None:
        self.site, self.plan = context.site, context.plan
        self._flows = [one for one in flows(context) if one.what not in OF_THE_LINK]
        self.on_ports = [
            face.ip
            for port in self.site.ports
            if port.role is not PortRole.LAN
            for face in port.addresses
        ]

    def outside(self, direction: Direction) -> list[Region]:
        """What passes each of the ports towards strangers."""
        ports = (port for port in self.site.ports if port.role.outside)
        return [self._passing(port.interface, direction) for port in ports]

    def cable(self, direction: Direction) -> Region:
        (port,) = (port for port in self.site.ports if port.role is PortRole.TWIN)
        return self._passing(port.interface, direction)

    def _passing(self, interface: str, direction: Direction) -> Region:
        return joined(
            one.packets
            for one in self._flows
            if (one.interface, one.direction) == (interface, direction)
        )

    def taken(self) -> Region:
        """What this box takes of strangers by the cable."""
        return _both(self.cable(IN), self._from_strangers())

    def taken_outside(self) -> Region:
        """What this box takes of strangers at its own edge, for itself."""
        return _both(joined(self.outside(IN)), self._from_strangers())

    def sent(self, but: Iterable[Address]) -> Region:
        """What this box sends to strangers by the cable; `but` are no strangers' addresses."""
        return _both(self.cable(OUT), self._to_strangers(but))

    def sent_outside(self) -> Region:
        """What this box sends to strangers at its own edge, for itself."""
        return _both(joined(self.outside(OUT)), self._to_strangers(()))

    def answers(self) -> Region:
        """What strangers answer to what this box sends: its states are nowhere else."""
        return region(
            ((version, kind), (box[1], box[0], box[3], box[2], *everything(version, kind)[4:]))
            for (version, kind), boxes in self.sent_outside().items()
            if kind in (Kind.TCP, Kind.UDP)
            for box in boxes
        )

    def of_twin(self) -> Region:
        """Everything with a source that is the other box's."""
        return _everything({v: (of_networks(self.plan.twins, v), ADDRESSES[v]) for v in (4, 6)})

    def _from_strangers(self) -> Region:
        return _everything({v: (self._strangers(v, ()), self._mine(v)) for v in (4, 6)})

    def _to_strangers(self, but: Iterable[Address]) -> Region:
        but = list(but)
        return _everything({v: (self._mine(v), self._strangers(v, but)) for v in (4, 6)})

    def _mine(self, version: int) -> Intervals:
        return of_networks(self.plan.mine, version)

    def _strangers(self, version: int, but: Iterable[Address]) -> Intervals:
        known = union(of_networks(self.plan.own, version), of_networks(but, version))
        return subtract(ADDRESSES[version], known)


def _everything(ends: Mapping[int, tuple[Intervals, Intervals]]) -> Region:
    """All packets between these addresses, by version of IP."""
    return region(
        ((version, kind), (*both, *everything(version, kind)[2:]))
        for version, both in ends.items()
        for kind in Kind
    )


def _both(one: Region, other: Region) -> Region:
    found = {
        space: tuple(
            both
            for box in boxes
            for cut in other.get(space, ())
            if (both := common(box, cut)) is not None
        )
        for space, boxes in one.items()
    }
    return {space: boxes for space, boxes in found.items() if boxes}
